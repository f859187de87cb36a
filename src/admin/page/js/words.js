// Numbers with their units, and texts of strangers as text.

/// Makes an element. Children are elements or texts: nothing is ever read as HTML.
function make(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return made;
}

const find = (id) => document.getElementById(id);

/// Replaces what an element holds, if that would change anything: a reader's selection and focus stay.
function fill(where, ...children) {
  const fresh = document.createElement("div");
  fresh.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  const old = Array.from(where.childNodes);
  const same = old.length === fresh.childNodes.length && old.every((node, i) => node.isEqualNode(fresh.childNodes[i]));
  if (!same) where.replaceChildren(...fresh.childNodes);
}

/// What is not seen, or turns the direction of a line: a name with these would look like another one.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff]/u;
const UNSEEN_ALL = new RegExp(UNSEEN.source, "gu");

const code = (c) => `\\u{${c.codePointAt(0).toString(16)}}`;

/// A stranger's text, with marks in the place of what is not seen.
function shown(text) {
  if (!UNSEEN.test(text)) return [text];
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(UNSEEN_ALL)) {
    parts.push(text.slice(from, found.index), make("span", { class: "odd" }, code(found[0])));
    from = found.index + found[0].length;
  }
  return [...parts, text.slice(from)];
}

/// The same where marks cannot be.
const plain = (text) => text.replace(UNSEEN_ALL, code);

const whole = (n) => Math.round(n).toLocaleString("en");
const NONE = "\u2013";

/// Number and unit.
function rate(n) {
  if (n === null) return [NONE, ""];
  return [n < 10 && n % 1 ? n.toFixed(1) : whole(n), "/s"];
}

function time(ms) {
  if (ms === null || ms === undefined) return [NONE, ""];
  if (ms < 1) return [String(Number(ms.toPrecision(2))), "ms"];
  if (ms < 1000) return [String(Number(ms.toPrecision(3))), "ms"];
  if (ms < 60e3) return [String(Number((ms / 1e3).toPrecision(3))), "s"];
  if (ms < 3600e3) return [`${Math.floor(ms / 60e3)} min ${Math.floor(ms / 1e3) % 60}`, "s"];
  if (ms < 86400e3) return [`${Math.floor(ms / 3600e3)} h ${Math.floor(ms / 60e3) % 60}`, "min"];
  return [`${Math.floor(ms / 86400e3)} d ${Math.floor(ms / 3600e3) % 24}`, "h"];
}

/// Counted in whole milliseconds: 0 is less than one.
const coarse = (ms) => (ms === 0 ? ["<1", "ms"] : time(ms));

function size(bytes) {
  if (bytes === null || bytes === undefined) return [NONE, ""];
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (bytes >= 1024 && i < units.length - 1) [bytes, i] = [bytes / 1024, i + 1];
  return [i === 0 ? String(bytes) : String(Number(bytes.toPrecision(3))), units[i]];
}

const count = (n) => (n === null || n === undefined ? [NONE, ""] : [whole(n), ""]);
const said = ([number, unit]) => (unit ? `${number} ${unit}` : number);

/// A number in a cell or a sentence, its unit small.
const cell = ([number, unit]) => [number, unit && make("span", { class: "unit" }, ` ${unit}`)];

const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;

const two = (n) => String(n).padStart(2, "0");
function clock(ms) {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
function date(ms) {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(ms)}`;
}
