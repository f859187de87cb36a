// Reads the columns that columns.rs wrote.

/// Numbers of the LEB128 rows in one column.
class Row {
  constructor(bytes) {
    this.bytes = bytes;
    this.place = 0;
  }

  next() {
    let byte = this.bytes[this.place++];
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 128;
    do {
      byte = this.bytes[this.place++];
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte >= 0x80);
    return value;
  }

  signed() {
    const value = this.next();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

/// The page's data, unpacked: rows by name.
async function unpack(meta) {
  const text = document.getElementById('data').textContent.trim();
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const rows = {};
  let from = 0;
  for (const [name, length] of meta.columns) {
    rows[name] = bytes.subarray(from, from + length);
    from += length;
  }
  return rows;
}

/// Every event as an entry in arrays of numbers.
function readEvents(meta, rows) {
  const n = meta.events;
  const row = (name) => new Row(rows[name]);
  const fill = (array, next) => {
    for (let i = 0; i < n; i++) array[i] = next();
    return array;
  };
  const plain = (name, array) => {
    const column = row(name);
    return fill(array, () => column.next());
  };
  const signed = (name, array) => {
    const column = row(name);
    return fill(array, () => column.signed());
  };
  const at = plain('at', new Float64Array(n));
  for (let i = 1; i < n; i++) at[i] += at[i - 1];
  const kind = plain('kind', new Uint8Array(n));
  const events = {
    n,
    at,
    kind,
    by: plain('by', new Uint16Array(n)),
    text: plain('text', new Uint32Array(n)),
    zxid: plain('zxid', new Uint32Array(n)),
    to: plain('to', new Uint16Array(n)),
    number: signed('number', new Float64Array(n)),
    end: plain('lasts', new Float64Array(n)),
    mate: signed('mate', new Int32Array(n)),
    hasState: Uint8Array.from(kind, (code) => code & 1),
  };
  for (let i = 0; i < n; i++) {
    kind[i] >>= 1;
    // From "lasts, plus 1" to a moment; -1: there is none.
    events.end[i] = events.end[i] === 0 ? -1 : at[i] + events.end[i] - 1;
    events.mate[i] = events.mate[i] === 0 ? -1 : i + events.mate[i];
  }
  return events;
}

function readTexts(rows) {
  const lengths = new Row(rows.lengths);
  const all = new TextDecoder().decode(rows.texts);
  const texts = [];
  let from = 0;
  while (lengths.place < rows.lengths.length) {
    const length = lengths.next();
    texts.push(all.slice(from, from + length));
    from += length;
  }
  return texts;
}

/// Where the fields of each note begin.
function readFieldPlaces(meta, events, rows) {
  const places = new Uint32Array(events.n);
  const fields = new Row(rows.fields);
  const note = meta.kinds.indexOf('note');
  for (let i = 0; i < events.n; i++) {
    if (events.kind[i] !== note) continue;
    places[i] = fields.place;
    for (let left = fields.next(); left > 0; left--) {
      fields.next();
      const form = fields.next();
      for (let values = form === 3 ? fields.next() : 1; values > 0; values--) fields.next();
    }
  }
  return places;
}

/// The states, in the order of their events: `of[name][place]`, and the place of the state before
/// it of the same track, -1 if it is the first.
function readStates(meta, events, rows) {
  const row = new Row(rows.states);
  let total = 0;
  for (let i = 0; i < events.n; i++) total += events.hasState[i];
  const states = { event: new Int32Array(total), before: new Int32Array(total), of: {}, tracks: [] };
  for (const name of meta.states) states.of[name] = new Float64Array(total);
  const latest = [];
  for (let i = 0, place = 0; i < events.n; i++) {
    if (!events.hasState[i]) continue;
    const track = events.by[i];
    const before = latest[track] ?? -1;
    states.event[place] = i;
    states.before[place] = before;
    for (const name of meta.states) {
      states.of[name][place] = row.signed() + (before < 0 ? 0 : states.of[name][before]);
    }
    (states.tracks[track] ??= []).push(place);
    latest[track] = place++;
  }
  return states;
}

async function readRecording() {
  const meta = JSON.parse(document.getElementById('meta').textContent);
  const rows = await unpack(meta);
  const events = readEvents(meta, rows);
  return {
    meta,
    events,
    texts: readTexts(rows),
    zxids: new TextDecoder().decode(rows.zxids).split(' '),
    fields: rows.fields,
    fieldPlaces: readFieldPlaces(meta, events, rows),
    states: readStates(meta, events, rows),
  };
}
