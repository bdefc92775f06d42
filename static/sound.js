// Two notes when the payment has come. Silent until the buyer switches it on, which is remembered; browsers play
// nothing before the first click or key, so after a reload the first one wakes it up.
const NOTES = [[880, 0], [1318.5, 0.14]]; // Hz, seconds from now
const NAME = "checkout-sound";
let context, on = false;

try {
  on = Boolean(localStorage[NAME]);
} catch (error) { } // frames may have no storage

// Whether it can be heard now.
async function start() {
  try {
    context ??= new AudioContext();
    await Promise.race([context.resume(), new Promise((enough) => setTimeout(enough, 1000))]); // may never answer
    return context.state === "running";
  } catch (error) {
    return false;
  }
}

function remember() {
  try {
    if (on) localStorage[NAME] = "on";
    else delete localStorage[NAME];
  } catch (error) { }
}

export async function turn(button, told) {
  on = !on && await start();
  told.textContent = on ? told.dataset.on : button.ariaPressed === "true" ? told.dataset.off : told.dataset.mute;
  remember();
  show(button);
  ring();
}

export function show(button) {
  button.ariaPressed = String(on);
  if (on && !context) for (const sign of ["pointerdown", "keydown"]) addEventListener(sign, start, { once: true });
}

export function ring() {
  if (!on || context?.state !== "running") return;
  for (const [pitch, later] of NOTES) {
    const at = context.currentTime + later, tone = context.createOscillator(), loudness = context.createGain();
    tone.frequency.value = pitch;
    loudness.gain.setValueAtTime(0, at);
    loudness.gain.linearRampToValueAtTime(0.25, at + 0.02);
    loudness.gain.exponentialRampToValueAtTime(0.001, at + 0.7);
    tone.connect(loudness).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.7);
  }
}
