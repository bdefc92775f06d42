// Our page inside another page: says what happens to the one origin that the server has allowed, and hears it alone.
(() => {
  "use strict";
  const { origin, close } = document.currentScript.dataset;
  if (parent === window) return;
  const send = (t, more) => parent.postMessage({ v: 1, t, ...more }, origin);
  const find = (selector) => document.querySelector(selector);
  document.documentElement.classList.add("framed");

  // What happens to the order

  const NEWS = { choose: "pending", pending: "pending", paid: "paid", expired: "expired", closed: "expired" };
  Object.assign(NEWS, { review: "review", error: "error" });
  let told;

  function tell() {
    const { stage: named, review, order = null, receipt = null } = find("main").dataset;
    const stage = review === undefined ? named : "review";
    if (stage !== told && NEWS[stage]) send(NEWS[stage], { state: NEWS[stage], order, receipt });
    told = stage;
  }

  addEventListener("message", ({ origin: from, source, data }) => {
    if (from !== origin || source !== parent || data?.v !== 1) return;
    if (data.t === "stay") find("[data-stop]")?.click();
    if ("inert" in data) document.documentElement.inert = data.inert; // a dialog is open
  });

  // A frame can move only itself, so the page around goes back to the shop.

  const isShop = (url) => /^https?:/.test(url) && new URL(url).origin !== location.origin;

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (event.defaultPrevented || !link || link.target || !isShop(link.href)) return;
    event.preventDefault();
    send("return", { url: link.href });
  });
  document.addEventListener("checkout:leave", (event) => {
    event.preventDefault();
    send("return", { url: event.detail });
  });

  // Its size, and how to close it

  const resize = () => send("resize", { height: Math.ceil(document.body.getBoundingClientRect().height) });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !find("dialog[open]")) send("close");
  });
  if (window.name === "checkout-dialog") {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet shut";
    button.textContent = "×";
    button.ariaLabel = close;
    button.onclick = () => send("close");
    find("header").append(button);
  }

  send("ready");
  tell();
  new MutationObserver(tell).observe(document.body, { childList: true });
  new ResizeObserver(resize).observe(document.body);
})();
