// The owner's pages work without this file. It closes the sheet of pages, and brings the eye to what was refused.
(() => {
  "use strict";
  const doc = document, more = doc.querySelector(".more");
  if (more) {
    doc.addEventListener("click", (event) => { if (!more.contains(event.target)) more.open = false; });
    doc.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !more.open) return;
      more.open = false;
      more.querySelector("summary").focus();
    });
  }
  // An order opens beside the list where there is room; with a modified click, or on a phone, it is a page.
  const drawer = doc.querySelector("#drawer");
  doc.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-drawer]");
    const plain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (!link || !drawer || !plain || !window.htmx || !matchMedia("(min-width: 900px)").matches) return;
    event.preventDefault();
    htmx.ajax("GET", link.href, { target: "#drawer-body", select: "#order", swap: "innerHTML" }).then(() => {
      if (drawer.querySelector("#order")) drawer.showModal();
      else location.assign(link.href);
    });
  });
  if (drawer) drawer.addEventListener("click", (event) => { if (event.target === drawer) drawer.close(); });

  // A download leaves the page where it is: it can say how far the copy is.
  doc.addEventListener("submit", (event) => {
    const place = doc.getElementById("copying");
    if (!place || !event.target.closest("#backup") || !window.htmx) return;
    htmx.ajax("GET", place.dataset.watch, { target: "#copying", swap: "outerHTML" });
  });
  // A long upload says how far it is. Where that fails, or is refused, the browser sends the form as ever.
  doc.addEventListener("submit", (event) => {
    const form = event.target, place = form.querySelector(".sending");
    if (!place || event.defaultPrevented) return;
    event.preventDefault();
    const bar = place.querySelector("progress"), request = new XMLHttpRequest();
    const asEver = () => { place.hidden = true; form.submit(); };
    place.hidden = false;
    form.querySelector("button").disabled = true;
    request.upload.onprogress = ({ loaded, total }) => { bar.value = loaded / total; };
    request.upload.onload = () => bar.removeAttribute("value"); // now the server is at it
    request.onload = () => {
      const next = request.getResponseHeader("HX-Redirect");
      if (next) location.assign(next); else asEver();
    };
    request.onerror = asEver;
    request.open("POST", form.action);
    request.setRequestHeader("HX-Request", "true");
    request.send(new FormData(form));
  });
  // What is to be pasted elsewhere.
  doc.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copy]"), text = button && doc.getElementById(button.dataset.copy);
    if (!text) return;
    text.select();
    try { await navigator.clipboard.writeText(text.value); } catch { doc.execCommand("copy"); }
    const before = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = before; }, 2000);
  });

  const wrong = doc.querySelector("[aria-invalid]") || doc.querySelector("#refused");
  if (wrong) wrong.focus();
})();
