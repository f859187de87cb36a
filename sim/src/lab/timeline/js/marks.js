// Messages and marks: one by one where there is room, as density where there is none.

/// So many arrows and marks are drawn one by one in a frame; beyond it a kind becomes density.
const ARROWS_MAX = 700;
const MARKS_MAX = 1500;
const LABELS_MAX = 900;
/// A frame that is under way for so many pixels is drawn even where its kind is dense.
const LONG = 30;

/// What is worth most is drawn one by one first.
const BY_WORTH = [LIFE, ELECTION, EPOCH, COMMIT, LOG, ACK, CLIENT, BEAT];

function drawEvents(chart) {
  const { model, scale, show } = chart;
  const { from, to } = scale;
  const dense = { marks: [], frames: [], lost: false };
  let room = MARKS_MAX;
  const marks = [];
  for (const cat of BY_WORTH) {
    if (!show.cats[cat]) continue;
    const list = model.marks[cat];
    const [first, last] = [before(model.events, list, from), before(model.events, list, to)];
    if (last - first > room) dense.marks.push([cat, first, last]);
    else {
      room -= last - first;
      marks.push([cat, first, last]);
    }
  }
  let arrows = show.messages ? ARROWS_MAX : 0;
  const frames = [];
  for (const cat of show.messages && !show.lostOnly ? BY_WORTH : []) {
    if (!show.cats[cat]) continue;
    const many = model.frames[cat].count(from, to);
    if (many > arrows) dense.frames.push(cat);
    else {
      arrows -= many;
      frames.push(cat);
    }
  }
  chart.density.draw(chart, dense);
  for (const cat of frames) drawArrows(chart, cat);
  for (const cat of dense.frames) {
    const least = LONG * scale.perPixel;
    if (model.frames[cat].count(from, to, least) <= ARROWS_MAX / 2) drawArrows(chart, cat, least);
  }
  if (show.messages) drawLost(chart);
  const labels = new Labels(chart, dense.marks.length + dense.frames.length > 0);
  for (const [cat, first, last] of marks) drawMarks(chart, labels, cat, first, last);
  drawHeavy(chart, labels);
  drawLogs(chart, labels);
  labels.draw();
  if (frames.length > 0) drawFrameNames(chart, frames);
}

/// Counts events by lane and pixel, and draws them as a strip in each lane.
class Density {
  constructor(lanes) {
    this.lanes = lanes;
    this.width = 0;
  }

  draw(chart, dense) {
    if (dense.marks.length + dense.frames.length === 0) return;
    const { model, scale: { from, to } } = chart;
    const slices = dense.marks.map(([cat, first, last]) => [cat, model.marks[cat], first, last]);
    for (const cat of dense.frames) slices.push(...model.frames[cat].slices(from, to).map((slice) => [cat, ...slice]));
    const cats = [...new Set(slices.map(([cat]) => cat))];
    this.reset(Math.ceil(chart.width - chart.gutter), cats.length);
    for (const [cat, list, first, last] of slices) this.add(chart, cats.indexOf(cat), list, first, last);
    this.paint(chart, cats);
  }

  reset(width, cats) {
    const size = this.lanes * width * cats;
    if (!(this.counts?.length >= size)) this.counts = new Uint16Array(size);
    else this.counts.fill(0);
    if (width === this.width) return;
    this.width = width;
    this.canvas = new OffscreenCanvas(width, this.lanes);
    this.pen = this.canvas.getContext('2d');
    this.image = this.pen.createImageData(width, this.lanes);
  }

  /// Counts a slice of a list; each kind has a plane of its own.
  add(chart, plane, list, first, last) {
    const { counts, width } = this;
    const { at, by } = chart.model.events;
    const { from, pixels } = chart.scale;
    const base = plane * this.lanes * width;
    for (let k = first; k < last; k++) {
      const i = list[k];
      const pixel = Math.floor((at[i] - from) * pixels);
      if (pixel >= 0 && pixel < width) counts[base + by[i] * width + pixel]++;
    }
  }

  paint(chart, cats) {
    const { counts, width, lanes, image: { data } } = this;
    const size = lanes * width;
    let peak = 1;
    for (let place = 0; place < size; place++) {
      let most = 0;
      let total = 0;
      let best = 0;
      for (let plane = 0; plane < cats.length; plane++) {
        const n = counts[plane * size + place];
        total += n;
        if (n > most) {
          most = n;
          best = plane;
        }
      }
      if (total > peak) peak = total;
      // Total and kind for now; colours once the peak is known.
      data[place * 4] = best;
      counts[place] = total;
    }
    const scale = 190 / Math.log2(1 + peak);
    const colors = cats.map((cat) => chart.theme.kindBytes[cat]);
    for (let place = 0; place < size; place++) {
      const [r, g, b] = colors[data[place * 4]];
      const total = counts[place];
      data[place * 4] = r;
      data[place * 4 + 1] = g;
      data[place * 4 + 2] = b;
      data[place * 4 + 3] = total === 0 ? 0 : 45 + scale * Math.log2(1 + total);
    }
    this.pen.putImageData(this.image, 0, 0);
    const { pen } = chart;
    pen.imageSmoothingEnabled = false;
    chart.model.lanes.forEach((lane, n) => {
      if (lane.type !== 'server' || !chart.visible(lane)) return;
      pen.drawImage(this.canvas, 0, n, width, 1, chart.gutter, lane.marks - 5, width, 10);
    });
    pen.imageSmoothingEnabled = true;
  }
}

/// The ends of a frame's line: from the edge of one band to the edge of the other.
function frameLine(chart, i) {
  const { events, lanes } = chart.model;
  const [from, to] = [lanes[events.by[i]], lanes[events.to[i]]];
  const down = to.top > from.top;
  const y1 = from.band[down ? 1 : 0];
  const y2 = to.band[down ? 0 : 1];
  const x1 = chart.scale.x(events.at[i]);
  if (events.end[i] >= 0) return [x1, y1, chart.scale.x(events.end[i]), y2];
  // A lost one ends on its way.
  return [x1, y1, x1 + 16, y1 + Math.sign(y2 - y1) * Math.min(Math.abs(y2 - y1) * 0.5, 26)];
}

function drawArrows(chart, cat, least = 0) {
  const { pen, theme, model, hits } = chart;
  const heads = new Path2D();
  const many = model.frames[cat].count(chart.scale.from, chart.scale.to, least);
  const single = least === 0 && many < 500;
  pen.beginPath();
  model.frames[cat].visit(chart.scale.from, chart.scale.to, (i) => {
    const [x1, y1, x2, y2] = frameLine(chart, i);
    if (x2 < chart.gutter || x1 > chart.width) return;
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
    hits.lines.push([x1, y1, x2, y2, i]);
    if (single) addHead(heads, x1, y1, x2, y2, 5.5);
  }, least);
  pen.strokeStyle = pen.fillStyle = theme.kinds[cat];
  // Many that run side by side stay a texture.
  pen.globalAlpha = least > 0 ? Math.min(Math.max(24 / many, 0.12), 0.6) : cat === BEAT ? 0.5 : 0.72;
  pen.lineWidth = 1;
  pen.stroke();
  pen.fill(heads);
  pen.globalAlpha = 1;
}

function addHead(path, x1, y1, x2, y2, size) {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
  path.moveTo(x2, y2);
  path.lineTo(x2 - ux * size - uy * size * 0.4, y2 - uy * size + ux * size * 0.4);
  path.lineTo(x2 - ux * size + uy * size * 0.4, y2 - uy * size - ux * size * 0.4);
  path.closePath();
}

/// Frames that never arrive: a dashed beginning and a cross.
function drawLost(chart) {
  const { pen, theme, model, scale, hits } = chart;
  const { lost, events, cat } = model;
  const [first, last] = [before(events, lost, scale.from - 16 * scale.perPixel), before(events, lost, scale.to)];
  // Of too many, every so many-eth: a cross is no smaller than its size.
  const step = Math.max(1, Math.ceil((last - first) / 700));
  const crosses = new Path2D();
  pen.beginPath();
  for (let k = first; k < last; k += step) {
    const i = lost[k];
    if (!chart.show.cats[cat[i]]) continue;
    const [x1, y1, x2, y2] = frameLine(chart, i);
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
    crosses.moveTo(x2 - 3, y2 - 3);
    crosses.lineTo(x2 + 3, y2 + 3);
    crosses.moveTo(x2 - 3, y2 + 3);
    crosses.lineTo(x2 + 3, y2 - 3);
    hits.lines.push([x1, y1, x2, y2, i]);
  }
  pen.strokeStyle = theme.kinds[FAULT];
  pen.lineWidth = 1;
  pen.setLineDash([3, 2.5]);
  pen.stroke();
  pen.setLineDash([]);
  pen.lineWidth = 1.5;
  pen.stroke(crosses);
}

/// One figure for each kind of mark, so that colour is not all that tells them apart.
const FIGURES = {
  [ELECTION](path, x, y) {
    path.moveTo(x, y - 4.5);
    path.lineTo(x + 4.5, y);
    path.lineTo(x, y + 4.5);
    path.lineTo(x - 4.5, y);
    path.closePath();
  },
  [EPOCH]: (path, x, y) => path.rect(x - 3.5, y - 3.5, 7, 7),
  [LOG](path, x, y) {
    path.moveTo(x, y - 4);
    path.lineTo(x + 4.2, y + 3.5);
    path.lineTo(x - 4.2, y + 3.5);
    path.closePath();
  },
  [ACK](path, x, y) {
    path.moveTo(x, y + 4);
    path.lineTo(x + 4.2, y - 3.5);
    path.lineTo(x - 4.2, y - 3.5);
    path.closePath();
  },
  [COMMIT]: (path, x, y) => disc(path, x, y, 3.8),
  [LIFE]: (path, x, y) => path.rect(x - 1.5, y - 5, 3, 10),
  [CLIENT]: (path, x, y) => disc(path, x, y, 3),
  [BEAT]: (path, x, y) => disc(path, x, y, 2),
};

function disc(path, x, y, radius) {
  path.moveTo(x + radius, y);
  path.arc(x, y, radius, 0, 7);
}

function drawMarks(chart, labels, cat, first, last) {
  const { pen, theme, model, scale, hits } = chart;
  const { at, by } = model.events;
  const list = model.marks[cat];
  pen.beginPath();
  for (let k = first; k < last; k++) {
    const i = list[k];
    const lane = model.lanes[by[i]];
    if (!chart.visible(lane) || lane.type !== 'server') continue;
    const x = scale.x(at[i]);
    FIGURES[cat](pen, x, lane.marks);
    hits.points.push([x, lane.marks, i]);
    labels.add(by[i], x, i);
  }
  pen.fillStyle = theme.kinds[cat];
  pen.fill();
}

/// What is always drawn on its own: births and deaths on the band, elections and the like below.
function drawHeavy(chart, labels) {
  const { pen, theme, model, scale, hits, show } = chart;
  const { at, by, kind, text } = model.events;
  const list = model.heavy;
  const [first, last] = [before(model.events, list, scale.from), before(model.events, list, scale.to)];
  for (let k = first; k < last; k++) {
    const i = list[k];
    const cat = model.cat[i];
    const lane = model.lanes[by[i]];
    if (!show.cats[cat] || lane.type !== 'server' || !chart.visible(lane)) continue;
    const x = scale.x(at[i]);
    if (kind[i] === KIND.life) {
      drawLife(chart, lane, x, model.texts[text[i]]);
      hits.points.push([x, (lane.band[0] + lane.band[1]) / 2, i]);
      continue;
    }
    pen.beginPath();
    FIGURES[cat](pen, x, lane.marks);
    pen.fillStyle = theme.kinds[cat];
    pen.fill();
    pen.fillRect(x - 0.5, lane.band[1], 1, lane.marks - lane.band[1]);
    hits.points.push([x, lane.marks, i]);
    labels.add(by[i], x, i);
  }
}

function drawLife(chart, lane, x, word) {
  const { pen, theme } = chart;
  const [y, bottom] = lane.band;
  const middle = (y + bottom) / 2;
  pen.strokeStyle = pen.fillStyle = theme.ink;
  pen.lineWidth = 2;
  pen.beginPath();
  if (word === 'died' || word === 'wiped') {
    pen.moveTo(x - 4, middle - 4);
    pen.lineTo(x + 4, middle + 4);
    pen.moveTo(x - 4, middle + 4);
    pen.lineTo(x + 4, middle - 4);
    pen.stroke();
    if (word === 'wiped') pen.strokeRect(x - 6, middle - 6, 12, 12);
  } else {
    pen.moveTo(x, y - 1);
    pen.lineTo(x, bottom + 1);
    pen.stroke();
  }
}

/// Words beside marks, where nothing is in their way. Important ones choose first.
class Labels {
  constructor(chart, dense) {
    this.chart = chart;
    this.wanted = [];
    // Cells of four pixels, two rows a lane: beside the marks, and below.
    this.cells = Math.ceil((chart.width - chart.gutter) / 4) + 1;
    this.taken = new Uint8Array(this.cells * chart.model.lanes.length * 2);
    // Nothing is written over a strip of density.
    this.rows = dense ? 1 : 0;
  }

  cell(x) {
    return Math.floor((x - this.chart.gutter) / 4);
  }

  /// A mark stands here and would like its label.
  add(lane, x, i) {
    const from = Math.max(this.cell(x - 4), 0);
    const to = Math.min(this.cell(x + 4), this.cells - 1);
    this.taken.fill(1, lane * 2 * this.cells + from, lane * 2 * this.cells + to + 1);
    if (this.wanted.length < LABELS_MAX || this.chart.model.weight[i] >= 3) this.wanted.push([lane, x, i]);
  }

  /// How many pixels are free to the right of x.
  free(lane, row, x, wanted) {
    const base = (lane * 2 + row) * this.cells;
    const first = this.cell(x);
    if (first < 0) return 0;
    let cell = first;
    const last = Math.min(this.cell(x + wanted) + 1, this.cells);
    while (cell < last && this.taken[base + cell] === 0) cell++;
    return (cell - first) * 4;
  }

  take(lane, row, x, width) {
    const base = (lane * 2 + row) * this.cells;
    const [from, to] = [Math.max(this.cell(x - 3), 0), Math.min(this.cell(x + width + 6), this.cells - 1)];
    if (to >= from) this.taken.fill(1, base + from, base + to + 1);
  }

  draw() {
    const { chart } = this;
    const { pen, theme, model } = chart;
    chart.measure.font(pen, theme.font(11));
    pen.textBaseline = 'middle';
    const order = this.wanted.sort((a, b) => model.weight[b[2]] - model.weight[a[2]] || a[1] - b[1]);
    for (const [n, x, i] of order) {
      const lane = model.lanes[n];
      const heavy = model.weight[i] >= 3;
      const off = model.bad.has(i) ? 14 : 9;
      const beside = this.rows === 0 && this.free(n, 0, x + off, 40) >= 36;
      if (!beside && !(heavy && lane.text)) continue;
      const text = model.label(i);
      const width = this.chart.measure.width(pen, text);
      pen.fillStyle = heavy ? theme.ink : theme.soft;
      if (beside && this.free(n, 0, x + off, width) >= width) {
        pen.fillText(text, x + off, lane.marks + 0.5);
        this.take(n, 0, x + off, width);
      } else if (heavy && lane.text && this.free(n, 1, x - 2, width) >= width) {
        pen.fillText(text, x - 2, lane.text);
        pen.globalAlpha = 0.4;
        pen.fillRect(x - 0.5, lane.marks + 5, 1, lane.text - lane.marks - 11);
        pen.globalAlpha = 1;
        this.take(n, 1, x - 2, width);
      }
    }
  }
}

/// Where a log's end changes: the new zxid, if there is room for it.
function drawLogs(chart, labels) {
  const { pen, theme, model, scale } = chart;
  chart.measure.font(pen, theme.font(10, 400, theme.mono));
  pen.textBaseline = 'middle';
  model.lanes.forEach((lane, n) => {
    if (lane.type !== 'server' || !lane.text || !chart.visible(lane)) return;
    const logs = model.logs[n];
    let free = -Infinity;
    let k = Math.max(0, firstAfter(logs, scale.from) - 1);
    for (; k < logs.length && logs[k].at <= scale.to; k++) {
      const x = Math.max(scale.x(logs[k].at), chart.gutter + 2);
      const next = k + 1 < logs.length ? scale.x(logs[k + 1].at) : Infinity;
      if (x < free) {
        // Skips what could not be written anyway.
        k = Math.max(k, firstAfter(logs, scale.moment(free)) - 2);
        continue;
      }
      // Dense changes are passed over before anything is measured.
      if (next - x < 24) continue;
      const text = model.zxids[logs[k].zxid];
      const width = chart.measure.width(pen, text);
      if (next - x < width + 4 || labels.free(n, 1, x, width) < width) continue;
      pen.fillStyle = theme.faint;
      pen.fillText(text, x + 3, lane.text);
      pen.fillRect(x, lane.text - 4, 1, 8);
      labels.take(n, 1, x, width + 4);
      free = x + width + 10;
    }
  });
}

function firstAfter(changes, moment) {
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (changes[middle].at <= moment) low = middle + 1;
    else high = middle;
  }
  return low;
}

/// Names of frames on their lines, as long as there are few and they cross nobody else's.
function drawFrameNames(chart, cats) {
  const { pen, theme, model, scale } = chart;
  let many = 0;
  for (const cat of cats) many += model.frames[cat].count(scale.from, scale.to);
  if (many > 260) return;
  const taken = new Set();
  chart.measure.font(pen, theme.font(10));
  pen.textBaseline = 'middle';
  for (const cat of cats) {
    model.frames[cat].visit(scale.from, scale.to, (i) => {
      const [x1, y1, x2, y2] = frameLine(chart, i);
      if (Math.abs(y2 - y1) < 8 || x2 - x1 < 14 || x2 < chart.gutter || x1 > chart.width) return;
      const text = model.frameName(i);
      const width = chart.measure.width(pen, text);
      for (const share of [0.5, 0.36, 0.64]) {
        const [x, y] = [x1 + (x2 - x1) * share + 4, y1 + (y2 - y1) * share];
        if (onRow(chart, y) || !takeCells(taken, x, y, width)) continue;
        pen.globalAlpha = 0.86;
        pen.fillStyle = theme.paper;
        pen.fillRect(x - 2, y - 6, width + 4, 12);
        pen.globalAlpha = 1;
        pen.fillStyle = theme.kinds[cat];
        pen.fillText(text, x, y);
        return;
      }
    });
  }
}

/// Whether something else is written at this height.
function onRow(chart, y) {
  const near = (other, by) => Math.abs(other - y) < by;
  return chart.model.lanes.some((lane) => lane.type !== 'lab' && y > lane.top && y < lane.bottom
    && (near((lane.band[0] + lane.band[1]) / 2, 18) || near(lane.marks, 12) || (lane.sync && near(lane.sync[1], 9)) || (lane.text && near(lane.text, 10))));
}

/// Takes a place for a text in a grid, if all of it is free.
function takeCells(taken, x, y, width) {
  const cells = [];
  for (let cx = Math.floor((x - 4) / 16); cx <= Math.floor((x + width + 4) / 16); cx++) {
    for (const cy of [Math.floor((y - 6) / 12), Math.floor((y + 6) / 12)]) cells.push(cx * 4096 + cy);
  }
  if (cells.some((cell) => taken.has(cell))) return false;
  cells.forEach((cell) => taken.add(cell));
  return true;
}
