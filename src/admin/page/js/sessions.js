// Sessions, a hundred at a time, and the paths of one.

const listed = { from: undefined, next: null, open: null };
const SESSION_HEADS = [["Session"], ["Client"], ["Timeout", "n"], ["Ephemerals", "n"], ["Watches", "n"], ["Queued", "n"], ["Unread", "n"], ["Latency avg", "n"], ["max", "n"], ["Requests", "n"]];

async function refreshSessions() {
  const trouble = find("sessions-trouble");
  try {
    const page = await ask("sessions", { from: listed.from });
    trouble.hidden = true;
    listed.next = page.next;
    drawSessions(page);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    trouble.hidden = false;
    trouble.textContent = error.message;
  }
}

function drawSessions(page) {
  const local = page.local ? `, and ${whole(page.local)} local ones of this server` : "";
  find("sessions-note").textContent = `${whole(page.total)} in the ensemble${local}. Clients, watches and latencies are of connections to this server.`;
  find("sessions-first").disabled = listed.from === undefined;
  find("sessions-next").disabled = page.next === null;
  const heads = make("tr", {}, ...SESSION_HEADS.map(([name, kind]) => make("th", { class: kind ?? "", scope: "col" }, name)));
  const rows = page.sessions.map(sessionRow);
  const opened = document.querySelector("#session-rows tr.paths");
  const at = page.sessions.findIndex((session) => session.id === listed.open);
  if (opened && at >= 0) rows.splice(at + 1, 0, opened.cloneNode(true));
  fill(find("session-rows"), heads, ...rows);
  for (const button of document.querySelectorAll("#session-rows button.link")) button.onclick = () => openSession(button.dataset.id);
  for (const button of document.querySelectorAll("#session-rows button[data-behind]")) button.onclick = () => morePaths(button);
}

function sessionRow(session) {
  const n = (value, bad) => make("td", { class: bad ? "n bad" : value[0] === "0" || value[0] === NONE ? "n none" : "n" }, ...cell(value));
  const c = session.connection;
  const isOpen = session.id === listed.open;
  const of = (value) => (c ? value(c) : [NONE, ""]);
  return make("tr", { class: isOpen ? "open" : "" },
    make("td", {}, make("button", { class: "link", type: "button", "data-id": session.id, "aria-expanded": String(isOpen) }, session.id), session.is_local && make("small", {}, " local")),
    make("td", { class: "mono" }, c ? c.address : make("small", {}, "not connected here")),
    n(time(session.timeout_ms)), n(count(session.ephemerals)),
    n(of((c) => count(c.data_watches + c.child_watches))), n(of((c) => count(c.queued)), c?.is_paused),
    n(of((c) => size(c.unread_bytes)), c?.unread_bytes > 0), n(of((c) => coarse(c.latency_avg_ms))),
    n(of((c) => coarse(c.latency_max_ms))), n(of((c) => count(c.received))));
}

const LISTS = [["ephemerals", "Ephemerals"], ["data", "Watches data and existence"], ["child", "Watches children"]];

async function openSession(id) {
  document.querySelector("#session-rows tr.paths")?.remove();
  const wasOpen = listed.open === id;
  listed.open = wasOpen ? null : id;
  for (const button of document.querySelectorAll("#session-rows button.link")) {
    button.setAttribute("aria-expanded", String(button.dataset.id === listed.open));
    button.closest("tr").className = button.dataset.id === listed.open ? "open" : "";
  }
  if (wasOpen) return;
  const row = Array.from(document.querySelectorAll("#session-rows button.link")).find((button) => button.dataset.id === id).closest("tr");
  const lists = make("div", { class: "lists" });
  for (const [list, title] of LISTS) lists.append(await pathList(id, list, title));
  if (listed.open === id) row.after(make("tr", { class: "paths" }, make("td", { colspan: SESSION_HEADS.length }, lists)));
  for (const button of document.querySelectorAll("#session-rows button[data-behind]")) button.onclick = () => morePaths(button);
}

const pathItem = (path) => make("li", {}, make("a", { href: linkTo(path) }, ...shown(path)));

async function pathList(id, list, title) {
  const made = make("div", { "data-id": id, "data-list": list }, make("h3", {}, title));
  const items = make("ul");
  made.append(items);
  try {
    addPaths(made, items, await ask("session", { id, list }));
  } catch (error) {
    items.append(make("li", { class: "note" }, error instanceof Refused ? error.message : "the server does not answer"));
  }
  return made;
}

function addPaths(made, items, { paths, more }) {
  items.append(...paths.map(pathItem));
  if (!items.childNodes.length) items.append(make("li", { class: "note" }, "none"));
  if (more) made.append(make("button", { type: "button", "data-behind": paths[paths.length - 1] }, "More"));
}

async function morePaths(button) {
  const made = button.closest("[data-list]");
  const { id, list } = made.dataset;
  const page = await ask("session", { id, list, behind: button.dataset.behind }).catch(() => null);
  if (!page) return;
  button.remove();
  addPaths(made, made.querySelector("ul"), page);
  for (const next of made.querySelectorAll("button[data-behind]")) next.onclick = () => morePaths(next);
}

function beginSessions() {
  find("sessions-first").addEventListener("click", () => { [listed.from, listed.open] = [undefined, null]; refreshSessions(); });
  find("sessions-next").addEventListener("click", () => { [listed.from, listed.open] = [listed.next ?? undefined, null]; refreshSessions(); });
}
