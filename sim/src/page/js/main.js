// Puts the page together: what is selected, what is drawn again, and when.

class App {
  constructor(model) {
    this.model = model;
    this.theme = new Theme();
    this.scale = new Scale(model.ended);
    this.chart = new Chart(model, this.scale, this.theme, $('chart'));
    this.cover = new Cover(this.chart, $('cover'));
    this.overview = new Overview(this.chart, $('overview'));
    this.selected = -1;
    this.violation = 0;
    this.matches = [];
    this.frames = [];
    this.panel = new Panel(this);
    makeLegend(this);
    this.input = new Input(this);
    showVerdict(model, 0);
    new ResizeObserver(() => this.resize()).observe($('field'));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.theme.read();
      this.changed();
    });
    this.resize();
    if (model.meta.violations.length > 0) this.showViolation(0, false);
    else this.panel.open('run');
    $('chart').focus({ preventScroll: true });
  }

  resize() {
    this.ratio = window.devicePixelRatio || 1;
    const size = (canvas, pen) => {
      const { width, height } = canvas.getBoundingClientRect();
      canvas.width = Math.round(width * this.ratio);
      canvas.height = Math.round(height * this.ratio);
      pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      return [width, height];
    };
    this.chart.layout(...size(this.chart.canvas, this.chart.pen));
    size(this.cover.canvas, this.cover.pen);
    this.overview.layout(...size(this.overview.canvas, this.overview.pen));
    this.redraw();
  }

  /// What is shown has changed.
  changed() {
    this.overview.ground = null;
    this.input.search.begin();
    this.redraw();
  }

  redraw() {
    this.stale = true;
    this.redrawCover();
  }

  redrawCover() {
    this.asked ??= requestAnimationFrame((now) => this.frame(now));
  }

  frame(now) {
    this.asked = null;
    const began = performance.now();
    const moving = this.scale.step(now);
    const violation = this.model.meta.violations[this.violation];
    if (this.stale || moving) {
      this.chart.track = this.track;
      this.chart.violation = this.violation;
      this.chart.render();
      this.overview.render(violation, this.matches, this.ratio);
      this.stale = false;
    }
    this.cover.render(this.selected, violation, this.matches);
    this.frames.push(performance.now() - began);
    if (this.frames.length > 5000) this.frames.splice(0, 2500);
    if (moving) this.redraw();
  }

  glideTo(from, to) {
    this.scale.glide(from, to, performance.now());
    this.redraw();
  }

  showAll() {
    this.glideTo(...this.scale.whole());
  }

  zoom(factor, x = (this.chart.gutter + this.chart.width) / 2, smoothly = true) {
    this.scale.zoom(factor, x, smoothly ? performance.now() : undefined);
    this.redraw();
  }

  pan(share) {
    const [from, to] = this.scale.goal();
    const by = (to - from) * share;
    this.glideTo(from + by, to + by);
  }

  centre(moment) {
    const half = (this.scale.to - this.scale.from) / 2;
    this.scale.motion = null;
    this.scale.set(moment - half, moment + half);
    this.redraw();
  }

  /// Shows an event, and moves the window if it is out of sight.
  select(i) {
    this.selected = i;
    if (i >= 0) {
      const { at, by } = this.model.events;
      if (this.model.tracks[by[i]].type !== 'lab') this.track = by[i];
      const [from, to] = this.scale.goal();
      const share = (at[i] - from) / (to - from);
      if (share < 0.06 || share > 0.94) {
        const half = (to - from) / 2;
        this.glideTo(at[i] - half, at[i] + half);
      }
      this.showTrack(by[i]);
      this.panel.open('event');
    }
    this.panel.showEvent(i);
    this.input.search.tell();
    this.redraw();
  }

  selectTrack(n) {
    if (n < 1) return;
    this.track = n;
    this.redraw();
  }

  moveTrack(by) {
    const next = (this.track ?? (by > 0 ? 0 : this.model.tracks.length)) + by;
    if (next < 1 || next >= this.model.tracks.length) return;
    this.selectTrack(next);
    this.showTrack(next);
  }

  /// Scrolls until a track is in sight.
  showTrack(n) {
    const track = this.model.tracks[n];
    const room = this.chart.height - RULER;
    if (track.y < this.chart.scroll) this.chart.scrollTo(track.y);
    else if (track.y + track.h > this.chart.scroll + room) this.chart.scrollTo(track.y + track.h - room);
  }

  /// The shown events before or after one, as many as wanted.
  around(i, direction, wanted) {
    const found = [];
    for (let k = i + direction; k >= 0 && k < this.model.events.n && found.length < wanted; k += direction) {
      if (this.chart.shows(k)) found.push(k);
    }
    return found;
  }

  step(direction, withinTrack = false) {
    const { model, chart } = this;
    if (withinTrack && this.track === undefined) this.track = 1;
    const list = withinTrack ? model.byTrack[this.track] : null;
    const from = this.selected >= 0 ? this.selected : this.firstInSight(direction);
    if (!list) {
      const next = this.around(from, direction, 1)[0];
      if (next !== undefined) this.select(next);
      return;
    }
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle] < from + (direction > 0 ? 1 : 0)) low = middle + 1;
      else high = middle;
    }
    for (let k = direction > 0 ? low : low - 1; k >= 0 && k < list.length; k += direction) {
      if (chart.shows(list[k])) {
        this.select(list[k]);
        return;
      }
    }
  }

  /// Where stepping begins if nothing is selected: just outside of the window.
  firstInSight(direction) {
    const { events } = this.model;
    return direction > 0 ? lastUpTo(events, this.scale.from) : lastUpTo(events, this.scale.to) + 1;
  }

  nextViolation(by) {
    const shown = this.model.meta.violations[this.violation];
    const there = shown && shown.events.includes(this.selected) && this.inSight(shown.at);
    this.showViolation(this.violation + (there ? by : 0));
  }

  inSight(moment) {
    return moment >= this.scale.from && moment <= this.scale.to;
  }

  /// Zooms around a violation, wide enough for both of its events.
  showViolation(n, smoothly = true) {
    const { violations } = this.model.meta;
    if (violations.length === 0) return;
    this.violation = (n + violations.length) % violations.length;
    const violation = violations[this.violation];
    showVerdict(this.model, this.violation);
    const moments = [violation.at, ...violation.events.map((i) => this.model.events.at[i])];
    const [first, last] = [Math.min(...moments), Math.max(...moments)];
    const margin = Math.max((last - first) * 0.45, 12e6);
    if (smoothly) this.glideTo(first - margin * 1.4, last + margin);
    else this.scale.set(first - margin * 1.4, last + margin);
    this.select(violation.events[0] ?? -1);
  }

  showSelected() {
    if (this.selected < 0) return;
    const at = this.model.events.at[this.selected];
    this.glideTo(at - 6e6, at + 6e6);
  }
}

try {
  window.timeline = new App(new Model(await readRecording()));
} catch (error) {
  document.body.replaceChildren(element('p', { class: 'trouble' },
    typeof DecompressionStream === 'undefined' ? 'This browser is too old for this page: it cannot unpack the recording.' : `This page cannot be shown: ${error.message}`));
  throw error;
}
