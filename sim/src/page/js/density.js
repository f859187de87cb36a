// Where there is no room for each: how much happened, and mostly of which kind.

/// Counts events by track and pixel, and draws them as a strip in each track.
class Density {
  constructor(tracks) {
    this.tracks = tracks;
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
    const size = this.tracks * width * cats;
    if (!(this.counts?.length >= size)) this.counts = new Uint16Array(size);
    else this.counts.fill(0);
    if (width === this.width) return;
    this.width = width;
    this.canvas = new OffscreenCanvas(width, this.tracks);
    this.pen = this.canvas.getContext('2d');
    this.image = this.pen.createImageData(width, this.tracks);
  }

  /// Counts a slice of a list; each kind has a plane of its own.
  add(chart, plane, list, first, last) {
    const { counts, width } = this;
    const { at, by } = chart.model.events;
    const { from, pixels } = chart.scale;
    const base = plane * this.tracks * width;
    for (let k = first; k < last; k++) {
      const i = list[k];
      const pixel = Math.floor((at[i] - from) * pixels);
      if (pixel >= 0 && pixel < width) counts[base + by[i] * width + pixel]++;
    }
  }

  paint(chart, cats) {
    const { counts, width, tracks, image: { data } } = this;
    const size = tracks * width;
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
    chart.model.tracks.forEach((track, n) => {
      if (track.type !== 'server' || !chart.visible(track)) return;
      pen.drawImage(this.canvas, 0, n, width, 1, chart.gutter, track.marks - 5, width, 10);
    });
    pen.imageSmoothingEnabled = true;
  }
}

/// Bars that nobody could tell apart, as one row of pixels: the fuller the more of a pixel is covered.
class Strip {
  draw(chart, spans, y, bottom, [r, g, b]) {
    const width = Math.ceil(chart.width - chart.gutter);
    if (this.canvas?.width !== width) {
      this.canvas = new OffscreenCanvas(width, 1);
      this.pen = this.canvas.getContext('2d');
      this.image = this.pen.createImageData(width, 1);
      this.cover = new Float32Array(width + 1);
    }
    const { cover, image: { data } } = this;
    cover.fill(0);
    const { scale, model: { events: { at, end } } } = chart;
    const { from, to, pixels } = scale;
    for (const [list, first, last] of spans.slices(from, to)) {
      for (let k = first; k < last; k++) {
        const i = list[k];
        const left = Math.max((at[i] - from) * pixels, 0);
        const right = Math.min((end[i] - from) * pixels, width);
        for (let x = Math.floor(left); x < right; x++) cover[x] += Math.min(right, x + 1) - Math.max(left, x);
      }
    }
    for (let x = 0; x < width; x++) {
      const place = x * 4;
      data[place] = r;
      data[place + 1] = g;
      data[place + 2] = b;
      data[place + 3] = cover[x] === 0 ? 0 : Math.min(80 + 175 * cover[x], 255);
    }
    this.pen.putImageData(this.image, 0, 0);
    const { pen } = chart;
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.canvas, 0, 0, width, 1, chart.gutter, y, width, bottom - y);
    pen.imageSmoothingEnabled = true;
  }
}
