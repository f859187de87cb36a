// Pointer, wheel, keys, search.

const KEYS = [
  ['n p', 'next, previous event'],
  ['j k', 'the same, of the selected track alone'],
  ['v', 'show the violation; again: the next one'],
  ['/', 'search; Enter and Shift+Enter go on'],
  ['wheel', 'zoom at the pointer'],
  ['+ \u2212', 'zoom'],
  ['drag', 'pan; so does the wheel with Shift'],
  ['\u2190 \u2192', 'pan; with Shift by a window'],
  ['Shift drag', 'zoom into a stretch; tells its length'],
  ['\u2191 \u2193', 'select a track'],
  ['1 \u2026 0', 'show or hide a kind'],
  ['f', 'the whole run'],
  ['m x', 'all messages, lost ones only'],
  ['s', 'zoom to the selected event'],
  ['wheel on names', 'scroll the tracks'],
  ['Esc', 'select nothing'],
  ['?', 'this list'],
];

const READING = 'A track is a server; its band is its role, pale until it is established or serves, a thin line while it is down, '
  + 'hatched while it is paused. Strips above bands have one colour for servers that reach each other. Arrows run from where a frame '
  + 'was sent to where it arrived; lost ones end in a cross. Marks below a band are what the server says of itself, bars are fsyncs. '
  + 'Where there is no room for all, a strip shows how much of what there is. Selecting an event that has a zxid marks all that happened to that transaction.';

class Input {
  constructor(app) {
    this.app = app;
    this.chart = app.chart;
    this.listen();
    this.fillHelp();
    this.search = new Search(app);
  }

  listen() {
    const { canvas } = this.chart;
    canvas.addEventListener('pointerdown', (event) => this.down(event));
    canvas.addEventListener('pointermove', (event) => this.move(event));
    canvas.addEventListener('pointerup', (event) => this.up(event));
    canvas.addEventListener('pointercancel', () => this.stop());
    canvas.addEventListener('pointerleave', () => this.leave());
    canvas.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    canvas.addEventListener('dblclick', (event) => this.app.zoom(1 / 4, event.offsetX));
    document.addEventListener('keydown', (event) => this.key(event));
    const click = (id, call) => $(id).addEventListener('click', call);
    click('zoom-in', () => this.app.zoom(1 / 2));
    click('zoom-out', () => this.app.zoom(2));
    click('zoom-all', () => this.app.showAll());
    click('violation', () => this.app.showViolation(this.app.violation));
    click('violation-prev', () => this.app.showViolation(this.app.violation - 1));
    click('violation-next', () => this.app.showViolation(this.app.violation + 1));
    click('step-prev', () => this.app.step(-1));
    click('step-next', () => this.app.step(1));
    click('help-open', () => $('help').showModal());
    const overview = $('overview');
    const jump = (event) => {
      if (event.buttons === 1) this.app.centre(this.app.overview.moment(event.offsetX));
    };
    overview.addEventListener('pointerdown', (event) => {
      overview.setPointerCapture(event.pointerId);
      jump(event);
    });
    overview.addEventListener('pointermove', jump);
    overview.addEventListener('wheel', (event) => {
      event.preventDefault();
      this.app.zoom(1.0018 ** event.deltaY, undefined, false);
    }, { passive: false });
  }

  down(event) {
    this.chart.canvas.focus({ preventScroll: true });
    if (event.button !== 0) return;
    if (event.offsetX < this.chart.gutter) {
      this.app.selectTrack(this.chart.trackAt(event.offsetY));
      return;
    }
    this.chart.canvas.setPointerCapture(event.pointerId);
    this.drag = { x: event.offsetX, y: event.offsetY, moved: false, brush: event.shiftKey };
  }

  move(event) {
    const { drag, app } = this;
    if (!drag) {
      this.point(event);
      return;
    }
    const [dx, dy] = [event.offsetX - drag.x, event.offsetY - drag.y];
    if (!drag.moved && Math.hypot(dx, dy) < 4) return;
    drag.moved = true;
    $('tip').hidden = true;
    if (drag.brush) {
      app.cover.brush = [drag.x, event.offsetX];
      app.redrawCover();
      return;
    }
    this.chart.canvas.classList.add('dragging');
    app.cover.hover = null;
    this.chart.scale.pan(-dx);
    this.chart.scrollTo(this.chart.scroll - dy);
    [drag.x, drag.y] = [event.offsetX, event.offsetY];
    app.redraw();
  }

  up(event) {
    const { drag, app } = this;
    this.stop();
    if (!drag) return;
    if (!drag.moved) {
      const found = this.under(event.offsetX, event.offsetY);
      if (found.length > 0) app.select(found[0]);
      else app.selectTrack(this.chart.trackAt(event.offsetY));
    } else if (drag.brush && Math.abs(event.offsetX - drag.x) > 3) {
      const [a, b] = [drag.x, event.offsetX].map((x) => this.chart.scale.moment(x));
      app.glideTo(Math.min(a, b), Math.max(a, b));
    }
  }

  stop() {
    this.drag = null;
    this.app.cover.brush = null;
    this.chart.canvas.classList.remove('dragging');
    this.app.redrawCover();
  }

  leave() {
    this.app.cover.hover = null;
    $('tip').hidden = true;
    this.app.redrawCover();
  }

  wheel(event) {
    event.preventDefault();
    const { chart, app } = this;
    const unit = event.deltaMode === 1 ? 18 : 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    if (event.offsetX < chart.gutter && chart.depth > chart.height - RULER) chart.scrollTo(chart.scroll + dy);
    else if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) chart.scale.pan(dx || dy);
    else chart.scale.zoom(1.0022 ** dy, Math.max(event.offsetX, chart.gutter));
    app.redraw();
  }

  /// The events under a point, the nearest first.
  under(x, y) {
    const { points, lines, boxes } = this.chart.hits;
    const near = [];
    points.find(near, 8, (at, k) => Math.hypot(at[k] - x, at[k + 1] - y));
    if (near.length === 0) lines.find(near, 5, (at, k) => distance(x, y, at[k], at[k + 1], at[k + 2], at[k + 3]));
    if (near.length === 0) {
      const inside = (at, k) => x >= at[k] - 2 && x <= at[k + 2] + 2 && y >= at[k + 1] && y <= at[k + 3];
      boxes.find(near, 1, (at, k) => (inside(at, k) ? 0 : 2));
    }
    return near.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, i]) => i);
  }

  point(event) {
    const { app, chart } = this;
    const [x, y] = [event.offsetX, event.offsetY];
    app.cover.hover = { x, y };
    app.redrawCover();
    const found = x < chart.gutter ? [] : this.under(x, y);
    chart.canvas.style.cursor = found.length > 0 ? 'pointer' : '';
    const tip = $('tip');
    tip.hidden = found.length === 0;
    if (found.length === 0) return;
    const { model } = app;
    const lines = found.slice(0, 7).map((i) => element('div', {},
      element('span', { class: 'when' }, `${seconds(model.events.at[i])} `), `${model.tracks[model.events.by[i]].name} ${model.label(i)}`));
    if (found.length > 7) lines.push(element('div', { class: 'when' }, `and ${found.length - 7} more`));
    tip.replaceChildren(...lines);
    const left = Math.min(x + 14, chart.width - tip.offsetWidth - 6);
    const top = y + 18 + tip.offsetHeight > chart.height ? y - tip.offsetHeight - 10 : y + 18;
    tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || $('help').open) return;
    if (event.target === $('search')) {
      this.search.key(event);
      return;
    }
    const call = this.command(event);
    if (!call) return;
    event.preventDefault();
    call();
  }

  command(event) {
    const { app, chart } = this;
    const { key, shiftKey } = event;
    const pan = (share) => () => app.pan(share * (shiftKey ? 5 : 1));
    // Buttons and boxes keep their own keys.
    if ((key === 'Enter' || key === ' ') && event.target !== chart.canvas) return null;
    switch (key) {
      case 'n': return () => app.step(1);
      case 'p': return () => app.step(-1);
      case 'j': return () => app.step(1, true);
      case 'k': return () => app.step(-1, true);
      case 'v': return () => app.nextViolation(1);
      case 'V': return () => app.nextViolation(-1);
      case '/': return () => $('search').focus();
      case '+': case '=': return () => app.zoom(1 / 2);
      case '-': case '_': return () => app.zoom(2);
      case 'f': return () => app.showAll();
      case 's': return () => app.showSelected();
      case 'ArrowLeft': return pan(-0.2);
      case 'ArrowRight': return pan(0.2);
      case 'ArrowUp': return () => app.moveTrack(-1);
      case 'ArrowDown': return () => app.moveTrack(1);
      case 'Escape': return () => app.select(-1);
      case '?': return () => $('help').showModal();
      default: return this.toggle(key);
    }
  }

  toggle(key) {
    const box = $('legend').querySelector(`label[data-key="${CSS.escape(key)}"] input`);
    return box && (() => box.click());
  }

  fillHelp() {
    for (const [keys, what] of KEYS) {
      const caps = (keys.startsWith('wheel') ? [keys] : keys.split(' ')).flatMap((cap) => [element('kbd', {}, cap), ' ']);
      $('keys').append(element('dt', {}, ...caps), element('dd', {}, what));
    }
    $('reading').textContent = READING;
  }
}

/// How far a point is from a stretch.
function distance(x, y, x1, y1, x2, y2) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const share = Math.min(Math.max(((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1), 0), 1);
  return Math.hypot(x - x1 - dx * share, y - y1 - dy * share);
}

/// Finds events by their text among those that are shown, a little at a time so that nothing waits.
class Search {
  constructor(app) {
    this.app = app;
    this.matches = [];
    this.words = '';
    this.place = 0;
    this.box = $('search');
    this.box.addEventListener('input', () => this.begin());
  }

  begin() {
    clearTimeout(this.timer);
    this.words = this.box.value.trim().toLowerCase();
    this.matches = [];
    this.place = 0;
    this.app.matches = this.matches;
    if (this.words === '') {
      $('found').textContent = '';
      this.app.redraw();
    } else this.timer = setTimeout(() => this.some(), 60);
  }

  some() {
    const { model } = this.app;
    const until = performance.now() + 8;
    while (this.place < model.events.n && performance.now() < until) {
      const end = Math.min(this.place + 50, model.events.n);
      for (; this.place < end; this.place++) {
        const shown = this.app.chart.shows(this.place);
        if (shown && model.searchable(this.place).includes(this.words)) this.matches.push(this.place);
      }
    }
    this.tell();
    if (this.place < model.events.n) this.timer = setTimeout(() => this.some(), 0);
    else this.app.redraw();
  }

  tell() {
    const done = this.place >= this.app.model.events.n;
    const here = this.matches.indexOf(this.app.selected);
    const many = `${count(this.matches.length)}${done ? '' : '\u2026'}`;
    $('found').textContent = this.words === '' ? '' : here >= 0 ? `${count(here + 1)} of ${many}` : `${many} found`;
  }

  key(event) {
    if (event.key === 'Escape') {
      this.box.value = '';
      this.begin();
      this.box.blur();
    } else if (event.key === 'Enter') {
      event.preventDefault();
      this.go(event.shiftKey ? -1 : 1);
    }
  }

  /// To the next match behind the selected event, or around the end.
  go(direction) {
    const { matches, app } = this;
    if (matches.length === 0) return;
    const after = matches.findIndex((i) => i > app.selected);
    const at = matches.indexOf(app.selected);
    const next = direction > 0 ? (after < 0 ? 0 : after)
      : at >= 0 ? at - 1 : (after < 0 ? matches.length : after) - 1;
    app.select(matches[(next + matches.length) % matches.length]);
    this.tell();
  }
}
