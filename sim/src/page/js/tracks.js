// The chart's ground: ruler, tracks, roles, partitions, faults, fsyncs and clients' operations.

const RULER = 26;
const FAULT_ROW = 17;
/// Rows of faults that overlap; what does not fit shares the last one.
const FAULT_ROWS = 5;
const TEXT_FROM = 26;
/// More bars in a track than this are drawn as a strip: which pixels have some.
const BARS_MAX = 300;

/// Where events were drawn, by their coordinates. Rows of numbers, not lists of lists: a frame makes
/// thousands of them and should leave no garbage.
class Hits {
  constructor(size) {
    this.size = size;
    this.many = 0;
    this.spots = new Float32Array(size * 256);
    this.events = new Int32Array(256);
  }

  add(i, a, b, c, d) {
    if (this.many === this.events.length) {
      const [spots, events] = [this.spots, this.events];
      this.spots = new Float32Array(spots.length * 2);
      this.spots.set(spots);
      this.events = new Int32Array(events.length * 2);
      this.events.set(events);
    }
    const base = this.many * this.size;
    this.spots[base] = a;
    this.spots[base + 1] = b;
    if (this.size > 2) {
      this.spots[base + 2] = c;
      this.spots[base + 3] = d;
    }
    this.events[this.many++] = i;
  }

  /// Adds to `near` what is no further than `most`, as [how far, event].
  find(near, most, far) {
    for (let k = 0; k < this.many; k++) {
      const apart = far(this.spots, k * this.size);
      if (apart < most) near.push([apart, this.events[k]]);
    }
  }
}

/// The chart: what is shown of the model, where, and what lies under each point.
class Chart {
  constructor(model, scale, theme, canvas) {
    Object.assign(this, { model, scale, theme, canvas });
    this.pen = canvas.getContext('2d', { alpha: false });
    this.measure = new Measure();
    this.show = { cats: CATEGORIES.map(({ on }) => on), messages: true, lostOnly: false };
    this.faultRows = this.packFaults();
    this.scroll = 0;
    this.density = new Density(model.tracks.length);
    this.strip = new Strip();
    this.hits = { points: new Hits(2), lines: new Hits(4), boxes: new Hits(4) };
  }

  /// Whether an event is stepped to, searched and drawn.
  shows(i) {
    if (!this.show.cats[this.model.cat[i]]) return false;
    if (this.model.events.kind[i] !== KIND.frame) return true;
    const lost = this.model.events.end[i] < 0;
    return this.show.messages && (lost || !this.show.lostOnly);
  }

  /// A row for each span of faults, none over another.
  packFaults() {
    const ends = [];
    const rows = this.model.meta.faults.map((fault) => {
      if (fault.paint === 'moment') return 0;
      let row = ends.findIndex((end) => end <= fault.from);
      if (row < 0) row = ends.length < FAULT_ROWS ? ends.length : FAULT_ROWS - 1;
      ends[row] = Math.max(ends[row] ?? 0, fault.to);
      return row + 1;
    });
    this.faultRowCount = ends.length + 1;
    return rows;
  }

  /// Places the tracks in a canvas of this size.
  layout(width, height) {
    const { tracks } = this.model;
    this.width = width;
    this.height = height;
    this.gutter = width < 640 ? 64 : 92;
    this.scale.place(this.gutter, width);
    const servers = tracks.filter((track) => track.type === 'server').length;
    const clients = tracks.length - 1 - servers;
    const faults = this.faultRowCount * FAULT_ROW + 8;
    const client = clients > 12 ? 16 : 22;
    const room = height - RULER - faults - clients * client - 10;
    const server = Math.min(Math.max(room / Math.max(servers, 1), 54), 96);
    let y = 0;
    for (const track of tracks) {
      track.y = y;
      track.h = track.type === 'lab' ? faults : track.type === 'server' ? server : client;
      y += track.h;
    }
    this.depth = y + 10;
    this.scrollTo(this.scroll);
  }

  scrollTo(y) {
    this.scroll = Math.min(Math.max(y, 0), Math.max(this.depth - (this.height - RULER), 0));
    for (const track of this.model.tracks) this.placeRows(track, RULER + track.y - this.scroll);
  }

  /// Where the parts of a track are.
  placeRows(track, top) {
    track.top = top;
    track.bottom = top + track.h;
    if (track.type === 'server') {
      const spare = Math.min((track.h - 54) / 3, 8);
      track.band = [top + 7, top + 27];
      track.marks = top + 36 + spare / 2;
      track.sync = [top + 45 + spare, top + 49 + spare];
      track.text = track.h >= 68 ? top + 60 + spare * 1.5 : null;
    } else if (track.type === 'client') {
      track.band = [top + 4, track.bottom - 3];
      track.marks = (track.band[0] + track.band[1]) / 2;
    } else track.band = [top + 4, top + 4 + FAULT_ROW];
  }

  trackAt(y) {
    if (y < RULER) return -1;
    return this.model.tracks.findIndex((track) => y >= track.top && y < track.bottom);
  }

  visible(track) {
    return track.bottom > RULER && track.top < this.height;
  }

  /// The whole picture. What follows the pointer and the selection is on the cover instead.
  render() {
    const { pen } = this;
    for (const hits of Object.values(this.hits)) hits.many = 0;
    const ticks = this.scale.ticks();
    this.drawGround(ticks);
    pen.save();
    pen.beginPath();
    pen.rect(this.gutter, RULER, this.width - this.gutter, this.height - RULER);
    pen.clip();
    for (const track of this.model.tracks) {
      if (!this.visible(track)) continue;
      if (track.type === 'server') {
        this.drawRoles(track);
        this.drawSides(track);
        if (this.show.cats[SYNC]) this.drawSyncs(track);
      } else if (track.type === 'client' && this.show.cats[CLIENT]) this.drawOperations(track);
    }
    if (this.show.cats[FAULT]) this.drawFaults();
    drawEvents(this);
    pen.restore();
    this.drawGutter();
    this.drawRuler(ticks);
  }

  drawGround({ ticks }) {
    const { pen, theme, scale } = this;
    pen.fillStyle = theme.paper;
    pen.fillRect(0, 0, this.width, this.height);
    this.model.tracks.forEach((track) => {
      if (track.type !== 'lab' && this.visible(track)) return;
      pen.fillStyle = theme.sheet;
      if (track.type === 'lab') pen.fillRect(0, track.top, this.width, track.h);
    });
    pen.fillStyle = theme.line;
    for (const tick of ticks) pen.fillRect(Math.round(scale.x(tick)), RULER, 1, this.height);
    for (const track of this.model.tracks) {
      if (this.visible(track)) pen.fillRect(0, Math.round(track.bottom) - 1, this.width, 1);
    }
    const end = scale.x(this.model.ended);
    if (end < this.width) {
      pen.fillStyle = theme.sheet;
      pen.fillRect(end, RULER, this.width - end, this.height);
    }
  }

  drawRoles(track) {
    const { pen, theme, scale } = this;
    const [y, bottom] = track.band;
    const roles = this.model.roles[this.model.tracks.indexOf(track)];
    this.measure.font(pen, theme.font(11, 600));
    pen.textBaseline = 'middle';
    for (let k = firstEnding(roles, scale.from); k < roles.length && roles[k].from <= scale.to; k++) {
      const role = roles[k];
      const x = Math.max(scale.x(role.from), this.gutter - 4);
      const width = Math.min(scale.x(role.to), this.width + 4) - x;
      if (role.shape === 'down') {
        pen.fillStyle = theme.lineStrong;
        pen.fillRect(x, (y + bottom) / 2 - 0.5, width, 1);
        if (width > 60) this.bandText('down', x, width, (y + bottom) / 2, theme.faint, theme.paper);
        continue;
      }
      const { fill, ink } = theme.roles[role.shape];
      pen.fillStyle = fill;
      pen.globalAlpha = role.ready ? 1 : 0.38;
      pen.fillRect(x, y, Math.max(width - 1, 0.6), bottom - y);
      pen.globalAlpha = 1;
      if (!role.ready && width > 6) {
        pen.strokeStyle = fill;
        pen.lineWidth = 1.5;
        pen.strokeRect(x + 0.75, y + 0.75, width - 2.5, bottom - y - 1.5);
      }
      if (role.paused) {
        pen.fillStyle = theme.hatch;
        pen.fillRect(x, y, width - 1, bottom - y);
      }
      if (width > TEXT_FROM) {
        this.bandText(role.text, x, width, (y + bottom) / 2, role.ready ? ink : theme.ink, role.paused ? fill : null, role.short);
      }
    }
  }

  /// Text within a bar, at its visible beginning; shortened if it must be.
  bandText(text, x, width, y, color, behind, short = text) {
    const { pen } = this;
    const left = Math.max(x, this.gutter) + 6;
    const room = x + width - left - 5;
    const shown = this.fit(this.measure.width(pen, text) <= room ? text : short, room);
    if (shown === '') return;
    if (behind) {
      pen.fillStyle = behind;
      pen.fillRect(left - 4, y - 7, this.measure.width(pen, shown) + 8, 14);
    }
    pen.fillStyle = color;
    pen.fillText(shown, left, y + 0.5);
  }

  /// As much of a text as fits; nothing if that is too little to read.
  fit(text, room) {
    const full = this.measure.width(this.pen, text);
    if (full <= room) return text;
    const letters = Math.floor((room / full) * text.length) - 1;
    return letters >= 5 ? `${text.slice(0, letters)}\u2026` : '';
  }

  /// A strip over the band: servers of one colour can reach each other.
  drawSides(track) {
    const { pen, theme, scale } = this;
    const sides = this.model.sides[this.model.tracks.indexOf(track)];
    for (const { from, to, side } of sides) {
      if (to < scale.from || from > scale.to) continue;
      const x = scale.x(from);
      const width = Math.max(scale.x(to) - x, 1);
      pen.fillStyle = side < 0 ? theme.kinds[FAULT] : theme.sides[side % theme.sides.length];
      pen.fillRect(x, track.band[0] - (side < 0 ? 3 : 5), width, side < 0 ? 1.5 : 3.5);
    }
  }

  drawFaults() {
    const { pen, theme, scale, model } = this;
    const track = model.tracks[0];
    const color = theme.kinds[FAULT];
    this.measure.font(pen, theme.font(11));
    pen.textBaseline = 'middle';
    const moments = model.meta.faults.filter((fault) => fault.paint === 'moment');
    let [free, place] = [-Infinity, 0];
    model.meta.faults.forEach((fault, n) => {
      if (fault.paint === 'moment') place++;
      if (fault.to < scale.from || fault.from > scale.to) {
        if (fault.paint !== 'moment' || fault.from > scale.to) return;
      }
      const x = scale.x(fault.from);
      const y = track.top + 4 + this.faultRows[n] * FAULT_ROW;
      if (fault.paint === 'moment') {
        const next = place < moments.length ? scale.x(moments[place].from) - 6 : Infinity;
        free = this.drawMoment(fault, x, y, free, next);
        return;
      }
      const width = Math.max(scale.x(fault.to) - x, 1.5);
      pen.fillStyle = theme.washes[FAULT];
      pen.fillRect(x, y + 1, width, FAULT_ROW - 3);
      pen.fillStyle = color;
      pen.fillRect(x, y + 1, 2, FAULT_ROW - 3);
      this.bandText(fault.text, x, width, y + FAULT_ROW / 2 - 0.5, theme.ink);
      this.hits.boxes.add(fault.event, x, y, x + width, y + FAULT_ROW);
    });
  }

  /// A thing done in a moment. Its words are written if they do not cover those before.
  drawMoment(fault, x, y, free, next) {
    const { pen, theme } = this;
    const middle = y + FAULT_ROW / 2;
    pen.fillStyle = theme.kinds[FAULT];
    pen.beginPath();
    pen.moveTo(x, middle + 4);
    pen.lineTo(x - 4, middle - 3.5);
    pen.lineTo(x + 4, middle - 3.5);
    pen.fill();
    this.hits.points.add(fault.event, x, middle);
    const text = x < free ? '' : this.fit(fault.text, Math.min(next - x - 8, 360));
    if (text === '') return Math.max(free, x + 8);
    pen.fillStyle = theme.soft;
    pen.fillText(text, x + 8, middle + 0.5);
    return x + 8 + this.measure.width(pen, text) + 10;
  }

  /// Fsyncs: bars in a row of their own.
  drawSyncs(track) {
    const { pen, theme, scale, model } = this;
    const n = model.tracks.indexOf(track);
    const [y, bottom] = track.sync;
    pen.globalAlpha = 0.16;
    pen.fillStyle = theme.kinds[FAULT];
    for (const fault of model.meta.faults) {
      const slow = fault.paint === 'slow';
      if (!slow || !fault.servers.includes(track.id) || fault.to < scale.from || fault.from > scale.to) continue;
      pen.fillRect(scale.x(fault.from), y - 2, scale.x(fault.to) - scale.x(fault.from), bottom - y + 4);
    }
    pen.globalAlpha = 1;
    this.drawBars(model.syncs[n], y, bottom, SYNC, (i, x, right) => {
      this.hits.boxes.add(i, x, y - 3, right, bottom + 3);
    });
  }

  /// Bars in one colour. Where there are few, calls `one` for each.
  drawBars(spans, y, bottom, cat, one) {
    const { pen, theme, scale, width, gutter, model: { events: { at, end } } } = this;
    if (spans.count(scale.from, scale.to) >= BARS_MAX) {
      this.strip.draw(this, spans, y, bottom, theme.kindBytes[cat]);
      return;
    }
    pen.fillStyle = theme.kinds[cat];
    spans.visit(scale.from, scale.to, (i) => {
      const right = Math.min(scale.x(end[i]), width + 9);
      if (right < gutter) return;
      const x = Math.max(scale.x(at[i]), gutter - 9);
      pen.fillRect(x, y, Math.max(right - x, 1.5), bottom - y);
      one(i, x, Math.max(right, x + 1.5));
    });
  }

  /// From question to answer.
  drawOperations(track) {
    const { pen, theme, scale, model } = this;
    const n = model.tracks.indexOf(track);
    const [y, bottom] = track.band;
    if (model.operations[n].count(scale.from, scale.to) >= BARS_MAX) {
      pen.globalAlpha = 0.55;
      this.drawBars(model.operations[n], y + 2, bottom - 2, CLIENT);
      pen.globalAlpha = 1;
      return;
    }
    this.measure.font(pen, theme.font(11));
    pen.textBaseline = 'middle';
    model.operations[n].visit(scale.from, scale.to, (i) => this.drawOperation(i, y, bottom));
  }

  drawOperation(i, y, bottom) {
    const { pen, theme, scale, model: { events, texts } } = this;
    const x = Math.max(scale.x(events.at[i]), this.gutter - 9);
    const right = Math.min(scale.x(events.end[i]), this.width + 9);
    if (right < this.gutter) return;
    const width = Math.max(right - x, 2);
    const answer = events.mate[i];
    const answered = answer >= 0 && events.kind[answer] === KIND.answered;
    const failed = answered && events.number[answer] !== 0;
    pen.fillStyle = theme.washes[answered ? CLIENT : FAULT];
    pen.fillRect(x, y, width, bottom - y);
    pen.fillStyle = theme.kinds[answered ? CLIENT : FAULT];
    pen.fillRect(x, y, 1.5, bottom - y);
    if (failed) pen.fillStyle = theme.kinds[FAULT];
    if (answered) pen.fillRect(x + width - 1.5, y, 1.5, bottom - y);
    const room = Math.min(right, scale.x(this.model.next.get(i))) - x;
    if (room > 40) {
      const result = !answered ? (answer >= 0 ? 'lost' : 'no answer') : errorName(events.number[answer]);
      const op = texts[events.text[i]];
      this.bandText(result === 'ok' ? op : `${op}: ${result}`, x, room, (y + bottom) / 2, theme.ink);
    }
    this.hits.boxes.add(i, x, y, x + width, bottom);
  }

  drawGutter() {
    const { pen, theme } = this;
    pen.fillStyle = theme.paper;
    pen.fillRect(0, RULER, this.gutter, this.height);
    pen.textBaseline = 'middle';
    const bad = new Set((this.model.meta.violations[this.violation ?? 0]?.servers ?? []));
    this.model.tracks.forEach((track, n) => {
      if (!this.visible(track)) return;
      if (n === this.track) {
        pen.fillStyle = theme.accentWash;
        pen.fillRect(0, track.top, this.gutter, track.h - 1);
        pen.fillStyle = theme.accent;
        pen.fillRect(0, track.top, 3, track.h - 1);
      }
      const middle = track.type === 'server' ? (track.band[0] + track.band[1]) / 2 : track.type === 'lab' ? track.top + 4 + FAULT_ROW / 2 : (track.top + track.bottom) / 2;
      this.measure.font(pen, theme.font(track.type === 'server' ? 13 : 11, track.type === 'server' ? 600 : 400));
      pen.fillStyle = bad.has(track.id) ? theme.alarm : track.type === 'server' ? theme.ink : theme.soft;
      pen.fillText(track.type === 'lab' ? 'actions' : track.type === 'server' ? `server ${track.id}` : this.fit(track.name, this.gutter - 20), 12, middle);
      if (track.note && track.h >= 54) {
        this.measure.font(pen, theme.font(11));
        pen.fillStyle = theme.faint;
        pen.fillText(track.note, 12, middle + 16);
      }
    });
    pen.fillStyle = theme.line;
    for (const track of this.model.tracks) if (this.visible(track)) pen.fillRect(0, Math.round(track.bottom) - 1, this.gutter, 1);
    pen.fillRect(this.gutter - 1, RULER, 1, this.height);
  }

  drawRuler({ ticks, digits }) {
    const { pen, theme, scale } = this;
    pen.fillStyle = theme.paper;
    pen.fillRect(0, 0, this.width, RULER);
    pen.fillStyle = theme.lineStrong;
    pen.fillRect(0, RULER - 1, this.width, 1);
    this.measure.font(pen, theme.font(11));
    pen.textBaseline = 'middle';
    for (const tick of ticks) {
      const x = Math.round(scale.x(tick));
      if (x < this.gutter) continue;
      pen.fillStyle = theme.lineStrong;
      pen.fillRect(x, RULER - 6, 1, 5);
      pen.fillStyle = theme.soft;
      pen.fillText(`${seconds(tick + 0.5, digits)} s`, x + 5, RULER / 2);
    }
    pen.fillStyle = theme.paper;
    pen.fillRect(0, 0, this.gutter, RULER - 1);
    pen.fillStyle = theme.faint;
    pen.fillText(`${span(scale.to - scale.from)} shown`, 12, RULER / 2);
  }
}

/// The first of these spans, which follow one another, that ends after a moment.
function firstEnding(spans, moment) {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle].to < moment) low = middle + 1;
    else high = middle;
  }
  return low;
}
