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

  /** Send a form marked data-api, and show what came of it. */
  async function send(form, submitter) {
    const data = form.dataset;
    const from = data.ifMatchFrom && $(data.ifMatchFrom);
    const buttons = $$("button", form);
    for (const button of buttons) button.setAttribute("aria-disabled", "true");
    try {
      await ask(
        data.method ?? "POST",
        form.getAttribute("action"),
        bodyOf(form, submitter),
        data.ifMatch ?? from?.dataset.etag,
      );
    } catch (error) {
      if (error.status === 401) return location.assign("/login");
      toast(error.message, "error");
      if (error.status === 412) changed();
      return undefined;
    } finally {
      for (const button of buttons) button.removeAttribute("aria-disabled");
    }
    if (data.go) return location.assign(data.go);
    toast(submitter?.dataset.done ?? data.done ?? "Done");
    form.closest("dialog")?.close();
    form.reset();
    return changed();
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-api]")) return;
    event.preventDefault();
    if (event.submitter?.getAttribute("aria-disabled") === "true") return;
    send(form, event.submitter);
  });

  // --- dialogs --------------------------------------------------------------

  function open(name) {
    const dialog = document.getElementById(name);
    if (dialog && !dialog.open) dialog.showModal();
    return Boolean(dialog);
  }

  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-dialog]");
    if (opener) open(opener.dataset.dialog);
    if (event.target.matches?.("dialog [data-close]")) event.target.closest("dialog").close();
  });

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

  // --- start ------------------------------------------------------------------

  if ($("#login")) startLogin();
})();
