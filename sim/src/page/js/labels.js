// Words on the chart: beside marks, on arrows, where a log's end changes.

/// No more marks than this ask for a label; what is drawn always is not counted.
const LABELS_MAX = 900;

/// Words beside marks, where nothing is in their way. Important ones choose first.
class Labels {
  constructor(chart, dense) {
    this.chart = chart;
    this.wanted = [];
    // Cells of four pixels, two rows a track: beside the marks, and below.
    this.cells = Math.ceil((chart.width - chart.gutter) / 4) + 1;
    this.taken = new Uint8Array(this.cells * chart.model.tracks.length * 2);
    // Nothing is written over a strip of density.
    this.rows = dense ? 1 : 0;
  }

  cell(x) {
    return Math.floor((x - this.chart.gutter) / 4);
  }

  /// A mark stands here and would like its label.
  add(track, x, i) {
    const from = Math.max(this.cell(x - 4), 0);
    const to = Math.min(this.cell(x + 4), this.cells - 1);
    this.taken.fill(1, track * 2 * this.cells + from, track * 2 * this.cells + to + 1);
    if (this.wanted.length < LABELS_MAX || this.chart.model.weight[i] >= 3) this.wanted.push([track, x, i]);
  }

  /// How many pixels are free to the right of x.
  free(track, row, x, wanted) {
    const base = (track * 2 + row) * this.cells;
    const first = this.cell(x);
    if (first < 0) return 0;
    let cell = first;
    const last = Math.min(this.cell(x + wanted) + 1, this.cells);
    while (cell < last && this.taken[base + cell] === 0) cell++;
    return (cell - first) * 4;
  }

  take(track, row, x, width) {
    const base = (track * 2 + row) * this.cells;
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
      const track = model.tracks[n];
      const heavy = model.weight[i] >= 3;
      const off = model.bad.has(i) ? 14 : 9;
      const beside = this.rows === 0 && this.free(n, 0, x + off, 40) >= 36;
      if (!beside && !(heavy && track.text)) continue;
      const text = model.label(i);
      const width = this.chart.measure.width(pen, text);
      pen.fillStyle = heavy ? theme.ink : theme.soft;
      if (beside && this.free(n, 0, x + off, width) >= width) {
        pen.fillText(text, x + off, track.marks + 0.5);
        this.take(n, 0, x + off, width);
      } else if (heavy && track.text && this.free(n, 1, x - 2, width) >= width) {
        pen.fillText(text, x - 2, track.text);
        pen.globalAlpha = 0.4;
        pen.fillRect(x - 0.5, track.marks + 5, 1, track.text - track.marks - 11);
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
  model.tracks.forEach((track, n) => {
    if (track.type !== 'server' || !track.text || !chart.visible(track)) return;
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
      pen.fillText(text, x + 3, track.text);
      pen.fillRect(x, track.text - 4, 1, 8);
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
  return chart.model.tracks.some((track) => track.type !== 'lab' && y > track.top && y < track.bottom
    && (near((track.band[0] + track.band[1]) / 2, 18) || near(track.marks, 12) || (track.sync && near(track.sync[1], 9)) || (track.text && near(track.text, 10))));
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
