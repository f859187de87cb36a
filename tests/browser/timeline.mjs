// Opens timeline pages in headless Chromium and uses them as a reader would. Called by run.sh with
// the directory of the pages; pictures go there too.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';

const out = path.resolve(process.argv[2]);
const { chromium } = createRequire(path.join(out, 'x'))('playwright-core');

/// No frame takes longer, in milliseconds.
const FRAME_MAX = 50;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

let failed = 0;
let passed = 0;

function check(what, holds, found) {
  if (holds) passed++;
  else {
    failed++;
    console.log(`FAIL  ${what}${found === undefined ? '' : `: ${JSON.stringify(found)}`}`);
  }
}

const same = (what, found, expected) => check(what, JSON.stringify(found) === JSON.stringify(expected), found);

/// Opens a page, and tells at the end what it said and fetched.
async function withPage(browser, name, use) {
  const page = await browser.newPage();
  const noise = [];
  const file = `file://${out}/${name}.html`;
  page.on('console', (message) => noise.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => noise.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (request.url() !== file && !request.url().startsWith('data:')) noise.push(`fetches ${request.url()}`);
  });
  const began = performance.now();
  await page.goto(file);
  await page.waitForFunction(() => window.timeline || document.querySelector('.trouble'), null, { timeout: 120_000 });
  const took = performance.now() - began;
  check(`${name}: the page comes up`, await page.evaluate(() => Boolean(window.timeline)));
  await page.waitForTimeout(200);
  await use(page);
  same(`${name}: nothing on the console, nothing fetched`, noise, []);
  await page.close();
  return took;
}

const selected = (page) => page.evaluate(() => window.timeline.selected);
const picture = (page, name) => page.screenshot({ path: path.join(out, `${name}.png`) });

async function theViolationIsSeenFirst(page) {
  const found = await page.evaluate(() => {
    const { model, scale, selected: event, chart } = window.timeline;
    const { events, at } = model.meta.violations[0];
    const seen = [at, ...events.map((i) => model.events.at[i])].map((moment) => scale.x(moment));
    return { seen: seen.every((x) => x > chart.gutter && x < chart.width), selected: events[0] === event, events: events.length };
  });
  same('split: both events of the violation are in sight', found, { seen: true, selected: true, events: 2 });
  const head = await page.locator('#head').innerText();
  const said = fs.readFileSync(path.join(out, 'split.txt'), 'utf8');
  const [, id, words] = said.match(/^ {2}([A-Z]-\d+): (.*?) \(at/m);
  const [, command] = said.match(/repeat: (.*)/);
  for (const part of [id, words.slice(1), 'seed 1', command, '19.150']) {
    check(`split: the head says ${part}`, head.replace(/\s+/g, ' ').includes(part), head);
  }
  await page.keyboard.press('f');
  await page.waitForTimeout(300);
  await page.keyboard.press('v');
  await page.waitForTimeout(300);
  check('split: v goes back to it', await page.evaluate(() => window.timeline.scale.to - window.timeline.scale.from < 2e9));
}

async function stepsGoThroughTheEvents(page) {
  const first = await selected(page);
  let latest = first;
  let rising = true;
  for (let k = 0; k < 30; k++) {
    await page.keyboard.press('n');
    const now = await selected(page);
    rising &&= now > latest && await page.evaluate((i) => window.timeline.chart.shows(i), now);
    latest = now;
  }
  check('n steps forward through what is shown', rising);
  for (let k = 0; k < 30; k++) await page.keyboard.press('p');
  same('p steps back the same way', await selected(page), first);
  const track = await page.evaluate(() => window.timeline.track);
  const tracks = [];
  for (let k = 0; k < 12; k++) {
    await page.keyboard.press('j');
    tracks.push(await page.evaluate(() => window.timeline.model.events.by[window.timeline.selected]));
  }
  check('j stays in the track', tracks.every((other) => other === track), tracks);
  for (let k = 0; k < 12; k++) await page.keyboard.press('k');
  same('k goes back in it', await selected(page), first);
}

async function thePanelTellsTheChange(page) {
  const expected = await page.evaluate(() => {
    const { model } = window.timeline;
    const { of, before, event } = model.states;
    for (let place = 0; place < event.length; place++) {
      const old = before[place];
      if (old < 0 || of.role[place] === of.role[old]) continue;
      window.timeline.select(event[place]);
      return [model.meta.roles[of.role[old]], model.meta.roles[of.role[place]]];
    }
    return null;
  });
  const row = page.locator('#event .state tr.changed', { has: page.locator('th', { hasText: /^role$/ }) });
  same('the panel shows the role before and after', await row.first().locator('td').allInnerTexts(), expected);
  check('what did not change is shown once', await page.locator('#event .state tr.same').count() > 0);
}

async function kindsCanBeHidden(page) {
  await page.keyboard.press('Escape');
  await page.keyboard.press('f');
  await page.waitForTimeout(300);
  await page.keyboard.press('2');
  const kinds = [];
  for (let k = 0; k < 40; k++) {
    await page.keyboard.press('n');
    kinds.push(await page.evaluate(() => window.timeline.model.cat[window.timeline.selected]));
  }
  check('2 hides the election from steps', kinds.every((kind) => kind !== 1), kinds);
  await page.keyboard.press('2');
  await page.keyboard.press('x');
  const lost = [];
  for (let k = 0; k < 40; k++) {
    await page.keyboard.press('n');
    lost.push(await page.evaluate(() => {
      const { model: { events, meta }, selected: i } = window.timeline;
      return meta.kinds[events.kind[i]] !== 'frame' || events.end[i] < 0;
    }));
  }
  check('x leaves lost messages alone', lost.every(Boolean));
  await page.keyboard.press('x');
}

async function searchFindsAZxid(page) {
  await page.keyboard.press('/');
  await page.keyboard.type('0x100000002');
  await page.waitForTimeout(800);
  const expected = await page.evaluate(() => {
    const { model, matches, chart } = window.timeline;
    const named = [];
    for (let i = 0; i < model.events.n; i++) if (chart.shows(i) && model.searchable(i).includes('0x100000002')) named.push(i);
    return { same: JSON.stringify(named) === JSON.stringify(matches), many: named.length };
  });
  check('search finds every shown event that names a zxid', expected.same && expected.many > 5, expected);
  await page.keyboard.press('Enter');
  const [one, all] = await page.evaluate(() => [window.timeline.selected, window.timeline.matches]);
  check('Enter selects a match', all.includes(one));
  await picture(page, 'split-search');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
}

async function theChartIsHandled(page) {
  const box = await page.locator('#chart').boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const view = () => page.evaluate(() => [window.timeline.scale.from, window.timeline.scale.to]);
  await page.keyboard.press('v');
  await page.waitForTimeout(300);
  const [from, to] = await view();
  await page.mouse.move(x, y);
  await page.mouse.wheel(0, -400);
  await page.waitForTimeout(100);
  const near = await view();
  check('the wheel zooms in', near[1] - near[0] < (to - from) * 0.7);
  await page.mouse.down();
  await page.mouse.move(x - 150, y, { steps: 5 });
  await page.mouse.up();
  await page.waitForTimeout(100);
  const moved = await view();
  check('a drag pans', moved[0] > near[0] && Math.abs((moved[1] - moved[0]) - (near[1] - near[0])) < 2);
  const spot = await page.evaluate(() => {
    const { hits: { points }, gutter, width } = window.timeline.chart;
    for (let k = 0; k < points.many; k++) {
      const [px, py] = points.spots.subarray(k * 2);
      if (px > gutter + 40 && px < width - 40) return [px, py];
    }
    return null;
  });
  await page.mouse.move(box.x + spot[0], box.y + spot[1]);
  await page.waitForTimeout(60);
  check('a mark under the pointer is told', await page.locator('#tip').isVisible());
  await page.mouse.click(box.x + spot[0], box.y + spot[1]);
  const found = await page.evaluate(([px, py]) => {
    const { x: sx, y: sy } = window.timeline.cover.spot(window.timeline.selected);
    return Math.hypot(sx - px, sy - py) < 8;
  }, spot);
  check('a click selects it', found);
  await page.keyboard.press('?');
  check('? lists the keys', await page.locator('#help').isVisible());
  await picture(page, 'split-help');
  await page.keyboard.press('Escape');
}

/// Pans at several depths and takes the time of each frame.
async function panning(page) {
  return page.evaluate(async () => {
    const { timeline } = window;
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const tasks = [];
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ entryTypes: ['longtask'] });
    const depths = [];
    const whole = timeline.model.ended;
    for (const length of [whole, whole / 4, whole / 15, whole / 60, whole / 300, whole / 2000, whole / 20000]) {
      timeline.scale.set(whole * 0.49 - length / 2, whole * 0.49 + length / 2);
      timeline.redraw();
      await frame();
      timeline.frames.length = 0;
      const gaps = [];
      let latest = performance.now();
      for (let k = 0; k < 60; k++) {
        timeline.scale.pan(k < 30 ? 25 : -25);
        timeline.redraw();
        await frame();
        gaps.push(performance.now() - latest);
        latest = performance.now();
      }
      const sorted = timeline.frames.slice().sort((a, b) => a - b);
      gaps.sort((a, b) => a - b);
      depths.push({ seconds: length / 1e9, median: sorted[sorted.length >> 1], worst: sorted.at(-1), gap: gaps[gaps.length >> 1] });
    }
    await new Promise((done) => setTimeout(done, 100));
    return { depths, tasks };
  });
}

async function noFrameIsLong(page, name) {
  // Another program on the machine can make a frame late, but hardly three times.
  let best = null;
  for (let round = 0; round < 3; round++) {
    const { depths, tasks } = await panning(page);
    const worst = Math.max(...depths.map((depth) => depth.worst));
    if (best === null || worst < best.worst) best = { depths, worst, tasks };
    if (best.worst < FRAME_MAX) break;
  }
  const ms = (value) => value.toFixed(1).padStart(6);
  const many = await page.evaluate(() => window.timeline.model.events.n);
  console.log(`${name}: ${many} events; drawing a frame while panning, ms`);
  console.log('   window s   median    worst   between frames');
  for (const { seconds, median, worst, gap } of best.depths) {
    console.log(`  ${seconds.toFixed(4).padStart(9)}   ${ms(median)}   ${ms(worst)}   ${ms(gap)}`);
  }
  console.log(`  tasks of 50 ms or more: ${best.tasks.length}${best.tasks.length > 0 ? `, longest ${Math.max(...best.tasks)} ms` : ''}`);
  check(`${name}: no frame takes ${FRAME_MAX} ms while panning`, best.worst < FRAME_MAX, best.worst);
}

async function main() {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'quorate-browser-'));
  const open = (colorScheme) => chromium.launchPersistentContext(path.join(profile, colorScheme), {
    executablePath: process.env.CHROMIUM || 'chromium', headless: true, args: FLAGS, colorScheme, viewport: { width: 1440, height: 900 },
  });
  try {
    const browser = await open('light');
    await withPage(browser, 'split', async (page) => {
      await theViolationIsSeenFirst(page);
      await picture(page, 'split');
      await stepsGoThroughTheEvents(page);
      await picture(page, 'split-step');
      await thePanelTellsTheChange(page);
      await kindsCanBeHidden(page);
      await searchFindsAZxid(page);
      await theChartIsHandled(page);
    });
    await withPage(browser, 'holds', async (page) => {
      check('holds: the head says so', (await page.locator('#words').innerText()).startsWith('Every property held'));
      check('holds: there is no violation to show', await page.locator('#jump').isHidden());
      await picture(page, 'holds');
    });
    const took = await withPage(browser, 'synthetic', async (page) => {
      await noFrameIsLong(page, 'synthetic');
      await page.keyboard.press('f');
      await page.waitForTimeout(400);
      await picture(page, 'synthetic');
    });
    const size = fs.statSync(path.join(out, 'synthetic.html')).size;
    console.log(`synthetic: up after ${Math.round(took)} ms, ${(size / 1e6).toFixed(2)} MB`);
    await browser.close();
    const dark = await open('dark');
    await withPage(dark, 'split', (page) => picture(page, 'split-dark'));
    await dark.close();
  } finally {
    fs.rmSync(profile, { recursive: true, force: true });
  }
  console.log(`browser: ${passed} passed, ${failed} failed; pictures in ${out}`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
