// Which view is open, when it is asked for anew, and what is said when nobody answers.

const EVERY = 2000;
const TABS = ["overview", "node", "sessions"];
const state = { tab: "overview", answered: null, failed: null, busy: false, timer: null };

function show(tab) {
  state.tab = tab;
  for (const name of TABS) {
    const button = find(`tab-${name}`);
    button.setAttribute("aria-selected", String(name === tab));
    button.tabIndex = name === tab ? 0 : -1;
    find(name).hidden = name !== tab;
  }
}

/// The place in the address says what is shown: #overview, #tree/PATH, #sessions.
function follow() {
  const place = location.hash.slice(1);
  if (place === "main") return; // The way past the head, for keyboards.
  if (place.startsWith("tree")) {
    show("node");
    let path = "/";
    try {
      path = decodeURIComponent(place.slice(4)) || "/";
    } catch {
      // It is no place that this page has made.
    }
    guarded(() => openNode(path));
  } else {
    show(place === "sessions" ? "sessions" : "overview");
    refresh();
  }
}

async function guarded(act) {
  try {
    await act();
    answered();
  } catch (error) {
    failed(error);
  }
}

function answered() {
  [state.answered, state.failed] = [Date.now(), null];
  find("trouble").hidden = true;
  document.body.classList.remove("stale");
  pulse();
}

function failed(error) {
  state.failed ??= Date.now();
  const trouble = find("trouble");
  const since = state.answered ? ` What stands here is of ${clock(state.answered)}.` : "";
  const why = error instanceof Refused ? `The server refuses: ${error.message}.` : "The server does not answer.";
  trouble.hidden = false;
  trouble.textContent = `${why}${since} It is asked again every ${EVERY / 1000} s.`;
  document.body.classList.add("stale");
  pulse();
}

function pulse() {
  const word = find("pulse");
  word.className = document.hidden ? "resting" : state.failed ? "late" : "";
  word.textContent = state.answered ? clock(state.answered) : "...";
}

/// Everything that changes by itself. A node is asked for when somebody wants it.
async function refresh() {
  if (state.busy) return;
  state.busy = true;
  await guarded(async () => {
    await refreshOverview();
    if (state.tab === "sessions") await refreshSessions();
  });
  state.busy = false;
}

/// Nobody looks: nobody asks.
function keepAsking() {
  clearTimeout(state.timer);
  pulse();
  if (document.hidden) return;
  refresh().finally(() => {
    clearTimeout(state.timer);
    if (!document.hidden) state.timer = setTimeout(keepAsking, EVERY);
  });
}

function beginTheme() {
  const root = document.documentElement;
  const button = find("theme");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const say = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    say();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", say);
  say();
}

function beginTabs() {
  const places = { overview: "#overview", node: () => linkTo(tree.path), sessions: "#sessions" };
  TABS.forEach((name, i) => {
    const button = find(`tab-${name}`);
    const go = () => { location.hash = typeof places[name] === "function" ? places[name]() : places[name]; };
    button.addEventListener("click", go);
    button.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      const other = find(`tab-${TABS[(i + step + TABS.length) % TABS.length]}`);
      other.focus();
      other.click();
    });
  });
}

beginTheme();
beginTabs();
beginPlots();
beginNode();
beginSessions();
addEventListener("hashchange", follow);
document.addEventListener("visibilitychange", keepAsking);
follow();
keepAsking();
