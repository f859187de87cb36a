// What lies over the chart: the selection, the violation, the pointer; and the overview above it.

class Cover {
  constructor(chart, canvas) {
    Object.assign(this, { chart, canvas });
    this.pen = canvas.getContext('2d');
    this.hover = null;
  }

  /// Where an event is seen.
  spot(i) {
    const { model, scale } = this.chart;
    const { events, tracks } = model;
    const track = tracks[events.by[i]];
    const x = scale.x(events.at[i]);
    const kind = events.kind[i];
    if (kind === KIND.frame) {
      const [, y] = frameLine(this.chart, i);
      return { x, y };
    }
    if (track.type === 'server') {
      if (kind === KIND.life || kind === KIND.role) return { x, y: (track.band[0] + track.band[1]) / 2 };
      if (kind === KIND.sync || kind === KIND.synced) return { x, y: (track.sync[0] + track.sync[1]) / 2 };
      return { x, y: track.marks };
    }
    if (track.type === 'client') return { x, y: (track.band[0] + track.band[1]) / 2 };
    const n = model.meta.faults.findIndex((fault) => fault.event === i);
    return { x, y: track.top + 4 + ((n < 0 ? 0 : this.chart.faultRows[n]) + 0.5) * FAULT_ROW };
  }

  render(selected, violation, matches) {
    const { pen, chart } = this;
    pen.clearRect(0, 0, chart.width, chart.height);
    pen.save();
    pen.beginPath();
    pen.rect(chart.gutter, 0, chart.width - chart.gutter, chart.height);
    pen.clip();
    if (matches?.length > 0) this.drawMatches(matches);
    if (violation) this.drawViolation(violation);
    if (selected >= 0) this.drawSelection(selected, violation);
    if (this.hover) this.drawHover();
    if (this.brush) this.drawBrush();
    pen.restore();
    if (violation) this.drawPointer(violation);
  }

  /// What the search found: a ring for each in sight, if they are few.
  drawMatches(matches) {
    const { pen, chart: { scale, model, theme } } = this;
    const list = matches;
    const [first, last] = [before(model.events, list, scale.from), before(model.events, list, scale.to)];
    const step = Math.max(1, Math.ceil((last - first) / 400));
    pen.strokeStyle = theme.accent;
    pen.lineWidth = 1.5;
    pen.beginPath();
    for (let k = first; k < last; k += step) {
      const { x, y } = this.spot(list[k]);
      pen.moveTo(x + 6, y);
      pen.arc(x, y, 6, 0, 7);
    }
    pen.stroke();
  }

  drawSelection(i, violation) {
    const { pen, chart: { model, theme, height } } = this;
    const { x, y } = this.spot(i);
    pen.fillStyle = theme.accent;
    pen.globalAlpha = 0.55;
    pen.fillRect(Math.round(x), RULER, 1, height);
    pen.globalAlpha = 1;
    const zxid = model.events.zxid[i];
    if (zxid > 0 && model.zxids[zxid - 1] !== '0x0') this.drawKin(model.byZxid[zxid - 1], i);
    if (model.events.kind[i] === KIND.frame) this.drawFrame(i, 2.5);
    const broken = violation?.events.includes(i);
    if (!broken) this.ring(x, y, 6.5, theme.accent, 2.5);
    const mate = model.events.mate[i];
    if (mate >= 0) {
      const other = this.spot(mate);
      pen.lineWidth = 2.5;
      pen.strokeStyle = theme.accent;
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(other.x, other.y);
      pen.stroke();
      this.ring(other.x, other.y, 4, theme.accent, 2);
    }
    const when = `${seconds(model.events.at[i])} s`;
    if (broken && model.events.at[i] === violation.at) this.flag(x, `${violation.id}  ${when}`, theme.alarm, theme.alarmInk);
    else this.flag(x, when, theme.accent, theme.paper);
  }

  /// All that happened to the same transaction.
  drawKin(list, but) {
    const { pen, chart: { scale, model, theme } } = this;
    const [first, last] = [before(model.events, list, scale.from), before(model.events, list, scale.to)];
    if (last - first > 700) return;
    pen.globalAlpha = 0.85;
    for (let k = first; k < last; k++) {
      const i = list[k];
      if (i === but || !this.chart.shows(i)) continue;
      if (model.events.kind[i] === KIND.frame) this.drawFrame(i, 1.6);
      else {
        const { x, y } = this.spot(i);
        this.ring(x, y, 6, theme.accent, 1.5);
      }
    }
    pen.globalAlpha = 1;
  }

  drawFrame(i, width) {
    const { pen, chart } = this;
    const [x1, y1, x2, y2] = frameLine(chart, i);
    const head = new Path2D();
    addHead(head, x1, y1, x2, y2, 5 + width * 1.5);
    pen.strokeStyle = pen.fillStyle = chart.theme.accent;
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
    pen.stroke();
    pen.fill(head);
  }

  ring(x, y, radius, color, width) {
    const { pen, chart: { theme } } = this;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 7);
    pen.lineWidth = width + 2;
    pen.strokeStyle = theme.paper;
    pen.stroke();
    pen.lineWidth = width;
    pen.strokeStyle = color;
    pen.stroke();
  }

  /// The two events a violation is about, joined by a bold line.
  drawViolation({ at, id, events }) {
    const { pen, chart: { scale, theme, height } } = this;
    const x = Math.round(scale.x(at));
    pen.fillStyle = theme.alarm;
    pen.globalAlpha = 0.12;
    pen.fillRect(x - 5, RULER, 11, height);
    pen.globalAlpha = 0.8;
    pen.fillRect(x, RULER, 1, height);
    pen.globalAlpha = 1;
    const spots = events.map((i) => this.spot(i));
    if (spots.length > 1) {
      pen.lineCap = 'round';
      for (const [width, color] of [[7, theme.paper], [3.5, theme.alarm]]) {
        pen.lineWidth = width;
        pen.strokeStyle = color;
        pen.beginPath();
        this.link(spots[0], spots[1]);
        pen.stroke();
      }
      pen.lineCap = 'butt';
    }
    spots.forEach(({ x: sx, y }) => {
      pen.fillStyle = theme.alarm;
      pen.globalAlpha = 0.16;
      pen.beginPath();
      pen.arc(sx, y, 13, 0, 7);
      pen.fill();
      pen.globalAlpha = 1;
      this.ring(sx, y, 7.5, theme.alarm, 3);
    });
    this.flag(x, id, theme.alarm, theme.alarmInk, true);
  }

  /// Straight from track to track; within a track in a bow above it.
  link(a, b) {
    const { pen } = this;
    pen.moveTo(a.x, a.y);
    if (Math.abs(a.y - b.y) > 8) pen.lineTo(b.x, b.y);
    else pen.quadraticCurveTo((a.x + b.x) / 2, a.y - Math.min(12 + Math.abs(a.x - b.x) / 4, 46), b.x, b.y);
  }

  /// A label at the ruler.
  flag(x, text, color, ink, bold = false) {
    const { pen, chart: { theme, measure, gutter, width } } = this;
    this.chart.measure.font(pen, theme.font(11, bold ? 700 : 500));
    pen.textBaseline = 'middle';
    const w = measure.width(pen, text) + 12;
    const left = Math.min(Math.max(x - w / 2, gutter), width - w);
    if (x < gutter - 1 || x > width + 1) return;
    pen.fillStyle = color;
    pen.beginPath();
    pen.roundRect(left, 4, w, 18, 4);
    pen.fill();
    pen.fillStyle = ink;
    pen.fillText(text, left + 6, 13.5);
  }

  /// Where the violation is, if it is out of sight.
  drawPointer({ at, id }) {
    const { pen, chart: { scale, theme, gutter, width } } = this;
    const x = scale.x(at);
    if (x >= gutter && x <= width) return;
    const right = x > width;
    const text = right ? `${id} \u25b8` : `\u25c2 ${id}`;
    this.chart.measure.font(pen, theme.font(11, 700));
    pen.textBaseline = 'middle';
    const w = this.chart.measure.width(pen, text) + 14;
    const left = right ? width - w - 4 : gutter + 4;
    pen.fillStyle = theme.alarm;
    pen.beginPath();
    pen.roundRect(left, 4, w, 18, 4);
    pen.fill();
    pen.fillStyle = theme.alarmInk;
    pen.fillText(text, left + 7, 13.5);
  }

  drawHover() {
    const { pen, hover, chart: { scale, theme, height, gutter } } = this;
    if (hover.x < gutter) return;
    pen.fillStyle = theme.soft;
    pen.globalAlpha = 0.35;
    pen.fillRect(Math.round(hover.x), RULER, 1, height);
    pen.globalAlpha = 1;
    this.flag(hover.x, `${seconds(Math.max(scale.moment(hover.x), 0))} s`, theme.rise, theme.ink);
  }

  /// The stretch that is being chosen with Shift and the pointer.
  drawBrush() {
    const { pen, brush: [a, b], chart: { theme, height, scale } } = this;
    const [left, right] = [Math.min(a, b), Math.max(a, b)];
    pen.fillStyle = theme.accent;
    pen.globalAlpha = 0.14;
    pen.fillRect(left, RULER, right - left, height);
    pen.globalAlpha = 1;
    pen.fillRect(left, RULER, 1, height);
    pen.fillRect(right, RULER, 1, height);
    this.flag((left + right) / 2, span((right - left) * scale.perPixel), theme.accent, theme.paper, true);
  }
}

/// The whole run in a strip: who led when, how much happened, what is seen below.
class Overview {
  constructor(chart, canvas) {
    Object.assign(this, { chart, canvas });
    this.pen = canvas.getContext('2d');
    this.ground = null;
  }

  layout(width, height) {
    Object.assign(this, { width, height, ground: null });
  }

  x(moment) {
    return this.chart.gutter + (Math.max(moment, 0) / this.chart.model.ended) * (this.width - this.chart.gutter - 8);
  }

  moment(x) {
    return ((x - this.chart.gutter) / (this.width - this.chart.gutter - 8)) * this.chart.model.ended;
  }

  /// What does not change while one looks around.
  drawGround(ratio) {
    const { chart: { model, theme, gutter, show }, width, height } = this;
    const canvas = new OffscreenCanvas(Math.max(width * ratio, 1), height * ratio);
    const pen = canvas.getContext('2d');
    pen.scale(ratio, ratio);
    const columns = Math.max(Math.floor(width - gutter - 8), 1);
    const counts = new Uint32Array(columns + 1);
    const { at, n } = model.events;
    for (let i = 0; i < n; i++) {
      if (show.cats[model.cat[i]]) counts[Math.floor((at[i] / model.ended) * columns)]++;
    }
    const most = counts.reduce((a, b) => Math.max(a, b), 1);
    const servers = model.tracks.map((track, k) => [track, k]).filter(([track]) => track.type === 'server');
    const foot = height - 5;
    const row = Math.min(5, (foot - 20) / Math.max(servers.length, 1));
    const rows = foot - row * servers.length;
    pen.fillStyle = theme.lineStrong;
    counts.forEach((many, k) => {
      const h = Math.round((Math.log2(1 + many) / Math.log2(1 + most)) * (rows - 8));
      pen.fillRect(gutter + k, rows - 2 - h, 1, h);
    });
    servers.forEach(([, k], place) => {
      for (const role of model.roles[k]) {
        if (role.shape === 'down') continue;
        const x = this.x(role.from);
        pen.fillStyle = theme.roles[role.shape].fill;
        pen.globalAlpha = role.ready ? 1 : 0.45;
        pen.fillRect(x, rows + place * row, Math.max(this.x(role.to) - x, 0.7), Math.max(row - 1, 1));
      }
    });
    pen.globalAlpha = 1;
    pen.fillStyle = theme.kinds[FAULT];
    for (const fault of model.meta.faults) {
      const x = this.x(fault.from);
      pen.fillRect(x, 3, Math.max(this.x(fault.to) - x, 1.5), 2);
    }
    return canvas;
  }

  render(violation, matches, ratio) {
    const { pen, width, height, chart: { theme, scale, gutter, model } } = this;
    this.ground ??= this.drawGround(ratio);
    pen.clearRect(0, 0, width, height);
    pen.drawImage(this.ground, 0, 0, width, height);
    if (matches?.length > 0) {
      pen.fillStyle = theme.accent;
      const step = Math.max(1, Math.ceil(matches.length / 2000));
      for (let k = 0; k < matches.length; k += step) pen.fillRect(this.x(model.events.at[matches[k]]), height - 4, 1.5, 4);
    }
    model.meta.violations.forEach((one) => {
      pen.fillStyle = theme.alarm;
      pen.globalAlpha = one === violation ? 1 : 0.5;
      pen.fillRect(Math.round(this.x(one.at)) - 1, 0, 2, height);
      pen.globalAlpha = 1;
    });
    const left = this.x(scale.from);
    const right = Math.max(this.x(Math.min(scale.to, model.ended)), left + 2);
    pen.fillStyle = theme.sheet;
    pen.globalAlpha = 0.5;
    pen.fillRect(gutter, 0, left - gutter, height);
    pen.fillRect(right, 0, width - right, height);
    pen.globalAlpha = 1;
    pen.strokeStyle = theme.accent;
    pen.lineWidth = 1.5;
    pen.strokeRect(left, 0.75, right - left, height - 1.5);
    this.chart.measure.font(pen, theme.font(11));
    pen.textBaseline = 'middle';
    pen.fillStyle = theme.soft;
    pen.fillText('whole run', 12, 15);
    pen.fillStyle = theme.faint;
    pen.fillText(span(model.ended), 12, 31);
  }
}
