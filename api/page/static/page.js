// The page's own script: what plain HTML and htmx cannot say. No build step, nothing global.
(() => {
  "use strict";

  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const csrf = () => $('meta[name="csrf"]')?.content ?? "";

  // --- what is said -------------------------------------------------------

  /** Say something to those who listen rather than look. */
  function say(text) {
    const place = $("#said");
    if (place) place.textContent = text;
  }

  /** Show a message for a while; errors stay until they are closed. */
  function toast(text, kind = "done") {
    const box = document.createElement("div");
    box.className = `toast ${kind}`;
    box.setAttribute("role", kind === "error" ? "alert" : "status");
    const words = document.createElement("p");
    words.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "quiet";
    close.textContent = "×";
    close.setAttribute("aria-label", "Close message");
    close.addEventListener("click", () => box.remove());
    box.append(words, close);
    $("#toasts").append(box);
    if (kind !== "error") setTimeout(() => box.remove(), 5000);
  }

  /** Have every fragment that listens read anew. */
  const changed = () => window.htmx?.trigger(document.body, "changed");

  // --- forms that ask the API ----------------------------------------------

  /** Put a value under a dotted name. */
  function put(body, name, value) {
    const parts = name.split(".");
    const last = parts.pop();
    let place = body;
    for (const part of parts) place = place[part] ??= {};
    place[last] = value;
  }

  /** Return the value of a field as JSON has it; undefined for one that is left out. */
  function valueOf(text, type) {
    const trimmed = text.trim();
    if (type === "nullable") return trimmed || null;
    if (!trimmed) return undefined;
    if (type === "number") return Number(trimmed);
    if (type === "list") return [trimmed];
    if (type === "words") return trimmed.split(",").map((word) => word.trim()).filter(Boolean);
    return text;
  }

  /** Return what a form says, as the body of a request; null if it says nothing. */
  function bodyOf(form, submitter) {
    const body = {};
    for (const field of form.elements) {
      if (!field.name || field.disabled) continue;
      if (field.tagName === "BUTTON" && field !== submitter) continue;
      if (field.type === "radio" && !field.checked) continue;
      const value =
        field.type === "checkbox"
          ? field.checked || undefined
          : valueOf(field.value, field.dataset.type);
      if (value !== undefined) put(body, field.name, value);
    }
    return Object.keys(body).length ? body : null;
  }

  /** Ask the API; returns the answer's JSON, or throws an Error that says what is wrong. */
  async function ask(method, path, body, ifMatch) {
    const headers = { Accept: "application/json", "X-CSRF-Token": csrf() };
    if (body !== null) headers["Content-Type"] = "application/json";
    if (ifMatch) headers["If-Match"] = ifMatch;
    let answer;
    try {
      answer = await fetch(path, {
        method,
        headers,
        body: body === null ? undefined : JSON.stringify(body),
        credentials: "same-origin",
      });
    } catch {
      throw new Error("Vedette does not answer. Is it running?");
    }
    if (answer.status === 204) return null;
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) return told;
    const faults = (told.errors ?? []).map((fault) => `${fault.loc.at(-1)}: ${fault.msg}`);
    const error = new Error(
      [told.detail ?? told.title ?? `status ${answer.status}`, ...faults].join("; "),
    );
    error.status = answer.status;
    throw error;
  }

  /** Return the tag of an incident as somebody saw it: that of its row, or when it was marked. */
  const tagOf = (id) => document.getElementById(`incident-${id}`)?.dataset.etag ?? marked.get(id) ?? `"${id}-0"`;

  /** Return the requests that a form stands for: one, or one for each incident that it is about. */
  function requestsOf(form) {
    const { dataset } = form;
    const path = form.getAttribute("action");
    const ifMatch = dataset.ifMatch ?? (dataset.ifMatchFrom && $(dataset.ifMatchFrom)?.dataset.etag);
    if (!path.includes("{id}")) return [{ path, ifMatch }];
    const ids = (dataset.targets ?? "").split(" ").filter(Boolean);
    return ids.map((id) => ({ id, path: path.replace("{id}", id), ifMatch: tagOf(id) }));
  }

  /** Send a form marked data-api, and show what came of it. */
  async function send(form, submitter) {
    const data = form.dataset;
    const body = bodyOf(form, submitter);
    const requests = requestsOf(form);
    const buttons = $$("button", form);
    let failed = null;
    for (const button of buttons) button.setAttribute("aria-disabled", "true");
    for (const { id, path, ifMatch } of requests) {
      try {
        await ask(data.method ?? "POST", path, body, ifMatch);
        marked.delete(id);
      } catch (error) {
        failed = error;
        if (requests.length > 1) failed.message = `${id}: ${error.message}`;
      }
    }
    for (const button of buttons) button.removeAttribute("aria-disabled");
    if (failed?.status === 401) return location.assign("/login");
    if (failed) {
      toast(failed.message, "error");
      showMarks();
      if (failed.status === 412 || requests.length > 1) changed();
      return undefined;
    }
    if (data.go) return location.assign(data.go);
    const done = submitter?.dataset.done ?? data.done ?? "Done";
    toast(requests.length > 1 ? `${done}: ${requests.length} incidents` : done);
    form.closest("dialog")?.close();
    form.reset();
    unmark();
    return changed();
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-api]")) return;
    event.preventDefault();
    if (event.submitter?.getAttribute("aria-disabled") === "true") return;
    send(form, event.submitter);
  });

  // --- incidents: which one, which ones ------------------------------------

  /** What is marked: number and the tag that was seen last; it outlives the rows that show it. */
  const marked = new Map();

  /** Return the element that stands for the incident that keys are about. */
  function current() {
    return document.activeElement?.closest?.("[data-incident]") ?? $("article[data-incident]");
  }

  /** Return the numbers that an action is about: what is marked, or the current one. */
  function targets() {
    if (marked.size) return [...marked.keys()];
    const one = current();
    return one ? [one.dataset.incident] : [];
  }

  /** Show what is marked, and offer what can be done with it. */
  function showMarks() {
    for (const box of $$("[data-mark]")) {
      const number = box.dataset.mark;
      box.checked = marked.has(number);
      if (box.checked) marked.set(number, tagOf(number));
    }
    const bar = $("#bulk");
    if (!bar) return;
    bar.hidden = marked.size === 0;
    bar.dataset.targets = targets().join(" ");
    $(".bulk-count", bar).textContent = `${marked.size} marked`;
  }

  function unmark() {
    marked.clear();
    showMarks();
  }

  document.addEventListener("change", (event) => {
    const number = event.target.dataset?.mark;
    if (!number) return;
    if (event.target.checked) marked.set(number, tagOf(number));
    else marked.delete(number);
    showMarks();
  });

  // --- dialogs --------------------------------------------------------------

  function open(name) {
    const dialog = document.getElementById(name);
    if (dialog && !dialog.open) dialog.showModal();
    return Boolean(dialog);
  }

  /** Open the dialog that resolves what is marked, or the current incident. */
  function openResolve() {
    const numbers = targets();
    const form = $("#resolve form");
    if (!form || !numbers.length) return;
    form.dataset.targets = numbers.join(" ");
    $(".about", form).textContent =
      numbers.length > 1 ? `${numbers.length} incidents` : `incident ${numbers[0]}`;
    open("resolve");
  }

  /** Open the dialog that silences the entity of the current incident. */
  function openSilence() {
    const one = current();
    const form = $("#silence form");
    if (!form || !one) return;
    for (const field of $$("[data-fill]", form)) field.value = one.dataset[field.dataset.fill];
    $(".about", form).textContent = one.dataset.entity;
    const choices = $("[data-fill-options]", form);
    choices.length = 1;
    for (const name of one.dataset.detectors.split(" ").filter(Boolean)) {
      choices.add(new Option(`Only ${name}`, name));
    }
    open("silence");
  }

  /** Acknowledge what is marked, or the current incident. */
  function acknowledge() {
    if (marked.size) return $("#bulk button.primary")?.click();
    const button = $("#acknowledge");
    if (button) return button.click();
    const form = $("#bulk");
    const one = current();
    if (!form || !one) return undefined;
    form.dataset.targets = one.dataset.incident;
    return send(form, $("button.primary", form));
  }

  const acts = { resolve: openResolve, silence: openSilence, unmark };

  document.addEventListener("click", (event) => {
    const element = event.target.closest?.("[data-dialog], [data-act], [data-close]");
    if (!element) return;
    if (element.dataset.dialog) open(element.dataset.dialog);
    else if (element.dataset.act) acts[element.dataset.act]?.();
    else element.closest("dialog")?.close();
  });

  // --- keys -------------------------------------------------------------------

  /** Move to the next or previous row; rows are where their links are. */
  function move(step) {
    const links = $$(".incidents a.title");
    if (!links.length) return;
    const row = document.activeElement?.closest?.("tr[data-incident]");
    const at = row ? links.findIndex((link) => row.contains(link)) : -1;
    const to = at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step;
    links[Math.min(Math.max(to, 0), links.length - 1)].focus();
  }

  function toggleMark() {
    const box = $("[data-mark]", current() ?? document.createElement("i"));
    box?.click();
  }

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    x: toggleMark,
    a: acknowledge,
    r: openResolve,
    s: openSilence,
    c: () => $("#comment")?.focus(),
    "/": () => $("#text")?.focus(),
    "?": () => open("help"),
  };
  const places = { i: "/", t: "/traffic", s: "/silences" };
  let before = "";

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input:not([type='checkbox']), textarea, select");
    if (event.key === "Escape" && typing && !event.target.closest("dialog")) event.target.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return undefined;
    const place = before === "g" && places[event.key];
    before = event.key;
    if (place) return location.assign(place);
    const act = keys[event.key];
    if (!act) return undefined;
    event.preventDefault();
    return act();
  });

  // --- times ------------------------------------------------------------------

  /** Return how long ago a time was, as people say it; nothing for one to come. */
  function ago(time) {
    const seconds = Math.floor((Date.now() - time) / 1000);
    if (seconds < 0) return "";
    if (seconds < 60) return "just now";
    for (const [length, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (seconds >= length) return `${Math.floor(seconds / length)} ${unit} ago`;
    }
    return "";
  }

  function showTimes() {
    const clock = $("#clock");
    if (clock) {
      const now = new Date().toISOString();
      clock.dateTime = now;
      clock.textContent = `${now.slice(11, 16)} UTC`;
    }
    for (const place of $$("[data-ago]")) place.textContent = ago(Date.parse(place.dataset.ago));
  }

  // --- live ---------------------------------------------------------------------

  /** Numbers of incidents that came while the page was open, and when they did. */
  const fresh = new Map();
  const arrived = [];
  let unseen = 0;
  let stale = false;
  let waiting = null;
  const title = document.title;

  /** Read anew soon, once for all that happens until then; nobody looks at a hidden tab. */
  function readSoon() {
    if (document.hidden) return;
    waiting ??= setTimeout(() => {
      waiting = null;
      tellArrivals();
      if (stale) changed();
      stale = false;
    }, 400);
  }

  function showUnseen() {
    if (!document.hidden) {
      unseen = 0;
      readSoon();
    }
    document.title = unseen ? `(${unseen}) ${title}` : title;
  }

  /** Tell of what came since the last time: one by its words, several by their number. */
  function tellArrivals() {
    const [last] = arrived.slice(-1);
    if (!last) return;
    const words = `${last.severity}: ${last.summary}`;
    const text = arrived.length > 1 ? `${arrived.length} new incidents, the last ${words}` : `New incident, ${words}`;
    arrived.length = 0;
    say(text);
    const page = $("article[data-incident]");
    if (!page || page.dataset.incident === String(last.id)) return;
    for (const old of $$(".toast.news").slice(0, -2)) old.remove();
    toast(text, "news");
  }

  /** Take one piece of news, from the stream or from another tab that listens. */
  function take(news) {
    if (news.name === "state") return showLive(news.state);
    const about = news.data?.incident;
    const page = $("article[data-incident]");
    if (about && news.data.action === "opened" && !about.parent_id) {
      fresh.set(String(about.id), Date.now());
      arrived.push(about);
      unseen += document.hidden ? 1 : 0;
      showUnseen();
    }
    if (!page || !about || page.dataset.incident === String(about.id)) stale = true;
    return readSoon();
  }

  const words = { on: "live", off: "connecting", lost: "not live", out: "logged out" };

  function showLive(state) {
    const place = $("#live");
    if (!place || place.dataset.state === state) return;
    place.dataset.state = state;
    $(".live-word", place).textContent = words[state];
  }

  /** Listen to the stream, and tell the other tabs; comes back by itself. */
  function listen(path, tell) {
    const stream = new EventSource(path);
    const both = (news) => {
      take(news);
      tell(news);
    };
    stream.addEventListener("open", () => both({ name: "state", state: "on" }));
    stream.addEventListener("incident", (event) =>
      both({ name: "incident", data: JSON.parse(event.data) }),
    );
    stream.addEventListener("reset", () => both({ name: "reset" }));
    stream.addEventListener("error", async () => {
      if (stream.readyState !== EventSource.CLOSED) return both({ name: "state", state: "off" });
      const out = await ask("GET", "/api/v1/session", null).then(
        () => false,
        (error) => error.status === 401,
      );
      both({ name: "state", state: out ? "out" : "lost" });
      if (!out) setTimeout(() => listen(path, tell), 15000);
      return undefined;
    });
  }

  /** One tab listens for all: a browser has six connections to a server, and tabs are many. */
  function startLive(path) {
    const tabs = new BroadcastChannel("vedette");
    tabs.addEventListener("message", (event) => {
      if (event.data !== "who") take(event.data);
      else if ($("#live")?.dataset.leads) tabs.postMessage({ name: "state", state: $("#live").dataset.state });
    });
    const lead = () => {
      $("#live").dataset.leads = "true";
      listen(path, (news) => tabs.postMessage(news));
      return new Promise(() => {}); // for as long as this tab is there
    };
    if (navigator.locks) navigator.locks.request("vedette-stream", lead);
    else lead();
    tabs.postMessage("who");
    document.addEventListener("visibilitychange", showUnseen);
  }

  // --- charts -------------------------------------------------------------------

  const charts = new Map();
  let drawnAt = 0;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /** How a series is drawn, by its role. */
  const roles = {
    value: () => ({ stroke: colour("--accent"), width: 2, fill: colour("--band") }),
    other: () => ({ stroke: colour("--low"), width: 1.5 }),
    warning: () => ({ stroke: colour("--medium"), width: 1.5 }),
    error: () => ({ stroke: colour("--high"), width: 1.5 }),
    limit: () => ({ stroke: colour("--limit"), width: 1.5, dash: [6, 4] }),
    expected: () => ({ stroke: colour("--muted"), width: 1.5, dash: [2, 3] }),
    low: () => ({ stroke: colour("--muted"), width: 0.5 }),
    high: () => ({ stroke: colour("--muted"), width: 0.5 }),
  };

  /** Write the times below a chart, in UTC: days, minutes or seconds, as close as they stand. */
  function times(_plot, at, _axis, _space, step) {
    const [from, to] = step >= 86400 ? [5, 10] : step >= 60 ? [11, 16] : [11, 19];
    return at.map((seconds) => new Date(seconds * 1000).toISOString().slice(from, to));
  }

  /** Return a chart's numbers as they are drawn: one moment alone in the middle of ten minutes. */
  function lines({ x, series }) {
    if (x.length > 1) return [x, ...series.map((each) => each.values)];
    const around = ({ role, values: [value] }) => (role === "limit" ? [value, value, value] : [null, value, null]);
    return [[x[0] - 300, x[0], x[0] + 300], ...series.map(around)];
  }

  /** Draw one chart into a place. */
  function draw(place, chart) {
    const axis = {
      stroke: colour("--muted"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 },
    };
    const band = ["high", "low"].map((role) => chart.series.findIndex((each) => each.role === role) + 1);
    const options = {
      width: Math.max(place.clientWidth, 240),
      height: 190,
      tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      cursor: { y: false },
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.08] } },
      series: [
        { value: "{YYYY}-{MM}-{DD} {HH}:{mm} UTC" },
        ...chart.series.map((each) => ({
          label: each.label,
          points: { show: chart.x.length < 3 && each.role !== "limit" },
          value: (_, value) => (value === null ? "–" : value.toLocaleString("en")),
          ...(roles[each.role] ?? roles.other)(),
        })),
      ],
      bands: band.every(Boolean) ? [{ series: band, fill: colour("--band") }] : [],
      axes: [
        { ...axis, values: times, space: 72 },
        // A longer unit would not stand along the axis; the title says it.
        { ...axis, size: 60, ...(chart.unit.length < 16 ? { label: chart.unit, labelSize: 18 } : {}) },
      ],
    };
    return new window.uPlot(options, lines(chart), place);
  }

  /** Return the chart's numbers as a table, for those who do not see lines. */
  function numbers(chart) {
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    summary.textContent = "Numbers";
    const scroll = document.createElement("div");
    scroll.className = "scroll";
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", `Numbers of ${chart.title ?? "the chart"}`);
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const name of ["Time (UTC)", ...chart.series.map((each) => each.label)]) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = name;
      head.append(cell);
    }
    const body = table.createTBody();
    chart.x.forEach((seconds, at) => {
      const row = body.insertRow();
      row.insertCell().textContent = new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
      for (const each of chart.series) row.insertCell().textContent = each.values[at]?.toLocaleString("en") ?? "";
    });
    scroll.append(table);
    details.append(summary, scroll);
    return details;
  }

  /** Read a figure's numbers and draw them; it hides where there is nothing to draw. */
  async function show(figure) {
    const told = await ask("GET", figure.dataset.chart, null).catch(() => null);
    const wanted = (told?.charts ?? [told]).filter((chart) => chart?.x?.length && chart.series?.length);
    for (const each of $$(".plotted", figure)) each.remove();
    charts.get(figure)?.forEach((plot) => plot.destroy());
    charts.delete(figure);
    figure.hidden = wanted.length === 0;
    const drawn = wanted.map((chart) => {
      const whole = document.createElement("div");
      whole.className = "plotted";
      if (chart.title) {
        const name = document.createElement("p"); // no heading: figures stand at any depth
        name.className = "plot-title";
        name.textContent = chart.title;
        whole.append(name);
      }
      const place = document.createElement("div");
      place.className = "plot";
      place.setAttribute("aria-hidden", "true");
      whole.append(place, numbers(chart));
      figure.append(whole);
      return draw(place, chart);
    });
    if (drawn.length) charts.set(figure, drawn);
  }

  function showCharts() {
    drawnAt = Date.now();
    for (const figure of $$("[data-chart]")) show(figure);
  }

  /** Draw figures that a fragment brought, and let go of those that went with one. */
  function showNewCharts() {
    for (const [figure, plots] of charts) {
      if (figure.isConnected) continue;
      plots.forEach((plot) => plot.destroy());
      charts.delete(figure);
    }
    for (const figure of $$("[data-chart]")) if (!charts.has(figure)) show(figure);
  }

  function startCharts() {
    showCharts();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showCharts);
    addEventListener("resize", () => {
      for (const [figure, plots] of charts) {
        const places = $$(".plot", figure);
        plots.forEach((plot, at) => plot.setSize({ width: places[at].clientWidth, height: 190 }));
      }
    });
  }

  // --- log-in ---------------------------------------------------------------

  /** Return the code in a link, or a code by itself. */
  const codeIn = (text) => (/#code=([\w-]+)/.exec(text) ?? /^\s*([\w-]+)\s*$/.exec(text))?.[1];

  async function logIn(code) {
    const said = $("#login-said");
    if (!code) {
      said.textContent = "That is neither a log-in link nor its code.";
      return;
    }
    said.textContent = "Logging in…";
    try {
      await ask("POST", "/login", { code });
      location.replace("/");
    } catch (error) {
      said.textContent = `Not logged in: ${error.message}`;
      said.classList.add("failed");
    }
  }

  function startLogin() {
    $("#login-form").addEventListener("submit", (event) => {
      event.preventDefault();
      logIn(codeIn($("#code").value));
    });
    const arrived = () => {
      const code = codeIn(location.hash);
      // Nobody who looks at the address bar or the history later sees it.
      if (location.hash) history.replaceState(null, "", location.pathname);
      if (code) logIn(code);
    };
    addEventListener("hashchange", arrived);
    arrived();
  }

  // --- htmx -----------------------------------------------------------------------

  // What was not chosen does not belong into the address.
  document.addEventListener("htmx:configRequest", (event) => {
    const chosen = event.detail.parameters;
    for (const name of Object.keys(chosen)) if (chosen[name] === "") delete chosen[name];
  });

  let row = -1;
  document.addEventListener("htmx:beforeSwap", (event) => {
    // What is no part of a view, whoever answered with it, is not written into the page.
    const type = event.detail.xhr.getResponseHeader("Content-Type") ?? "";
    if (!type.startsWith("text/html")) event.detail.shouldSwap = false;
    const at = document.activeElement?.closest?.("tr[data-incident]");
    row = at ? at.sectionRowIndex : -1;
  });

  document.addEventListener("htmx:afterSettle", () => {
    showTimes();
    showMarks();
    showNewCharts();
    if (Date.now() - drawnAt > 5000) showCharts();
    for (const [number, since] of fresh) {
      if (Date.now() - since < 4000) document.getElementById(`incident-${number}`)?.classList.add("fresh");
      else fresh.delete(number);
    }
    // Who was at a row that is gone is at the one in its place now.
    if (row >= 0 && document.activeElement === document.body) {
      const links = $$(".incidents a.title");
      links[Math.min(row, links.length - 1)]?.focus({ preventScroll: true });
    }
  });

  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status !== 401) toast("The view could not be read anew.", "error");
  });

  // --- start ------------------------------------------------------------------------

  const live = document.body.dataset.live;
  if (live) startLive(live);
  showTimes();
  setInterval(showTimes, 20000);
  startCharts();
  if ($("#login")) startLogin();
})();
