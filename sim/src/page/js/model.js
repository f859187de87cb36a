// The recording in the shapes the chart asks for: by track, by kind, by time.

const KIND = {};

/// How many of the events in a list, which is sorted by time, come before a moment.
function before(events, list, moment) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events.at[list[middle]] < moment) low = middle + 1;
    else high = middle;
  }
  return low;
}

/// Events that last, filed by how long: what overlaps a window is found without a look at all that
/// began before it.
class Spans {
  constructor(events, list) {
    this.events = events;
    const drawers = new Map();
    for (const i of list) {
      const lasts = Math.max(events.end[i] - events.at[i], 0);
      const size = Math.ceil(Math.log2(lasts + 1) / 2);
      if (!drawers.has(size)) drawers.set(size, { longest: 4 ** size, list: [] });
      drawers.get(size).list.push(i);
    }
    this.drawers = [...drawers.values()].map(({ longest, list }) => ({ longest, list: Int32Array.from(list) }));
  }

  /// Slices that hold all that overlap [from, to], and some that do not: list, first, last. Each is
  /// sorted by time. With `least`, only of those that may last that long.
  slices(from, to, least = 0) {
    const slices = [];
    for (const { longest, list } of this.drawers) {
      if (longest < least) continue;
      const first = before(this.events, list, from - longest);
      const last = before(this.events, list, to);
      if (last > first) slices.push([list, first, last]);
    }
    return slices;
  }

  visit(from, to, call, least = 0) {
    for (const [list, first, last] of this.slices(from, to, least)) {
      for (let k = first; k < last; k++) call(list[k]);
    }
  }

  count(from, to, least = 0) {
    return this.slices(from, to, least).reduce((total, [, first, last]) => total + last - first, 0);
  }
}

class Model {
  constructor(recording) {
    Object.assign(this, recording);
    this.meta.kinds.forEach((name, code) => { KIND[name] = code; });
    this.makeTracks();
    this.sortOut();
    this.makeRoles();
    this.makeSides();
    this.ended = Math.max(this.meta.ended, 1);
    this.bad = new Map();
    this.meta.violations.forEach((violation, n) => {
      for (const i of violation.events) if (!this.bad.has(i)) this.bad.set(i, n);
    });
  }

  makeTracks() {
    const servers = this.meta.servers.map(({ id, votes, weight }) => ({
      type: 'server',
      id,
      name: `s${id}`,
      long: `server ${id}`,
      note: !votes ? 'observer' : weight === 1 ? '' : `weight ${weight}`,
    }));
    const clients = this.meta.clients.map((name) => ({ type: 'client', name, long: `client ${name}`, note: '' }));
    this.tracks = [{ type: 'lab', name: 'lab', long: 'laboratory', note: '' }, ...servers, ...clients];
    this.trackOf = new Map(servers.map((track, n) => [track.id, n + 1]));
  }

  /// Gives every event its kind of the legend, and files it.
  sortOut() {
    const { n, at, kind, text, zxid, by, end } = this.events;
    this.cat = new Uint8Array(n);
    this.weight = new Uint8Array(n);
    const perCat = () => CATEGORIES.map(() => []);
    const perTrack = () => this.tracks.map(() => []);
    const [marks, frames, lost, heavy] = [perCat(), perCat(), [], []];
    const [syncs, operations, byTrack] = [perTrack(), perTrack(), perTrack()];
    this.byZxid = this.zxids.map(() => []);
    this.totals = new Array(CATEGORIES.length).fill(0);
    for (let i = 0; i < n; i++) {
      const [cat, weight] = this.classify(kind[i], this.texts[text[i]]);
      this.cat[i] = cat;
      this.weight[i] = weight;
      this.totals[cat]++;
      if (zxid[i] > 0) this.byZxid[zxid[i] - 1].push(i);
      byTrack[by[i]].push(i);
      if (kind[i] === KIND.frame) {
        if (end[i] < 0) lost.push(i);
        else frames[cat].push(i);
      } else if (kind[i] === KIND.sync) syncs[by[i]].push(i);
      else if (kind[i] === KIND.asked) operations[by[i]].push(i);
      else if (kind[i] === KIND.life || kind[i] === KIND.note) (weight >= 3 ? heavy : marks[cat]).push(i);
    }
    this.heavy = Int32Array.from(heavy);
    this.marks = marks.map((list) => Int32Array.from(list));
    this.frames = frames.map((list) => new Spans(this.events, list));
    this.lost = Int32Array.from(lost);
    this.syncs = syncs.map((list) => new Spans(this.events, list));
    this.operations = operations.map((list) => new Spans(this.events, list));
    // When the same client asks next: its words may go so far.
    this.next = new Map();
    for (const list of operations) list.forEach((i, k) => this.next.set(i, k + 1 < list.length ? at[list[k + 1]] : Infinity));
    this.byTrack = byTrack.map((list) => Int32Array.from(list));
  }

  classify(kind, text) {
    switch (kind) {
      case KIND.action: return [FAULT, 3];
      case KIND.life: return [LIFE, 3];
      case KIND.role: return [LIFE, 2];
      case KIND.frame: return [FRAMES[text] ?? LIFE, 1];
      case KIND.sync: case KIND.synced: return [SYNC, 0];
      case KIND.asked: case KIND.answered: case KIND.lost: return [CLIENT, 1];
      default: return NOTES[text] ?? [LIFE, 1];
    }
  }

  /// What a server is, from when to when; and where its log's end changes.
  makeRoles() {
    const { of, event, tracks } = this.states;
    this.roles = this.tracks.map(() => []);
    this.logs = this.tracks.map(() => []);
    this.tracks.forEach((track, n) => {
      if (track.type !== 'server') return;
      const roles = this.roles[n];
      const logs = this.logs[n];
      let shape = 'down';
      roles.push({ from: 0, shape, text: '' });
      for (const place of tracks[n] ?? []) {
        const at = this.events.at[event[place]];
        const now = this.roleShape(place);
        const key = `${now.shape} ${now.ready} ${now.text}`;
        if (key !== shape) roles.push({ from: at, ...now });
        shape = key;
        if (logs.length === 0 || logs.at(-1).zxid !== of.logged[place]) logs.push({ at, zxid: of.logged[place] });
      }
      const ended = this.meta.ended;
      roles.forEach((role, k) => { role.to = k + 1 < roles.length ? roles[k + 1].from : ended; });
      this.roles[n] = roles.filter((role) => role.to > role.from);
    });
  }

  roleShape(place) {
    const { of } = this.states;
    const process = this.meta.processes[of.process[place]];
    if (process === 'down') return { shape: 'down', text: '', paused: false };
    const shape = this.meta.roles[of.role[place]].toLowerCase();
    const ready = shape === 'leading' ? of.established[place] > 0
      : shape === 'looking' || shape === 'standalone' || of.serving[place] > 0;
    const epoch = of.current[place];
    const paused = process === 'paused';
    const word = shape.toUpperCase();
    const short = paused ? 'PAUSED' : word;
    return { shape, ready, paused, short, text: `${word} \u00b7 e${epoch}${paused ? ' \u00b7 PAUSED' : ''}` };
  }

  /// While the network is cut into sides: which side each server is on. Where a cut leaves all
  /// connected some way, the servers it touches.
  makeSides() {
    const cuts = this.meta.faults.filter((fault) => fault.paint === 'parts' && fault.pairs.length > 0);
    const moments = [...new Set(cuts.flatMap((cut) => [cut.from, cut.to]))].sort((a, b) => a - b);
    this.sides = this.tracks.map(() => []);
    for (let k = 0; k + 1 < moments.length; k++) {
      const [from, to] = [moments[k], moments[k + 1]];
      const open = cuts.filter((cut) => cut.from <= from && cut.to > from).flatMap((cut) => cut.pairs);
      if (open.length === 0) continue;
      const groups = this.groups(new Set(open.map(([a, b]) => `${a} ${b}`)));
      const touched = new Set(open.flat());
      this.meta.servers.forEach(({ id }) => {
        const side = groups.length > 1 ? groups.findIndex((group) => group.has(id)) : touched.has(id) ? -1 : null;
        if (side !== null) this.sides[this.trackOf.get(id)].push({ from, to, side });
      });
    }
  }

  /// Servers that can reach each other both ways, largest group first.
  groups(cut) {
    const left = new Set(this.meta.servers.map(({ id }) => id));
    const groups = [];
    while (left.size > 0) {
      const group = new Set([left.values().next().value]);
      for (const a of group) {
        for (const b of left) if (!group.has(b) && !cut.has(`${a} ${b}`) && !cut.has(`${b} ${a}`)) group.add(b);
      }
      group.forEach((id) => left.delete(id));
      groups.push(group);
    }
    return groups.sort((a, b) => b.size - a.size);
  }

  /// The fields of a note: name, form, and the value as text.
  fieldsOf(i) {
    if (this.events.kind[i] !== KIND.note) return [];
    const row = new Row(this.fields);
    row.place = this.fieldPlaces[i];
    const fields = [];
    for (let left = row.next(); left > 0; left--) {
      const name = this.texts[row.next()];
      const form = row.next();
      if (form === 3) {
        const servers = [];
        for (let more = row.next(); more > 0; more--) servers.push(row.signed());
        fields.push({ name, form, text: servers.join(' ') || 'nobody' });
      } else if (form === 0) fields.push({ name, form, text: this.texts[row.next()] });
      else if (form === 1) {
        const zxid = row.next();
        fields.push({ name, form, zxid, text: this.zxids[zxid] });
      } else fields.push({ name, form, text: String(row.signed()) });
    }
    return fields;
  }

  zxidOf(i) {
    const place = this.events.zxid[i];
    return place > 0 ? this.zxids[place - 1] : '';
  }

  /// An event in a few words, without who and when.
  label(i) {
    const { kind, text, to, number } = this.events;
    const word = this.texts[text[i]];
    switch (kind[i]) {
      case KIND.role: return `${word}, epoch ${number[i]}`;
      case KIND.frame: return `${this.frameName(i)} to ${this.tracks[to[i]].name}${this.events.end[i] < 0 ? ', never arrives' : ''}`;
      case KIND.sync: return 'fsync begins';
      case KIND.synced: return word === 'failed' ? 'fsync fails' : 'fsync ends';
      case KIND.asked: return word;
      case KIND.answered: return `answered: ${errorName(number[i])}`;
      case KIND.lost: return 'connection lost: it may have happened or not';
      case KIND.note: return this.noteLabel(i, word);
      default: return word;
    }
  }

  frameName(i) {
    const zxid = this.zxidOf(i);
    return this.texts[this.events.text[i]] + (zxid === '' || zxid === '0x0' ? '' : ` ${zxid}`);
  }

  noteLabel(i, name) {
    const template = NOTES[name]?.[2] ?? name;
    if (!template.includes('{')) return template;
    const fields = this.fieldsOf(i);
    return template.replace(/\{(\w+)\}/g, (_, field) => fields.find((f) => f.name === field)?.text ?? '?');
  }

  /// Everything that can be searched for, in lower case.
  searchable(i) {
    const { by, kind, text, at } = this.events;
    const name = this.texts[text[i]];
    const fields = this.fieldsOf(i).map((field) => `${field.name} ${field.text}`).join(' ');
    const zxid = kind[i] === KIND.answered ? this.zxidOf(i) : '';
    return `${this.tracks[by[i]].name} ${this.label(i)} ${name} ${fields} ${zxid} ${(at[i] / 1e9).toFixed(9)}`.toLowerCase();
  }

  /// The place of the newest state of a track at an event; -1: there was none yet.
  stateAt(track, i) {
    const places = this.states.tracks[track] ?? [];
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.states.event[places[middle]] <= i) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? -1 : places[low - 1];
  }

  /// One line of a state, as text.
  stateText(name, place) {
    const value = this.states.of[name][place];
    switch (name) {
      case 'process': return this.meta.processes[value];
      case 'role': return this.meta.roles[value];
      case 'established': case 'serving': return value === 0 ? '\u2013' : String(value - 1);
      case 'accepted': case 'current': return String(value);
      default: return this.zxids[value];
    }
  }
}
