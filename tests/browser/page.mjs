// The page for an operator, of servers that run, in headless Chromium: every tab, hostile names, a server
// that is killed and one that is stopped. Called by run.sh with the directory for pictures.
//
// QUORATE  a built server

import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';

const out = path.resolve(process.argv[2]);
const { chromium } = createRequire(path.join(out, 'x'))('playwright-core');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const WAIT = 60_000;

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
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(what, holds) {
  const begun = Date.now();
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() - begun > WAIT) throw new Error(`waited in vain: ${what}`);
    await sleep(100);
  }
}

async function freePorts(count) {
  const listeners = await Promise.all(Array.from({ length: count }, () => new Promise((done) => {
    const listener = net.createServer().listen(0, '127.0.0.1', () => done(listener));
  })));
  const ports = listeners.map((listener) => listener.address().port);
  await Promise.all(listeners.map((listener) => new Promise((done) => listener.close(done))));
  return ports;
}

/// Three servers in a temporary directory.
async function ensemble() {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'quorate-page-'));
  const ports = await freePorts(12);
  const servers = [1, 2, 3].map((id) => ({ id, client: ports[id - 1], admin: ports[id + 2], dir: path.join(home, String(id)) }));
  const members = servers.map(({ id }) => `server.${id}=127.0.0.1:${ports[id + 5]}:${ports[id + 8]}\n`).join('');
  for (const server of servers) {
    fs.mkdirSync(path.join(server.dir, 'data'), { recursive: true });
    fs.writeFileSync(path.join(server.dir, 'data', 'myid'), `${server.id}\n`);
    fs.writeFileSync(path.join(server.dir, 'zoo.cfg'), `tickTime=1000\ninitLimit=20\nsyncLimit=20\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n` +
      `dataDir=${path.join(server.dir, 'data')}\nclientPort=${server.client}\nclientPortAddress=127.0.0.1\n` +
      `admin.serverAddress=127.0.0.1\nadmin.serverPort=${server.admin}\nadmin.page.tree.enabled=true\n` +
      `admin.page.servers=${servers.map(({ id, admin }) => `${id}=127.0.0.1:${admin}`).join(",")}\n${members}`);
    start(server);
  }
  return { home, servers };
}

function start(server) {
  const log = fs.openSync(path.join(server.dir, 'log'), 'a');
  server.process = spawn(process.env.QUORATE, ['server', 'start-foreground', '--attached', path.join(server.dir, 'zoo.cfg')],
    { stdio: ['pipe', log, log] });
}

async function json(server, name) {
  try {
    const response = await fetch(`http://127.0.0.1:${server.admin}/${name}`, { signal: AbortSignal.timeout(3000) });
    return await response.json();
  } catch {
    return null;
  }
}

// As much of a ZooKeeper client as makes nodes.   (zookeeper.jute)
const int = (n) => { const bytes = Buffer.alloc(4); bytes.writeInt32BE(n); return bytes; };
const buffer = (bytes) => Buffer.concat([int(bytes.length), bytes]);
const text = (words) => buffer(Buffer.from(words, 'utf8'));
const OPEN = [[31, 'world', 'anyone']];

class Client {
  constructor(port) {
    this.waiting = [];
    this.bytes = Buffer.alloc(0);
    this.xid = 0;
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.on('error', () => {});
    this.socket.on('data', (bytes) => this.take(bytes));
  }

  take(bytes) {
    this.bytes = Buffer.concat([this.bytes, bytes]);
    while (this.bytes.length >= 4 && this.bytes.length >= 4 + this.bytes.readInt32BE(0)) {
      const length = this.bytes.readInt32BE(0);
      this.waiting.shift()?.(this.bytes.subarray(4, 4 + length));
      this.bytes = this.bytes.subarray(4 + length);
    }
  }

  ask(...parts) {
    this.socket.write(buffer(Buffer.concat(parts)));
    return new Promise((done) => this.waiting.push(done));
  }

  open() {
    this.pings = setInterval(() => this.ask(int(-2), int(11)), 4000);
    return this.ask(int(0), Buffer.alloc(8), int(30_000), Buffer.alloc(8), buffer(Buffer.alloc(16)), Buffer.alloc(1));
  }

  /// The reply code.
  async call(op, ...body) {
    const reply = await this.ask(int(op === 100 ? -4 : ++this.xid), int(op), ...body);
    return reply.readInt32BE(12);
  }

  prove(proof) {
    return this.call(100, int(0), text('digest'), text(proof));
  }

  create(name, data, acl = OPEN, flags = 0) {
    const list = acl.map(([perms, scheme, id]) => Buffer.concat([int(perms), text(scheme), text(id)]));
    return this.call(1, text(name), data === null ? int(-1) : buffer(Buffer.from(data)), int(list.length), ...list, int(flags));
  }

  watch(name) {
    return this.call(4, text(name), Buffer.from([1]));
  }

  close() {
    clearInterval(this.pings);
    this.socket.destroy();
  }
}

const HOSTILE = ['<img src=x onerror=alert(1)>', '"><script>document.title="owned"', "');alert(1);('", 'a#b?c&d=e%2f', '{{script}}',
  'evil\u202etxt.exe', 'a\u200bb', '\u{5bc6}\u{94a5}'];

/// Children of its own, hostile names and data, a closed node, and ephemerals.
async function plant(port) {
  const client = new Client(port);
  await client.open();
  await client.prove('bob:secret');
  const made = [];
  const create = async (...what) => made.push(await client.create(...what));
  await create('/config', '{"brokers": ["a:9092", "b:9092"], "retries": 5, "tls": true}');
  await create('/config/limits', 'max=10\nmin=2\n');
  await create('/locks', null);
  await create('/locks/leader-0000000001', 'host-1', OPEN, 1);
  await create('/blob', Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7) & 255)));
  await create('/closed', 'for bob', [[31, 'auth', '']]);
  await create('/many', '');
  for (let n = 0; n < 250; n++) await create(`/many/child-${String(n).padStart(4, '0')}`, 'x');
  await create('/hostile', '</pre><script>document.title="owned"</script><b onmouseover=alert(1)>');
  for (const name of HOSTILE) await create(`/hostile/${name}`, `</script><img src=x onerror="document.title='owned'">${name}`);
  await client.watch('/config');
  await client.watch('/hostile/<img src=x onerror=alert(1)>');
  same('nodes are made', made.filter((code) => code !== 0), []);
  return client;
}

/// A page that says what it fetches and what it complains of.
async function open(browser, server, place, view) {
  const context = await browser.newContext({ deviceScaleFactor: 1, ...view });
  const page = await context.newPage();
  page.noise = [];
  const site = `http://127.0.0.1:${server.admin}/`;
  page.on('console', (message) => page.noise.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => page.noise.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => { page.noise.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(site) && !url.startsWith('data:')) page.noise.push(`fetches ${url}`);
    if (request.method() !== 'GET') page.noise.push(`${request.method()} ${url}`);
  });
  await page.goto(`${site}${place}`);
  await page.waitForFunction(() => document.querySelector('#figures dd'), null, { timeout: WAIT });
  return page;
}

const picture = (page, name) => page.screenshot({ path: path.join(out, `${name}.png`) });
const wide = { viewport: { width: 1400, height: 900 } };
const narrow = { viewport: { width: 400, height: 860 }, hasTouch: true };

async function fits(page, what) {
  const [inner, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  check(`${what}: no sideways scroll`, inner <= room, [inner, room]);
}

async function quiet(page, what) {
  same(`${what}: nothing on the console, nothing fetched elsewhere`, page.noise, []);
  await page.context().close();
}

async function theOverviewTells(page, leader) {
  const roles = () => page.locator('#servers .role').allInnerTexts();
  await until('two follow', async () => (await roles()).filter((role) => role === 'following').length === 2);
  same('the leader says who leads', (await roles()).filter((role) => role === 'leading').length, 1);
  check('the head says who it is', (await page.locator('#name').innerText()) === `Server ${leader.id}`);
  const links = await page.locator('#servers a').evaluateAll((all) => all.map((a) => a.href));
  same('links lead to the pages of the others', links.length, 2);
  same('eight plots', await page.locator('#plots .plot').count(), 8);
  check('an election stands among the changes', (await page.locator('#changes').innerText()).includes('elected server'));
  await page.locator('.plot .field').first().focus();
  await page.keyboard.press('ArrowLeft');
}

async function theTreeIsText(page) {
  await page.goto(`${page.url().split('#')[0]}#tree/hostile`);
  await until('the children', async () => (await page.locator('#children a').count()) === HOSTILE.length);
  const names = await page.locator('#children a').allInnerTexts();
  for (const name of HOSTILE.slice(0, 5)) check(`${name} is text`, names.includes(name), names);
  check('what turns a line is shown', names.some((name) => name === 'evil\\u{202e}txt.exe'), names);
  check('data is text', (await page.locator('#data').innerText()).startsWith('</pre><script>'));
  for (let k = 0; k < HOSTILE.length; k++) {
    await page.locator('#children a').nth(k).click();
    await until('a hostile node', async () => (await page.locator('#data').innerText()).startsWith('</script>'));
    await page.goBack();
    await until('back', async () => (await page.locator('#children a').count()) === HOSTILE.length);
  }
  same('nothing of it runs', await page.evaluate(() => [document.title.includes('owned'), document.querySelectorAll('main img, main script').length]), [false, 0]);
}

async function nodesAreRead(page) {
  const go = async (place, ready) => {
    await page.locator('#path').fill(place);
    await page.keyboard.press('Enter');
    await until(`${place} is shown`, ready);
  };
  const note = () => page.locator('#data-note').innerText();
  await go('/config', async () => (await page.locator('#data').innerText()).includes('brokers'));
  await page.locator('#how button', { hasText: 'JSON' }).click();
  check('JSON is laid out', (await page.locator('#data').innerText()).includes('\n  "retries": 5'));
  await page.locator('#how button', { hasText: 'hex' }).click();
  check('hex has offsets', (await page.locator('#data').innerText()).startsWith('00000000  7b 22'));
  await page.locator('#how button', { hasText: 'text' }).click();
  await go('/many', async () => (await page.locator('#children li').count()) === 100);
  await page.locator('#more-children button', { hasText: 'Next' }).click();
  await until('the next hundred', async () => (await page.locator('#children a').first().innerText()) === 'child-0100');
  await page.locator('#more-children button', { hasText: 'Next' }).click();
  await until('the last fifty', async () => (await page.locator('#children li').count()) === 50);
  await go('/blob', async () => (await note()).startsWith('bytes 0 to 65,535 of 200,000'));
  await page.locator('#more-data button', { hasText: 'Next' }).click();
  await until('the next piece', async () => (await note()).startsWith('bytes 65,536 to'));
  await go('/closed', async () => (await note()).includes('READ'));
  same('nothing of it is shown', await page.locator('#data').innerText(), '');
  await page.locator('#proof summary').click();
  await page.locator('#user').fill('bob');
  await page.locator('#password').fill('secret');
  await page.keyboard.press('Enter');
  await until('bob reads it', async () => (await page.locator('#data').innerText()) === 'for bob');
  await page.locator('#forget').click();
  await until('nobody reads it any more', async () => (await page.locator('#data').innerText()) === '');
}

async function sessionsAreListed(page) {
  await page.locator('#tab-sessions').click();
  const row = page.locator('#session-rows tr', { hasText: /127\.0\.0\.1/ }).filter({ has: page.locator('td:nth-child(4)', { hasText: /^1$/ }) });
  await until('the session with an ephemeral', async () => (await row.count()) === 1);
  await row.locator('button.link').click();
  await until('its paths', async () => (await page.locator('.paths li').count()) >= 3);
  const paths = await page.locator('.paths').innerText();
  for (const name of ['/locks/leader-0000000001', '/config', '/hostile/<img src=x onerror=alert(1)>']) check(`${name} is listed`, paths.includes(name), paths);
}

async function themes(page, name) {
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.evaluate(() => document.activeElement?.blur());
  const light = await paper();
  await picture(page, `${name}-light`);
  await page.locator('#theme').click();
  check(`${name}: the button changes the theme`, light !== await paper());
  await picture(page, `${name}-dark`);
  await page.locator('#theme').click();
}

/// Nobody looks: nobody asks.
async function aHiddenPageAsksNothing(page) {
  let asked = 0;
  const count = () => asked++;
  const hide = (hidden) => page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await hide(true);
  await until('what it asks to be answered', () => page.evaluate(() => !state.busy));
  page.on('request', count);
  await page.waitForTimeout(4500);
  same('a hidden page asks nothing', asked, 0);
  await hide(false);
  await until('it asks again', () => asked > 0);
  page.off('request', count);
}

/// What docs/page.md shows.
function forTheDocs() {
  const docs = process.env.DOCS;
  if (!docs) return;
  for (const [shot, name] of [['page-overview-light', 'page'], ['page-slow-dark', 'page-slow'], ['page-tree-light', 'page-tree']]) {
    const picture = path.join(out, `${shot}.png`);
    check(`${shot} is small`, fs.statSync(picture).size < 200_000, fs.statSync(picture).size);
    fs.copyFileSync(picture, path.join(docs, `${name}.png`));
  }
}

async function everyTabFits(browser, server) {
  const page = await open(browser, server, 'page', narrow);
  await page.waitForTimeout(2500);
  await fits(page, 'overview at 400');
  await page.screenshot({ path: path.join(out, 'page-400.png'), fullPage: true });
  for (const [place, ready] of [['#tree/hostile', '#children a'], ['#tree/config', '#data'], ['#sessions', '#session-rows td']]) {
    await page.goto(`http://127.0.0.1:${server.admin}/page${place}`);
    await page.locator(ready).first().waitFor();
    await page.waitForTimeout(300);
    await fits(page, `${place} at 400`);
    await picture(page, `page-400-${place.slice(1).replace('/', '-')}`);
  }
  await quiet(page, '400 px');
}

async function main() {
  const { home, servers } = await ensemble();
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });
  const children = [];
  let planted = null;
  try {
    const leader = await until('a leader', async () => {
      const glances = await Promise.all(servers.map((server) => json(server, 'page/glance')));
      if (!glances.every((glance) => glance?.serves)) return null;
      return servers[glances.findIndex((glance) => glance.role === 'leading')];
    });
    const followers = servers.filter((server) => server !== leader);
    planted = await plant(leader.client);
    const load = spawn(process.env.QUORATE, ['bench', servers.map(({ client }) => `127.0.0.1:${client}`).join(','),
      '--connections', '6', '--outstanding', '2', '--seconds', '600'], { stdio: 'ignore' });
    children.push(load);
    const page = await open(browser, leader, '', wide);
    check('/ leads to /page', page.url().endsWith('/page'), page.url());
    await theOverviewTells(page, leader);
    await page.waitForTimeout(Number(process.env.WATCH_MS ?? 13_000));
    await page.mouse.move(2, 2);
    await fits(page, 'overview at 1400');
    await themes(page, 'page-overview');
    await theTreeIsText(page);
    await picture(page, 'page-hostile');
    await nodesAreRead(page);
    await page.goto(`http://127.0.0.1:${leader.admin}/page#tree/config`);
    await until('config', async () => (await page.locator('#data').innerText()).includes('brokers'));
    await themes(page, 'page-tree');
    await sessionsAreListed(page);
    await themes(page, 'page-sessions');
    await everyTabFits(browser, leader);
    await aHiddenPageAsksNothing(page);

    const [slow, gone] = followers;
    slow.process.kill('SIGSTOP');
    await page.locator('#tab-overview').click();
    await until('the slow follower', async () => /slow|heard/.test(await page.locator('#blocks').innerText()));
    await page.waitForTimeout(1500);
    await themes(page, 'page-slow');
    slow.process.kill('SIGCONT');
    await until('calm', async () => (await page.locator('#blocks .warning').count()) === 0);
    gone.process.kill('SIGKILL');
    await until('the loss', async () => (await page.locator('#blocks').innerText()).includes(`Server ${gone.id} is not connected`));
    check('one more loss is an alarm', (await page.locator('#blocks .alarm').count()) === 1);
    await page.waitForTimeout(1500);
    await themes(page, 'page-killed');
    await quiet(page, 'leader');

    const other = await open(browser, slow, 'page', wide);
    await themes(other, 'page-follower');
    await quiet(other, 'follower');

    const last = await open(browser, slow, 'page', wide);
    leader.process.kill('SIGKILL');
    await until('the alarm', async () => (await last.locator('#blocks').innerText()).includes('looks for a leader'));
    await themes(last, 'page-looking');
    slow.process.kill('SIGKILL');
    await until('the page says so', async () => (await last.locator('#trouble').innerText()).includes('does not answer'));
    await picture(last, 'page-silent');
    await last.context().close();
    forTheDocs();
  } finally {
    planted?.close();
    await browser.close();
    for (const { process: server } of servers) server.kill('SIGKILL');
    for (const child of children) child.kill('SIGKILL');
    fs.rmSync(home, { recursive: true, force: true });
  }
  console.log(`${passed} checks passed, ${failed} failed; pictures in ${out}`);
  process.exitCode = failed ? 1 : 0;
}

await main();
