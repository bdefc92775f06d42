// The code as large as the screen allows, on white; any click and Escape put it back into the page.
export function enlarge(button, code) {
  const large = document.createElement("dialog"), close = document.createElement("button"), home = code.parentElement;
  const leave = () => home.isConnected || large.close(); // the page has a new state: this code is not to be paid any more
  large.id = "large";
  large.ariaLabel = code.alt;
  large.style.cssText = "padding:12px;border:0;border-radius:16px;background:#fff;box-shadow:0 0 0 100vmax #000c";
  close.className = "quiet";
  close.textContent = button.dataset.close;
  close.style.cssText = "width:100%;margin-top:8px;color:#047f40";
  code.style.width = "min(84vw, 76vh)";
  large.append(code, close);
  large.onclick = () => large.close();
  large.onclose = () => {
    document.removeEventListener("htmx:oobAfterSwap", leave, true);
    code.style.width = "";
    home.append(code);
    large.remove();
    if (button.isConnected) button.focus();
  };
  document.addEventListener("htmx:oobAfterSwap", leave, true);
  document.body.append(large);
  large.showModal();
}
