// One node: its children, data, stat and ACL. Everything in it was written by strangers.

const DATA_PIECE = 64 * 1024;
const WAYS = ["text", "JSON", "hex"];
const tree = { path: "/", pages: [], offset: 0, way: "text", bytes: null, asked: 0 };

const joined = (path, name) => (path === "/" ? `/${name}` : `${path}/${name}`);
const linkTo = (path) => `#tree${encodeURI(path).replace(/#/g, "%23")}`;

function openNode(path) {
  if (path !== tree.path) [tree.path, tree.pages, tree.offset] = [path, [], 0];
  return refreshNode();
}

function crumbs(path) {
  const names = path === "/" ? [] : path.slice(1).split("/");
  const parts = [make("a", { href: linkTo("/") }, "/")];
  names.forEach((name, i) => {
    const here = `/${names.slice(0, i + 1).join("/")}`;
    const words = name.length > 80 ? `${name.slice(0, 80)}...` : name;
    if (i > 0) parts.push(" / ");
    parts.push(i === names.length - 1 ? make("b", {}, ...shown(words)) : make("a", { href: linkTo(here) }, ...shown(words)));
  });
  return parts;
}

async function refreshNode() {
  const turn = ++tree.asked;
  if (document.activeElement !== find("path")) find("path").value = tree.path;
  fill(find("crumbs"), ...crumbs(tree.path));
  const behind = tree.pages[tree.pages.length - 1];
  try {
    const node = await ask("node", { path: tree.path, behind, offset: tree.offset || undefined }, true);
    if (turn === tree.asked) drawNode(node);
  } catch (error) {
    if (turn !== tree.asked) return;
    const refused = error instanceof Refused;
    const why = refused ? error.message : "the server does not answer";
    drawNothing(refused && error.status === 404 ? `There is no node ${plain(tree.path)}.` : sentence(why));
    if (!refused) throw error;
  }
}

function drawNothing(why) {
  const trouble = find("node-trouble");
  trouble.hidden = !why;
  trouble.textContent = why;
  document.querySelector("#node .split").hidden = Boolean(why) && !proof.header && !/prove/.test(why);
  if (!why) return;
  for (const id of ["children", "more-children", "data", "more-data", "stat", "acl", "how"]) fill(find(id));
  find("data-note").textContent = "";
}

function drawNode(node) {
  drawNothing("");
  find("asker").textContent = node.asker.length ? plain(node.asker.filter((id) => !id.startsWith("ip:")).join(", ")) : "anybody";
  drawAcl(node.acl);
  if (!node.stat) {
    for (const id of ["children", "more-children", "data", "more-data", "stat", "how"]) fill(find(id));
    const who = node.asker.length ? "These proofs do not give" : "Not everybody has";
    find("data-note").textContent = `${who} READ on this node: its stat, data and children are not shown.${node.asker.length ? "" : " Prove who you are, below."}`;
    return;
  }
  drawChildren(node);
  drawStat(node.stat);
  tree.bytes = node.data === null ? null : Uint8Array.from(atob(node.data.base64), (c) => c.charCodeAt(0));
  tree.length = node.stat.data_length;
  tree.from = node.data?.offset ?? 0;
  drawData();
}

function drawChildren(node) {
  const child = ({ name, children, bytes }) => make("li", {},
    make("a", { href: linkTo(joined(node.path, name)) }, ...shown(name)),
    make("small", { title: bytes === undefined ? "no permission to read it" : undefined },
      bytes === undefined ? "no READ" : [children ? `${whole(children)} children` : "", bytes ? said(size(bytes)) : ""].filter(Boolean).join(", ")));
  fill(find("children"), ...node.children.map(child));
  const total = node.stat.num_children;
  const before = tree.pages.length;
  find("h-children").textContent = `Children: ${whole(total)}`;
  const last = node.children[node.children.length - 1]?.name;
  const step = (label, go, on) => make("button", { type: "button", disabled: !on, onclick: () => { go(); refreshNode(); } }, label);
  fill(find("more-children"), ...(before || node.more_children ? [
    step("First", () => { tree.pages = []; }, before > 0),
    step("Back", () => tree.pages.pop(), before > 0),
    step("Next", () => tree.pages.push(last), node.more_children),
    make("span", {}, `${whole(before * 100 + 1)} to ${whole(before * 100 + node.children.length)}`),
  ] : []));
}

function drawStat(stat) {
  const rows = [
    ["version", String(stat.version)],
    ["mtime", stat.mtime ? date(stat.mtime) : "0"], ["mzxid", stat.mzxid],
    ["ctime", stat.ctime ? date(stat.ctime) : "0"], ["czxid", stat.czxid],
    ["children", whole(stat.num_children)], ["cversion", String(stat.cversion)], ["pzxid", stat.pzxid],
    ["aversion", String(stat.aversion)],
    ["data", `${whole(stat.data_length)} B`],
    ["ephemeral owner", stat.ephemeral_owner ?? "none"],
  ];
  fill(find("stat"), ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function drawAcl(acl) {
  const line = ({ perms, scheme, id }) => make("li", {}, make("b", {}, perms || NONE), " ", ...shown(`${scheme}:${id}`));
  const none = make("li", { class: "note" }, acl ? "an empty list: open to all" : "not shown without READ or ADMIN");
  fill(find("acl"), ...(acl?.length ? acl.map(line) : [none]));
}

/// The text, or null where the bytes are none.
function textOf(bytes, isPiece) {
  // A piece may begin and end inside a character.
  let [from, to] = [0, bytes.length];
  if (isPiece) {
    while (from < Math.min(3, to) && (bytes[from] & 0xc0) === 0x80) from++;
    for (let back = 1; back <= 3 && to - back >= from; back++) {
      if (bytes[to - back] >= 0xc0) { to -= back; break; }
      if (bytes[to - back] < 0x80) break;
    }
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(from, to));
  } catch {
    return null;
  }
}

function hexOf(bytes, from) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, "0"));
    const text = Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "."));
    const cells = [hex.slice(0, 8).join(" ").padEnd(23), hex.slice(8).join(" ").padEnd(23)];
    lines.push(`${(from + at).toString(16).padStart(8, "0")}  ${cells.join("  ")}  ${text.join("")}`);
  }
  return lines.join("\n");
}

function jsonOf(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}

function drawData() {
  const { bytes, length, from } = tree;
  const note = find("data-note");
  const data = find("data");
  if (bytes === null || length === 0) {
    note.textContent = bytes === null ? "none (null)" : "empty";
    for (const id of ["data", "more-data", "how"]) fill(find(id));
    return;
  }
  const isPiece = bytes.length < length;
  const text = textOf(bytes, isPiece);
  const json = text !== null && !isPiece ? jsonOf(text) : null;
  const can = { text: text !== null, JSON: json !== null, hex: true };
  const way = can[tree.way] ? tree.way : can.text ? "text" : "hex";
  note.textContent = isPiece ? `bytes ${whole(from)} to ${whole(from + bytes.length - 1)} of ${whole(length)}` : `${whole(length)} bytes`;
  if (way !== tree.way) note.textContent += tree.way === "JSON" ? "; no JSON" : "; no UTF-8";
  fill(find("how"), ...WAYS.map((name) => make("button", { type: "button", "aria-pressed": String(name === way), disabled: !can[name],
    onclick: () => { tree.way = name; drawData(); } }, name)));
  data.className = way === "hex" ? "hex" : "";
  const lines = way === "text" ? text.split(/(\n|\t)/) : null;
  fill(data, ...(way === "hex" ? [hexOf(bytes, from)] : way === "JSON" ? shown2(json) : lines.flatMap((part) => (part === "\n" || part === "\t" ? [part] : shown(part)))));
  const step = (label, to, on) => make("button", { type: "button", disabled: !on, onclick: () => { tree.offset = to; refreshNode(); } }, label);
  fill(find("more-data"), ...(isPiece ? [
    step("Back", Math.max(0, from - DATA_PIECE), from > 0),
    step("Next 64 KiB", from + DATA_PIECE, from + bytes.length < length),
  ] : []));
}

const shown2 = (text) => text.split(/(\n)/).flatMap((part) => (part === "\n" ? [part] : shown(part)));

function beginNode() {
  find("goto").addEventListener("submit", (event) => {
    event.preventDefault();
    const path = find("path").value.trim() || "/";
    find("path").blur();
    location.hash = linkTo(path.startsWith("/") ? path : `/${path}`);
  });
  find("prove").addEventListener("submit", (event) => {
    event.preventDefault();
    const user = find("user").value;
    const utf8 = unescape(encodeURIComponent(`${user}:${find("password").value}`));
    if (!/^[\x21-\x7e\x80-\xff](.*[\x21-\x7e\x80-\xff])?$/.test(utf8)) return;
    proof.header = `digest ${utf8}`;
    refreshNode();
  });
  find("forget").addEventListener("click", () => {
    proof.header = null;
    find("password").value = "";
    refreshNode();
  });
  if (location.protocol === "http:" && !/^(localhost|127\.|\[::1\])/.test(location.hostname)) find("clear").textContent = ", in clear text: this is no TLS";
}
