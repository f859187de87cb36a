// The last hour, as lines over one axis of time.

const HOUR = 3600e3;
/// A server that started a while ago has no hour to show yet.
const SPANS = [[300e3, "5 min ago"], [900e3, "15 min ago"], [HOUR, "1 h ago"]];
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 360;
const HEIGHT = 100;

/// Columns of the intervals that the server keeps, the oldest first.
const past = { at_ms: [], columns: {}, every_ms: 10e3, crosshair: null, span: HOUR };

function drawn(name, attributes, into) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  into?.append(made);
  return made;
}

const perSecond = (name) => (c, i) => (c.took_ms[i] ? (c[name][i] * 1000) / c.took_ms[i] : null);
const spread = (name, part, by = 1) => (c, i) => (c[name][part][i] === null ? null : c[name][part][i] / by);
const gauge = (name) => (c, i) => c[name][i];

/// `now` takes a number from a glance where that is fresher than the last interval.
const PLOTS = [
  { title: "Operations", unit: rate, lines: [
    { name: "reads", of: perSecond("reads"), now: (live) => live.reads },
    { name: "writes", of: perSecond("writes"), now: (live) => live.writes }] },
  { title: "Request latency", unit: coarse, lines: [
    { name: "p50", of: spread("latency_ms", "p50") }, { name: "p99", of: spread("latency_ms", "p99"), strong: 2 }] },
  { title: "Transactions applied", unit: rate, lines: [
    { name: "", of: perSecond("txns"), now: (live) => live.txns, strong: 1 }] },
  { title: "Commit latency, on a leader", unit: time, lines: [
    { name: "p50", of: spread("commit_us", "p50", 1e3) }, { name: "p99", of: spread("commit_us", "p99", 1e3), strong: 2 }] },
  { title: "Log fsync", unit: time, lines: [
    { name: "p50", of: spread("fsync_us", "p50", 1e3) }, { name: "p99", of: spread("fsync_us", "p99", 1e3), strong: 2 }] },
  { title: "Slowest follower, on a leader", unit: coarse, lines: [
    { name: "oldest missing ack", of: gauge("lag_ms"), strong: 3, now: (live) => live.lag_ms }] },
  { title: "Requests in process", unit: count, lines: [
    { name: "", of: gauge("outstanding"), strong: 3, now: (live) => live.outstanding }] },
  { title: "Clients", unit: count, lines: [
    { name: "sessions", of: gauge("sessions"), now: (live) => live.sessions },
    { name: "connections", of: gauge("connections"), strong: 2, now: (live) => live.connections }] },
];

const colour = (line, i) => `s${line.strong ?? i}`;

/// A round number with some room above the value: there its own label stands.
function niceTop(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15].map((n) => n * power).find((top) => top >= value * 1.18);
}

class Plot {
  constructor(spec, into) {
    this.spec = spec;
    this.when = make("span");
    this.values = make("div", { class: "values" });
    this.top = make("span", { class: "top" });
    this.svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    this.field = make("div", { class: "field", tabindex: "0", role: "img", "aria-label": spec.title,
      onpointermove: (event) => this.point(event), onpointerleave: () => look(null),
      onkeydown: (event) => this.key(event), onblur: () => look(null) }, this.svg, this.top);
    into.append(make("section", { class: "plot", "aria-label": spec.title }, make("h3", {}, make("span", {}, spec.title), this.when),
      this.values, this.field, make("div", { class: "ends" }, this.begin = make("span"), make("span", {}, "now"))));
  }

  point(event) {
    const box = this.field.getBoundingClientRect();
    const at = past.end - past.span * (1 - (event.clientX - box.left) / box.width);
    let nearest = null;
    past.at_ms.forEach((ms, i) => {
      if (nearest === null || Math.abs(ms - at) < Math.abs(past.at_ms[nearest] - at)) nearest = i;
    });
    look(nearest !== null && Math.abs(past.at_ms[nearest] - at) < 3 * past.every_ms ? nearest : null);
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }[event.key];
    if (!step || !past.at_ms.length) return;
    event.preventDefault();
    const last = past.at_ms.length - 1;
    look(Math.max(0, Math.min(last, (past.crosshair ?? last + (step < 0 ? 1 : 0)) + step)));
  }

  draw() {
    const { at_ms, columns } = past;
    const x = (ms) => WIDTH * (1 - (past.end - ms) / past.span);
    const rows = this.spec.lines.map((line) => at_ms.map((_, i) => line.of(columns, i)));
    this.rows = rows;
    // A line ends where it is now.
    const ends = this.spec.lines.map((line) => past.live && line.now?.(past.live));
    const isFresh = at_ms.length > 0 && past.end - at_ms[at_ms.length - 1] < 2.5 * past.every_ms;
    const top = niceTop(Math.max(0, ...rows.flat().filter((value) => value !== null), ...ends.filter((value) => value !== undefined)));
    const y = (value) => HEIGHT * (1 - value / top);
    this.svg.replaceChildren();
    const add = (name, attributes) => drawn(name, attributes, this.svg);
    at_ms.forEach((ms, i) => {
      if (!columns.serves[i] && x(ms) > 0) add("rect", { class: "down", x: Math.max(0, x(ms - past.every_ms)), width: (WIDTH * past.every_ms) / past.span + 0.3, y: 0, height: HEIGHT });
    });
    for (const at of [0, 0.5, 1]) add("line", { class: "grid", x1: 0, x2: WIDTH, y1: HEIGHT * at, y2: HEIGHT * at });
    rows.forEach((row, k) => {
      const name = colour(this.spec.lines[k], k);
      for (const run of runs(row)) {
        const points = run.map((i) => [x(at_ms[i]), y(row[i])]);
        if (isFresh && run[run.length - 1] === row.length - 1 && ends[k] !== undefined) points.push([WIDTH, y(ends[k])]);
        const line = `M${points.map(([px, py]) => `${px.toFixed(2)} ${py.toFixed(2)}`).join("L")}${points.length > 1 ? "" : "h1.2"}`;
        const [first, last] = [points[0][0], points[points.length - 1][0]];
        if (points.length > 1) add("path", { class: `area ${name}`, d: `${line}L${last.toFixed(2)} ${HEIGHT}L${first.toFixed(2)} ${HEIGHT}Z` });
        const path = add("path", { class: name, d: line });
        path.style.fill = "none";
      }
    });
    this.cross = add("line", { class: "cross", y1: 0, y2: HEIGHT });
    const some = rows.flat().some((value) => value !== null);
    this.top.textContent = some ? said(this.spec.unit(top)) : "nothing in this time";
    this.x = x;
    this.say();
  }

  /// The numbers at the crosshair, or now.
  say() {
    if (!this.rows) return;
    const { lines, unit } = this.spec;
    const i = past.crosshair ?? past.at_ms.length - 1;
    const value = (line, k) => {
      const fresh = past.crosshair === null && past.live ? line.now?.(past.live) : undefined;
      return fresh !== undefined ? fresh : this.rows[k][i] ?? null;
    };
    fill(this.values, ...lines.map((line, k) => {
      const [number, of] = unit(value(line, k));
      return make("span", { class: "value" }, make("i", { class: colour(line, k) }), make("b", {}, number), ` ${[of, line.name].filter(Boolean).join(" ")}`);
    }));
    this.when.textContent = past.crosshair === null ? "" : clock(past.at_ms[i]);
    this.cross.style.display = past.crosshair === null ? "none" : "";
    if (past.crosshair !== null) for (const end of ["x1", "x2"]) this.cross.setAttribute(end, this.x(past.at_ms[i]));
    this.field.setAttribute("aria-label", `${this.spec.title}: ${this.values.innerText}`);
  }
}

/// Places of values without a gap between them.
function runs(row) {
  const found = [];
  let run = [];
  row.forEach((value, i) => {
    const gap = i > 0 && past.at_ms[i] - past.at_ms[i - 1] > 2.5 * past.every_ms;
    if (gap || value === null) {
      if (run.length) found.push(run);
      run = [];
    }
    if (value !== null) run.push(i);
  });
  return run.length ? [...found, run] : found;
}

let plots = [];

/// All plots show the same moment.
function look(place) {
  past.crosshair = place;
  plots.forEach((plot) => plot.say());
}

function beginPlots() {
  plots = PLOTS.map((spec) => new Plot(spec, find("plots")));
}

/// What came since the last time, behind what is there.
function extend(into, more, drop) {
  for (const [name, value] of Object.entries(more)) {
    if (!Array.isArray(value)) extend((into[name] ??= {}), value, drop);
    else into[name] = [...(into[name] ?? []), ...value].slice(drop);
  }
}

async function refreshPast() {
  const newest = past.at_ms[past.at_ms.length - 1];
  const { every_ms, columns } = await ask("history", { behind: newest });
  const drop = Math.max(0, past.at_ms.length + columns.at_ms.length - HOUR / every_ms);
  extend(past.columns, columns, drop);
  [past.at_ms, past.every_ms] = [past.columns.at_ms, every_ms];
}

function drawPlots(at_ms) {
  past.end = at_ms;
  const age = at_ms - (past.at_ms[0] ?? at_ms);
  const [span, words] = SPANS.find(([span]) => age < span) ?? SPANS[SPANS.length - 1];
  past.span = span;
  for (const plot of plots) plot.begin.textContent = words;
  plots.forEach((plot) => plot.draw());
}
