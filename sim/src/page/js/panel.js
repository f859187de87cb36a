// The verdict above, the panel beside, the legend below: all that is text.

/// An element with attributes and content; strings become text, never markup.
function element(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (name === 'style') made.style.cssText = value;
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...content);
  return made;
}

const $ = (id) => document.getElementById(id);

/// A button that puts a text into the clipboard.
function copyButton(text) {
  const button = element('button', { class: 'small', title: 'Copy the command' }, 'Copy');
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages from a disk may not have a clipboard: then it is at least selected.
      getSelection().selectAllChildren(button.previousElementSibling);
      return;
    }
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1200);
  });
  return button;
}

const outcome = (meta) => {
  if (meta.simulator) return ['simulator', `The simulator failed: ${meta.simulator}`];
  if (meta.wanted.length > 0) return ['missed', `Not caught: nothing violates ${meta.wanted.join(' or ')}`];
  return ['holds', 'Every property held.'];
};

/// The head: which property fails, in words, and how to see it again.
function showVerdict(model, n) {
  const { meta } = model;
  const violation = meta.violations[n];
  const [badge, words] = violation ? [violation.id, violation.words] : outcome(meta);
  $('badge').textContent = badge;
  $('badge').classList.toggle('broken', Boolean(violation) || badge !== 'holds');
  $('words').textContent = words.charAt(0).toUpperCase() + words.slice(1);
  const fact = (name, value) => element('span', {}, `${name} `, element('b', {}, value));
  const facts = [];
  if (violation) {
    facts.push(fact('at', `${seconds(violation.at)} s`));
    if (violation.servers.length > 0) facts.push(fact(violation.servers.length > 1 ? 'servers' : 'server', violation.servers.join(', ')));
    if (meta.violations.length > 1) facts.push(fact('violation', `${n + 1} of ${meta.violations.length}`));
    if (meta.wanted.includes(violation.id)) facts.push(element('span', {}, 'as the scenario wants it'));
  }
  facts.push(fact('seed', meta.seed));
  if (meta.case_name) facts.push(fact('case', meta.case_name));
  facts.push(element('span', { class: 'copy' }, element('code', {}, meta.command), copyButton(meta.command)));
  $('facts').replaceChildren(...facts);
  $('jump').hidden = !violation;
  $('violation-prev').hidden = $('violation-next').hidden = meta.violations.length < 2;
  $('jump').classList.toggle('single', meta.violations.length < 2);
}

class Panel {
  constructor(app) {
    this.app = app;
    this.model = app.model;
    for (const tab of ['event', 'run']) $(`tab-${tab}`).addEventListener('click', () => this.open(tab));
    this.showRun();
    this.showEvent(-1);
  }

  open(tab) {
    for (const other of ['event', 'run']) {
      $(other).hidden = other !== tab;
      $(`tab-${other}`).setAttribute('aria-selected', String(other === tab));
    }
  }

  showEvent(i) {
    const parts = i < 0 ? this.nothing() : this.event(i);
    $('event').replaceChildren(...parts);
    const { events, tracks } = this.model;
    $('status').textContent = i < 0 ? '' : `${seconds(events.at[i])} s, ${tracks[events.by[i]].long}: ${this.model.label(i)}`;
  }

  nothing() {
    return [
      element('h2', {}, 'No event selected'),
      element('p', { class: 'hint' }, 'Click a mark, an arrow or a bar, or step through all events with n and p. ? lists the keys.'),
    ];
  }

  event(i) {
    const { model } = this;
    const { events, tracks } = model;
    const track = tracks[events.by[i]];
    const category = CATEGORIES[model.cat[i]];
    const parts = [
      element('div', { class: 'stamp' },
        element('span', {}, `${seconds(events.at[i])} s`),
        element('span', { class: 'hint' }, `event ${count(i + 1)} of ${count(events.n)}`)),
      element('h2', {}, element('span', { class: 'chip' }, track.long), ` ${model.label(i)}`),
    ];
    for (const { id, words, events: about } of model.meta.violations) {
      if (!about.includes(i)) continue;
      const others = about.filter((other) => other !== i).map((other) => element('div', {}, 'with ',
        this.goTo(other, `${tracks[events.by[other]].name} ${model.label(other)}`), `, ${apart(events.at[other] - events.at[i])}`));
      parts.push(element('div', { class: 'violated' }, element('b', {}, id), ` ${words}`, ...others));
    }
    const rows = this.facts(i);
    if (rows.length > 0) parts.push(element('h3', {}, category.name), element('table', {}, element('tbody', {}, ...rows)));
    parts.push(...this.states(i), element('h3', {}, 'Around it'), this.near(i));
    return parts;
  }

  row(name, ...value) {
    return element('tr', {}, element('th', { scope: 'row' }, name), element('td', {}, ...value));
  }

  /// A button that goes to another event.
  goTo(i, text) {
    return element('button', { class: 'link', onclick: () => this.app.select(i) }, text);
  }

  facts(i) {
    const { model, model: { events, tracks, texts } } = this;
    const kind = events.kind[i];
    const rows = [];
    if (kind === KIND.note) {
      rows.push(this.row('note', texts[events.text[i]]));
      for (const field of model.fieldsOf(i)) rows.push(this.row(field.name, field.form === 1 ? zxidLong(field.text) : field.text));
    } else if (kind === KIND.role) rows.push(this.row('currentEpoch', String(events.number[i])));
    else if (kind === KIND.frame) {
      rows.push(this.row('frame', texts[events.text[i]]));
      rows.push(this.row('to', tracks[events.to[i]].long));
      if (events.zxid[i] > 0) rows.push(this.row('zxid', zxidLong(model.zxidOf(i))));
      rows.push(events.end[i] < 0 ? this.row('arrives', 'never')
        : this.row('arrives', `${seconds(events.end[i])} s, after ${span(events.end[i] - events.at[i])}`));
    } else if (kind === KIND.action && events.number[i] > 0) rows.push(this.row('drawn fault', `number ${events.number[i]}: --without ${events.number[i]} leaves it out`));
    else if (kind === KIND.sync || kind === KIND.synced) rows.push(...this.syncFacts(i, kind === KIND.sync));
    else if (kind === KIND.asked || kind === KIND.answered || kind === KIND.lost) rows.push(...this.operationFacts(i, kind));
    return rows;
  }

  syncFacts(i, begins) {
    const { events } = this.model;
    const mate = events.mate[i];
    if (mate < 0) return [this.row('ends', 'never: its process died, or the run was over')];
    const length = span(Math.abs(events.at[mate] - events.at[i]));
    return [this.row(begins ? 'ends' : 'began', this.goTo(mate, `${seconds(events.at[mate])} s`), ` (${length})`)];
  }

  operationFacts(i, kind) {
    const { model, model: { events, texts, tracks } } = this;
    const mate = events.mate[i];
    if (kind === KIND.asked) {
      const rows = [this.row('asks', texts[events.text[i]]), this.row('server', tracks[events.to[i]].long)];
      rows.push(mate < 0 ? this.row('answer', 'none until the end')
        : this.row('answer', this.goTo(mate, `${model.label(mate)}, after ${span(events.at[mate] - events.at[i])}`)));
      return rows;
    }
    const rows = [];
    if (mate >= 0) rows.push(this.row('asked', this.goTo(mate, `${texts[events.text[mate]]}`), `, ${span(events.at[i] - events.at[mate])} before`));
    if (kind === KIND.answered) {
      rows.push(this.row('result', errorName(events.number[i])), this.row('zxid', zxidLong(model.zxidOf(i))));
      if (texts[events.text[i]]) rows.push(this.row('answer', texts[events.text[i]]));
    }
    return rows;
  }

  /// The server's state at this event, before and after if the event changed it.
  states(i) {
    const { events, tracks } = this.model;
    const parts = [];
    if (tracks[events.by[i]].type === 'server') parts.push(...this.state(events.by[i], i));
    const to = events.kind[i] === KIND.frame || events.kind[i] === KIND.asked ? events.to[i] : -1;
    if (to > 0 && tracks[to].type === 'server') {
      const end = events.kind[i] === KIND.frame ? events.end[i] : events.at[i];
      const arrival = end < 0 ? i : lastUpTo(events, end);
      const when = events.kind[i] === KIND.frame && end >= 0 ? 'as it arrives' : 'then';
      parts.push(...this.state(to, arrival, when));
    }
    return parts;
  }

  state(track, i, when) {
    const { model } = this;
    const place = model.stateAt(track, i);
    const name = model.tracks[track].long;
    if (place < 0) return [element('h3', {}, `${name}: nothing is known of it yet`)];
    const own = model.states.event[place] === i && model.states.before[place] >= 0;
    const rows = model.meta.states.map((line) => {
      // What all have committed is nobody's own: there the state before is that of anybody.
      const old = !own ? place : line === 'committed' ? place - 1 : model.states.before[place];
      const [was, is] = [model.stateText(line, old), model.stateText(line, place)];
      const changed = own && was !== is;
      const cells = changed ? [element('td', {}, was), element('td', {}, is)] : [element('td', { colspan: 2 }, is)];
      return element('tr', { class: changed ? 'changed' : 'same' }, element('th', { scope: 'row' }, STATE_NAMES[line] ?? line), ...cells);
    });
    const changes = rows.filter((row) => row.className === 'changed').length;
    const title = own ? `State of ${name}: ${changes === 0 ? 'unchanged' : changes === 1 ? 'one change' : `${changes} changes`}` : `State of ${name} ${when ?? 'then'}`;
    const head = changes === 0 ? [] : [element('thead', {}, element('tr', {}, element('td'), element('th', {}, 'before'), element('th', {}, 'after')))];
    return [element('h3', {}, title), element('table', { class: 'state' }, ...head, element('tbody', {}, ...rows))];
  }

  /// The events before and after, of those that are shown.
  near(i) {
    const list = element('div', { class: 'near' });
    const found = [...this.app.around(i, -1, 5).reverse(), i, ...this.app.around(i, 1, 8)];
    const { model, model: { events, tracks } } = this;
    for (const other of found) {
      const gap = events.at[other] - events.at[i];
      const when = other === i ? '' : gap === 0 ? 'same time' : `${gap < 0 ? '\u2212' : '+'}${span(Math.abs(gap))}`;
      list.append(element('button', { 'aria-current': other === i ? 'true' : null, onclick: () => this.app.select(other), title: model.label(other) },
        element('span', { class: 'when' }, when),
        element('span', { class: 'who' }, tracks[events.by[other]].name),
        element('span', { class: 'what', style: `--hue: var(${CATEGORIES[model.cat[other]].hue})` }, model.label(other))));
    }
    return list;
  }

  showRun() {
    const { meta } = this.model;
    const [answered, lost, open] = meta.operations;
    const voters = meta.servers.filter(({ votes }) => votes).map(({ id, weight }) => (weight === 1 ? id : `${id} (weight ${weight})`));
    const observers = meta.servers.filter(({ votes }) => !votes).map(({ id }) => id);
    const rows = [
      this.row('scenario', meta.scenario),
      this.row('seed', meta.seed),
      meta.case_name && this.row('case', meta.case_name),
      meta.without.length > 0 && this.row('without faults', meta.without.join(', ')),
      meta.museum.length > 0 && this.row('bugs switched on', meta.museum.join(', ')),
      this.row('voters', voters.join(' ')),
      observers.length > 0 && this.row('observers', observers.join(' ')),
      this.row('simulated', `${seconds(meta.ended)} s`),
      this.row('events', count(meta.events)),
      this.row('facts checked', count(meta.facts)),
      answered + lost + open > 0 && this.row('operations', `${count(answered)} answered, ${count(lost)} lost, ${count(open)} open`),
      this.row('trace hash', meta.trace_hash),
      this.row('recorded by', `build ${meta.build}`),
    ];
    const violations = meta.violations.map((violation, n) => element('button', { onclick: () => this.app.showViolation(n) },
      element('span', { class: 'when' }, `${seconds(violation.at, 3)} s`),
      element('span', { class: 'who' }, violation.id),
      element('span', { class: 'what', style: '--hue: var(--alarm)', title: violation.words }, violation.words)));
    $('run').replaceChildren(
      element('h2', {}, 'This run'),
      element('table', {}, element('tbody', {}, ...rows.filter(Boolean))),
      ...(violations.length > 0 ? [element('h3', {}, 'Violations'), element('div', { class: 'near' }, ...violations)] : []),
      element('h3', {}, 'Repeat it'),
      element('pre', {}, meta.command),
      element('details', {}, element('summary', {}, 'The scenario'), element('pre', {}, meta.scenario_text)),
    );
  }
}

/// The last event up to a moment.
function lastUpTo(events, moment) {
  let low = 0;
  let high = events.n;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events.at[middle] <= moment) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/// A switch for each kind, and for messages.
function makeLegend(app) {
  const { show } = app.chart;
  const one = (key, name, hue, many, checked, change) => {
    const box = element('input', { type: 'checkbox' });
    box.checked = checked;
    box.addEventListener('change', () => change(box.checked));
    return element('label', { style: `--hue: var(${hue})`, title: `${name} (${key})`, 'data-key': key }, box,
      element('span', { class: 'swatch' }), element('span', { class: 'name' }, name),
      many === null ? '' : element('span', { class: 'count' }, count(many)), element('kbd', {}, key));
  };
  const kinds = CATEGORIES.map(({ name, key, hue }, cat) => one(key, name, hue, app.model.totals[cat], show.cats[cat], (on) => {
    show.cats[cat] = on;
    app.changed();
  }));
  $('legend').replaceChildren(...kinds, element('span', { class: 'gap' }),
    one('m', 'messages', '--soft', null, show.messages, (on) => {
      show.messages = on;
      app.changed();
    }),
    one('x', 'lost ones only', '--k-fault', app.model.lost.length, show.lostOnly, (on) => {
      show.lostOnly = on;
      app.changed();
    }));
}
