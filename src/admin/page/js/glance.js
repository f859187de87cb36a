// The server and its ensemble, as a glance tells them.

const LEVELS = { alarm: "alarm", warning: "warning", hint: "hint" };
const overview = { last: null, counts: null };

/// Operations a second between two glances.
function liveRates(glance) {
  const then = overview.counts;
  const now = glance.counts;
  overview.counts = now;
  const figures = glance.figures;
  const lag = glance.servers.map((server) => server.unacked_ms ?? 0);
  const live = {
    outstanding: figures.outstanding,
    sessions: figures.sessions + figures.local_sessions,
    connections: figures.connections,
    lag_ms: glance.role === "leading" ? Math.max(0, ...lag) : undefined,
  };
  const seconds = then ? (now.mono_ms - then.mono_ms) / 1000 : 0;
  if (seconds > 0.2 && seconds < 30) {
    for (const name of ["reads", "writes", "txns"]) {
      if (now[name] >= then[name]) live[name] = (now[name] - then[name]) / seconds;
    }
  }
  return live;
}

/// As the configuration says; or a guess, the same port of another machine.
function pageOf(server, glance) {
  const host = (address) => address.slice(0, address.lastIndexOf(":"));
  const me = glance.servers.find((other) => other.id === glance.me);
  const isElsewhere = me && host(me.quorum) !== host(server.quorum);
  const address = server.page ?? (isElsewhere && location.port ? `${host(server.quorum)}:${location.port}` : null);
  return address && /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+):[0-9]+$/i.test(address) ? `${location.protocol}//${address}/page` : null;
}

function drawHead(glance) {
  const role = find("role");
  role.textContent = glance.reads_only ? "read-only" : glance.role;
  role.className = `role ${glance.role}`;
  find("name").textContent = glance.role === "standalone" ? "Quorate" : `Server ${glance.me}`;
  document.title = `${glance.role === "standalone" ? "Quorate" : `Server ${glance.me}`}: ${glance.serves ? glance.role : "does not serve"}`;
  const fact = (name, ...value) => make("span", {}, `${name} `, make("b", {}, ...value));
  fill(find("facts"),
    fact("epoch", String(glance.epoch)),
    fact("zxid", make("span", { class: "mono" }, glance.applied)),
    glance.leader !== null && glance.leader !== glance.me && fact("follows", `server ${glance.leader}`),
    fact(`${glance.role} for`, said(time(glance.since_ms))),
    fact("version", glance.version.split(",")[0]));
}

function drawBlocks(blocks) {
  const block = ({ level, what, do: advice }) => make("div", { class: `block ${LEVELS[level] ?? "hint"}` },
    make("b", {}, level), make("span", { class: "what" }, ...shown(sentence(what))), make("span", { class: "do" }, ...shown(sentence(advice))));
  const none = make("div", { class: "block none" }, make("b", {}, "calm"), make("span", { class: "what" }, "Nothing is in the way."));
  fill(find("blocks"), ...(blocks.length ? blocks.map(block) : [none]));
}

const HEADS = [["Server"], ["State"], ["Quorum port"], ["Acked up to", "n"], ["Not acked", "n"], ["Oldest", "n"], ["Ack p50", "n"], ["Ack p99", "n"], ["Heard", "n"], ["Page"]];

function serverRow(server, glance) {
  const own = server.state === "itself";
  const state = own ? glance.role : server.state;
  const n = (value, bad) => make("td", { class: bad ? "n bad" : "n" }, ...cell(value));
  const nothing = n([NONE, ""]);
  const learns = server.heard_ms !== undefined;
  const acks = server.acks_ms;
  // Our own log is one vote among the others.
  const acked = own ? glance.durable : server.acked;
  const page = !own && pageOf(server, glance);
  const percent = server.sync_percent === null || server.sync_percent === undefined ? "" : ` ${server.sync_percent} %`;
  return make("tr", { class: own ? "me" : "" },
    make("td", {}, String(server.id), !server.votes && make("small", {}, " observer")),
    make("td", {}, make("span", { class: `role ${state}` }, `${state}${percent}`)),
    make("td", { class: "mono" }, server.quorum),
    acked ? make("td", { class: "n mono" }, acked) : nothing.cloneNode(true),
    own ? n(count(glance.figures.log_waiting_txns)) : learns && state !== "observing" ? n(count(server.unacked)) : nothing.cloneNode(true),
    learns && state !== "observing" ? n(server.unacked_ms === null ? ["0", "ms"] : coarse(server.unacked_ms), server.unacked_ms > 500) : nothing.cloneNode(true),
    acks ? n(coarse(acks.p50)) : nothing.cloneNode(true),
    acks ? n(coarse(acks.p99)) : nothing.cloneNode(true),
    learns ? n([said(coarse(server.heard_ms)), "ago"], server.heard_ms > glance.tick_ms)
      : server.state === "leading" && glance.leader_heard_ms !== null ? n([said(coarse(glance.leader_heard_ms)), "ago"], glance.leader_heard_ms > glance.tick_ms) : nothing.cloneNode(true),
    make("td", {}, own ? make("small", {}, "this page") : page ? make("a", { href: page, rel: "noreferrer" }, "open", make("span", { class: "unseen" }, ` the page of server ${server.id}`)) : make("small", {}, NONE)));
}

function drawServers(glance) {
  find("ensemble").hidden = glance.servers.length === 0;
  const words = {
    leading: "This server leads: it knows how far the others are. What each does for its own clients is on its own page.",
    following: `Its leader, server ${glance.leader}, knows how far the others are: see its page.`,
    observing: `Its leader, server ${glance.leader}, knows how far the others are: see its page.`,
    looking: "This server looks for a leader: it does not know how far the others are.",
  };
  find("known").textContent = words[glance.role] ?? "";
  const heads = make("tr", {}, ...HEADS.map(([name, kind]) => make("th", { class: kind ?? "", scope: "col" }, name)));
  fill(find("servers"), heads, ...glance.servers.map((server) => serverRow(server, glance)));
}

function drawFigures(glance) {
  const f = glance.figures;
  const rows = [
    ["Nodes", cell(count(f.nodes))],
    ["Paths and data", cell(size(f.data_bytes))],
    ["Ephemerals", cell(count(f.ephemerals))],
    ["Watches on this server", cell(count(f.watches))],
    ["Sessions", f.local_sessions ? [`${whole(f.sessions)} and ${whole(f.local_sessions)} local`] : cell(count(f.sessions))],
    ["Last snapshot", f.snapshot ? [make("span", { class: "mono" }, f.snapshot.zxid), f.snapshot.at_ms !== null && make("span", { class: "unit" }, ` ${said(time(Math.max(0, glance.at_ms - f.snapshot.at_ms)))} ago`)] : [NONE]],
    ["Durable in the log", [make("span", { class: "mono" }, glance.durable)]],
    ["Waits for the log", [`${whole(f.log_waiting_txns)} transactions, ${said(size(f.log_waiting_bytes))}`]],
    ["Sent, not known to be taken", cell(size(f.unsent_bytes))],
    ["File descriptors", f.descriptors ? [`${whole(f.descriptors[0])} of ${whole(f.descriptors[1])}`] : [NONE]],
    ["Slow fsyncs since the start", cell(count(f.slow_fsyncs))],
  ];
  fill(find("figures"), ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, ...value.filter(Boolean))]));
}

function change(c) {
  const lasted = said(time(c.took_ms));
  const words = {
    elected: () => ["elected ", make("b", {}, `server ${c.leader}`), ` in ${lasted}`],
    serves: () => [make("b", {}, c.role), c.role === "standalone" ? "" : ` in epoch ${c.epoch}`, `: serves, after ${lasted}`],
    ended: () => [make("b", {}, c.role), ` ended after ${lasted}: `, ...shown(c.words)],
  };
  return make("li", { class: c.what }, make("time", {}, date(c.at_ms)), make("span", {}, ...(words[c.what]?.() ?? [])));
}

async function refreshOverview() {
  const glance = await ask("glance");
  past.live = liveRates(glance);
  overview.glance = glance;
  drawHead(glance);
  drawBlocks(glance.blocks);
  drawServers(glance);
  drawFigures(glance);
  fill(find("changes"), ...glance.changes.map(change));
  if (glance.last !== overview.last || !past.at_ms.length) {
    await refreshPast();
    overview.last = glance.last;
  }
  drawPlots(glance.at_ms);
}
