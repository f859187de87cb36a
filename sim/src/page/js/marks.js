// Messages and marks: one by one where there is room, as density where there is none.

/// So many arrows and marks are drawn one by one in a frame; beyond it a kind becomes density.
const ARROWS_MAX = 700;
const MARKS_MAX = 1500;
/// A frame that is under way for so many pixels is drawn even where its kind is dense.
const LONG = 30;

/// What is worth most is drawn one by one first.
const BY_WORTH = [LIFE, ELECTION, EPOCH, COMMIT, LOG, ACK, CLIENT, BEAT];

function drawEvents(chart) {
  const { model, scale, show } = chart;
  const { from, to } = scale;
  const dense = { marks: [], frames: [] };
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

/// The ends of a frame's line: from the edge of one band to the edge of the other.
function frameLine(chart, i) {
  const { events, tracks } = chart.model;
  const [from, to] = [tracks[events.by[i]], tracks[events.to[i]]];
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
    hits.lines.add(i, x1, y1, x2, y2);
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
  // Where there are many, a small cross at the sender's band is all; where there are too many, every
  // so many-eth stands for the rest.
  const many = last - first > 120;
  const step = Math.max(1, Math.ceil((last - first) / 700));
  const size = many ? 2 : 3;
  const crosses = new Path2D();
  pen.beginPath();
  for (let k = first; k < last; k += step) {
    const i = lost[k];
    if (!chart.show.cats[cat[i]]) continue;
    let [x1, y1, x2, y2] = frameLine(chart, i);
    if (many) [x2, y2] = [x1, y1 + Math.sign(y2 - y1) * 4];
    else {
      pen.moveTo(x1, y1);
      pen.lineTo(x2, y2);
    }
    crosses.moveTo(x2 - size, y2 - size);
    crosses.lineTo(x2 + size, y2 + size);
    crosses.moveTo(x2 - size, y2 + size);
    crosses.lineTo(x2 + size, y2 - size);
    hits.lines.add(i, x1, y1, x2, y2);
  }
  pen.strokeStyle = theme.kinds[FAULT];
  pen.lineWidth = 1;
  pen.setLineDash([3, 2.5]);
  pen.stroke();
  pen.setLineDash([]);
  pen.lineWidth = many ? 1 : 1.5;
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
    const track = model.tracks[by[i]];
    if (!chart.visible(track) || track.type !== 'server') continue;
    const x = scale.x(at[i]);
    FIGURES[cat](pen, x, track.marks);
    hits.points.add(i, x, track.marks);
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
    const track = model.tracks[by[i]];
    if (!show.cats[cat] || track.type !== 'server' || !chart.visible(track)) continue;
    const x = scale.x(at[i]);
    if (kind[i] === KIND.life) {
      drawLife(chart, track, x, model.texts[text[i]]);
      hits.points.add(i, x, (track.band[0] + track.band[1]) / 2);
      continue;
    }
    pen.beginPath();
    FIGURES[cat](pen, x, track.marks);
    pen.fillStyle = theme.kinds[cat];
    pen.fill();
    pen.fillRect(x - 0.5, track.band[1], 1, track.marks - track.band[1]);
    hits.points.add(i, x, track.marks);
    labels.add(by[i], x, i);
  }
}

function drawLife(chart, track, x, word) {
  const { pen, theme } = chart;
  const [y, bottom] = track.band;
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
