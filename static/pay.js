// The checkout page: the countdown, polls that know when to be quiet, copying, announcements, the way back to the
// shop. Whether an order is paid or expired is the server's to say. Without this file the page still works.
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
  }

  body.addEventListener("htmx:beforeRequest", (event) => {
    acting = event.target.id !== "poll";
    if (acting) return;
    if (!awake && performance.now() - lastPoll < calm() - 250) return event.preventDefault();
    awake = false;
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
  }

  body.addEventListener("htmx:oobAfterSwap", () => {
    begin();
    const heading = find("#state h1");
    if (find("#state").dataset.stage === stage) return;
    stage = find("#state").dataset.stage;
    if (stage !== "pending") say(heading.textContent);
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

  // Buttons

  function copyByHand(text) {
    const box = doc.createElement("textarea");
    box.value = text;
    box.readOnly = true;
    box.style.position = "fixed";
    box.style.opacity = "0";
    body.append(box);
    box.select();
    const done = doc.execCommand("copy");
    box.remove();
    return done;
  }

  async function copy(button) {
    let done = false;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      done = true;
    } catch (error) { // no permission, or a page without TLS
      done = copyByHand(button.dataset.copy);
      button.focus();
    }
    if (!done) getSelection().selectAllChildren(find(".amount"));
    const label = button.textContent;
    say(done ? button.dataset.done : button.dataset.failed);
    if (!done || button.classList.contains("done")) return;
    button.classList.add("done");
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = label; button.classList.remove("done"); }, 2000);
  }

  function enlarge() {
    const large = find("#large"), code = find("#code img");
    large.prepend(code);
    large.showModal();
    large.addEventListener("close", () => find("#code").append(code), { once: true });
  }

  doc.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    if (on("[data-copy]")) copy(on("[data-copy]"));
    if (on("[data-zoom]") || (on("#code img") && find("[data-zoom]"))) enlarge();
    else if (on("#large")) find("#large").close();
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
