// The checkout page: the countdown, polls that know when to be quiet, announcements, buttons, the way back to the shop.
// Whether an order is paid or expired is the server's to say. Without this file the page still works.
(() => {
  "use strict";
  const doc = document, root = doc.documentElement, body = doc.body;
  const find = (selector) => doc.querySelector(selector);
  const say = (text) => { find("#say").textContent = text; };
  root.classList.add("js");

  // The countdown runs on seconds that the server gave: the buyer's clock may be wrong.

  let deadline = 0, shown = -1;
  const secondsLeft = () => Math.max(0, Math.ceil((deadline - performance.now()) / 1000));
  const setLeft = (seconds) => { deadline = performance.now() + seconds * 1000; };

  function tick() {
    const left = secondsLeft(), timer = find("[data-timer]");
    if (!timer || left === shown) return;
    timer.textContent = Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0");
    for (const mark of [300, 60, 30]) if (shown > mark && left <= mark) say(find("#say").dataset[mark]);
    if (left === 0) { wake(); setTimeout(wake, 1500); }
    shown = left;
  }

  // Polls: at once when the buyer comes back, rarely while the page is hidden or the server is away.

  let failures = 0, lastPoll = 0, awake = false;
  const calm = () => Math.max(doc.hidden ? 15 : 0, failures ? Math.min(15, 2 ** failures) : 0) * 1000;

  function wake() {
    awake = true;
    body.dispatchEvent(new Event("checkout:wake"));
    awake = false; // dropped, if a poll is on its way already
  }

  body.addEventListener("htmx:beforeRequest", (event) => {
    acting = event.target.id !== "poll";
    if (acting) return;
    if (!awake && performance.now() - lastPoll < calm() - 250) return event.preventDefault();
    lastPoll = performance.now();
  });
  body.addEventListener("htmx:afterRequest", (event) => {
    const lost = !event.detail.successful;
    if (lost && !failures) say(find("#net").textContent);
    failures = lost ? failures + 1 : 0;
    find("#net").hidden = !lost;
    const left = event.detail.xhr.getResponseHeader("Checkout-Left");
    if (left && Math.abs(left - secondsLeft()) > 2) setLeft(+left); // a nap, not the server's rounding
  });
  addEventListener("online", wake);
  addEventListener("focus", wake);
  addEventListener("pageshow", (event) => { if (event.persisted) wake(); });
  doc.addEventListener("visibilitychange", () => { if (!doc.hidden) wake(); });

  // A new state: heard once. The keyboard goes to the result of paying and of what the buyer did, never elsewhere.

  let acting = false, stage = find("#state").dataset.stage;

  function begin() {
    setLeft(+find("#state").dataset.left);
    shown = secondsLeft();
    const way = find("[data-return-in]");
    if (way) leaveBy(way);
    if (stored("checkout-sound") && find("[data-sound]")) withBell(() => bell.show(find("[data-sound]")));
  }

  body.addEventListener("htmx:oobAfterSwap", () => {
    begin();
    const heading = find("#state h1");
    if (find("#state").dataset.stage === stage) return;
    stage = find("#state").dataset.stage;
    if (stage !== "pending") say(heading.textContent);
    if (stage === "paid") bell?.ring();
    if (stage === "paid" || acting) heading.focus();
    acting = false;
    scrollTo(0, 0);
  });

  // Back to the shop after a few seconds, unless the buyer wants to stay.

  let leaving = 0;

  function leaveBy(way) {
    let seconds = +way.dataset.returnIn;
    const count = find("[data-count]");
    clearInterval(leaving);
    leaving = setInterval(() => {
      seconds -= 1;
      count.textContent = Math.max(seconds, 0);
      if (seconds > 0) return;
      clearInterval(leaving);
      const leave = new CustomEvent("checkout:leave", { cancelable: true, detail: way.href });
      if (doc.dispatchEvent(leave)) location.assign(way.href); // in a frame the page around goes
    }, 1000);
  }

  addEventListener("pagehide", () => clearInterval(leaving));

  // A sound when the money has come, for buyers who have switched it on; only they load it.

  let bell;
  const stored = (name) => { try { return localStorage[name]; } catch (error) { } }; // frames may have no storage
  const withBell = (then) => import(find("#say").dataset.bell).then((it) => { bell = it; then(); }, () => { });

  // Buttons

  function copyByHand(text) {
    const fill = (event) => { event.clipboardData.setData("text/plain", text); event.preventDefault(); };
    getSelection().selectAllChildren(find(".amount")); // what stays to be copied by hand if this fails
    doc.addEventListener("copy", fill);
    const done = doc.execCommand("copy");
    doc.removeEventListener("copy", fill);
    return done;
  }

  async function copy(button) {
    const { copy: text, done, failed } = button.dataset, label = button.textContent;
    const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false) || copyByHand(text);
    say(copied ? done : failed); // without permission, or TLS, the old way
    if (!copied || label === done) return;
    button.textContent = done;
    setTimeout(() => { button.textContent = label; }, 2000);
  }

  // The picture to keep has the amount beside the code; where it cannot be drawn the code alone is saved.
  function save(link) {
    const plain = () => { delete link.dataset.poster; link.click(); };
    import(link.dataset.poster).then((it) => it.save(link, find("#code img"))).catch(plain);
  }

  const enlarge = (button) => import(button.dataset.zoom).then((it) => it.enlarge(button, find("#code img")), () => { });

  doc.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    if (on("[data-copy]")) copy(on("[data-copy]"));
    if (on("[data-sound]")) withBell(() => bell.turn(on("[data-sound]"), find("#say")));
    if (on("[data-poster]")) {
      event.preventDefault();
      save(on("[data-poster]"));
    }
    if (on("[data-zoom], #code img") && find("[data-zoom]")) enlarge(find("[data-zoom]"));
    if (on("[data-app]")) setTimeout(() => { if (!doc.hidden) find("#stuck").hidden = false; }, 2500);
    if (on("[data-stop]")) {
      event.preventDefault();
      clearInterval(leaving);
      on("[data-stay]").remove();
      find("#state h1").focus();
    }
  });

  // htmx comes from a CDN that may be slow, blocked or wrong; then from here; else the page loads itself again.

  const tag = find("script[data-own]");

  function start() {
    // Loaded late it has missed its own start, and its settings with it.
    Object.assign(htmx.config, JSON.parse(find("meta[name=htmx-config]").content));
    htmx.process(body);
  }

  function reload() {
    setTimeout(() => fetch(location.href, { method: "HEAD" }).then(() => location.reload(), reload), 5000);
  }

  function fallBack() {
    if (window.htmx || !tag.isConnected) return;
    if (!tag.dataset.own) return reload();
    // Of another document it can no longer run, should it arrive after all.
    doc.implementation.createHTMLDocument("").adoptNode(tag);
    const own = doc.createElement("script");
    own.src = tag.dataset.own;
    own.onload = start;
    own.onerror = reload;
    doc.head.append(own);
  }

  if (tag) {
    if (window.htmx) start();
    tag.addEventListener("load", start);
    tag.addEventListener("error", fallBack);
    setTimeout(fallBack, 1500);
  }
  begin();
  tick();
  setInterval(tick, 250);
})();
