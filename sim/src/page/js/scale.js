// Which part of the run is seen, and how wide.

/// No window is narrower, in nanoseconds.
const NARROWEST = 20_000;

class Scale {
  constructor(ended) {
    this.ended = ended;
    this.left = 0;
    this.width = 1;
    this.set(...this.whole());
    this.motion = null;
  }

  whole() {
    return [-this.ended * 0.01, this.ended * 1.01];
  }

  place(left, right) {
    this.left = left;
    this.width = Math.max(right - left, 1);
    this.pixels = 1 / this.perPixel;
  }

  get perPixel() {
    return (this.to - this.from) / this.width;
  }

  /// Asked some hundred thousand times a frame: `pixels` is kept for it.
  x(moment) {
    return this.left + (moment - this.from) * this.pixels;
  }

  moment(x) {
    return this.from + (x - this.left) * this.perPixel;
  }

  set(from, to) {
    const [first, last] = this.whole();
    const length = Math.min(Math.max(to - from, NARROWEST), last - first);
    const middle = (from + to) / 2;
    this.from = Math.min(Math.max(middle - length / 2, first), last - length);
    this.to = this.from + length;
    this.pixels = 1 / this.perPixel;
  }

  /// Glides there, if motion is welcome.
  glide(from, to, now) {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return this.set(from, to);
    const target = new Scale(this.ended);
    target.set(from, to);
    this.motion = { began: now, from: [this.from, this.to], to: [target.from, target.to] };
  }

  /// One step of a glide. True while there is more to come.
  step(now) {
    if (!this.motion) return false;
    const { began, from, to } = this.motion;
    const done = Math.min((now - began) / 160, 1);
    const eased = 1 - (1 - done) ** 3;
    // Lengths shrink and grow by factors: so zooming looks even at every depth.
    const length = (from[1] - from[0]) * ((to[1] - to[0]) / (from[1] - from[0])) ** eased;
    const [a, b] = [(from[0] + from[1]) / 2, (to[0] + to[1]) / 2];
    const shrink = (to[1] - to[0]) - (from[1] - from[0]);
    const share = Math.abs(shrink) < 1 ? eased : (length - (from[1] - from[0])) / shrink;
    const middle = a + (b - a) * share;
    this.set(middle - length / 2, middle + length / 2);
    if (done === 1) this.motion = null;
    return done < 1;
  }

  /// Where a glide will end, or where the window is.
  goal() {
    return this.motion ? this.motion.to : [this.from, this.to];
  }

  zoom(factor, x, now) {
    const [from, to] = this.goal();
    const share = (x - this.left) / this.width;
    const length = Math.max((to - from) * factor, NARROWEST);
    const fixed = from + (to - from) * share;
    const window = [fixed - length * share, fixed + length * (1 - share)];
    if (now === undefined) {
      this.motion = null;
      this.set(...window);
    } else this.glide(...window, now);
  }

  pan(pixels) {
    this.motion = null;
    const by = pixels * this.perPixel;
    this.set(this.from + by, this.to + by);
  }

  /// Moments for the ruler: every `step` nanoseconds, and how many digits they need.
  ticks() {
    const wanted = this.perPixel * 110;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= wanted) ?? power * 10;
    const digits = Math.max(0, Math.ceil(9 - Math.log10(step) - 1e-9));
    const ticks = [];
    for (let t = Math.max(0, Math.ceil(this.from / step)) * step; t <= Math.min(this.to, this.ended); t += step) ticks.push(t);
    return { ticks, step, digits };
  }
}
