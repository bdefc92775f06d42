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
  const wrong = doc.querySelector("[aria-invalid]") || doc.querySelector("#refused");
  if (wrong) wrong.focus();
})();
