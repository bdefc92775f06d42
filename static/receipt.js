// The receipt: copy buttons and printing. Without this file the keys can be selected and the browser prints.
(() => {
  "use strict";
  document.documentElement.classList.add("js");

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch (error) { // no permission, or a page without TLS
      getSelection().selectAllChildren(button.parentElement.querySelector("code"));
      if (!document.execCommand("copy")) return;
    }
    const label = button.textContent;
    button.textContent = document.querySelector("#say").textContent = button.dataset.done;
    setTimeout(() => { button.textContent = label; }, 2000);
  }

  document.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    if (on("[data-copy]") && on("[data-copy]").textContent !== on("[data-copy]").dataset.done) copy(on("[data-copy]"));
    if (on("[data-print]")) print();
  });
})();
