// The bar: the large talk button with its halo, the state in words, the meters, and what can be done now.

import { hintOf, labelOf } from "../phrases.js";
import { isByHand, isLive, isMuted, phaseOf } from "../store.js";
import { make, setAttribute, setText, show } from "./dom.js";
import { frameLoop } from "./frame-loop.js";
import { keyList } from "./key-list.js";
import { levelRing } from "./level-ring.js";
import { meters } from "./meters.js";
import { talkButton } from "./talk-button.js";

/**
 * @typedef {import("../page.js").Page} Page
 * @typedef {import("../store.js").State} State
 */

/**
 * Shows a button or not, and keeps its place: the others must not move under the pointer.
 *
 * @param {HTMLButtonElement} button
 * @param {boolean} offered
 */
function offer(button, offered) {
  setAttribute(button, "data-offered", String(offered));
  button.disabled = !offered;
}

/**
 * @param {string} words keys stand between backticks
 * @returns {(Node | string)[]}
 */
function withKeys(words) {
  return words.split("`").map((part, n) => (n % 2 === 1 ? make("kbd", "", {}, part) : part));
}

/**
 * @param {Page} page
 * @param {AbortSignal} signal
 * @returns {{
 *   element: HTMLElement,
 *   talk: HTMLElement,
 *   act: () => void,
 *   toggleKeys: () => void,
 *   draw: (state: State, focused?: boolean) => void,
 * }} act: what a click on the talk button does
 */
export function bar(page, signal) {
  const { store } = page;
  const talk = talkButton(page, signal);
  const label = make("strong", "gip-state", { role: "status" });
  const hint = make("span", "gip-hint");
  const bands = meters((side, levels) => page.audio.bands(side, levels));
  const retry = make("button", "gip-retry gip-button", {}, "Try now");
  const interrupt = make("button", "gip-interrupt gip-button", {}, "Interrupt");
  const mute = make("button", "gip-mute gip-button", {});
  const stop = make("button", "gip-stop gip-button", {}, "Stop");
  const verbs = make("div", "gip-verbs", {}, retry, interrupt, mute, stop);
  const keys = keyList(signal);
  const words = make("div", "gip-words", {}, label, hint);
  const element = make(
    "div",
    "gip-bar",
    {},
    ...[talk.element, words, bands.element, verbs, keys.button, keys.element],
  );
  /** The hint that is shown. */
  let hinted = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let counting;
  signal.addEventListener("abort", () => clearTimeout(counting), { once: true });

  /**
   * Shows the hint, and again each second while it counts down.
   *
   * @param {State} state
   * @param {boolean} focused
   */
  function drawHint(state, focused) {
    clearTimeout(counting);
    const words = hintOf(state, focused);
    if (words !== hinted) hint.replaceChildren(...withKeys(words));
    hinted = words;
    const { talk } = state;
    setAttribute(hint, "title", (phaseOf(state) === "reconnecting" && talk?.reconnecting?.message) || null);
    if (phaseOf(state) === "reconnecting" && talk?.reconnecting?.due_at_ms && !signal.aborted) {
      counting = setTimeout(() => drawHint(store.get(), focused), 1000);
    }
  }

  const ring = levelRing(talk.halo, () => {
    const state = store.get();
    const phase = phaseOf(state);
    if (phase === "speaking") return page.audio.level("model");
    return isByHand(state) && phase !== "hearing" ? 0 : page.audio.level("microphone");
  });
  const move = frameLoop(element, [ring, ...bands.pictures], signal);

  interrupt.addEventListener("click", () => page.interrupt());
  retry.addEventListener("click", () => {
    page.retry();
    // The button goes, or is not offered for a while; the focus must not go with it.
    talk.element.focus();
  });
  mute.addEventListener("click", () => page.mute(!isMuted(store.get())));
  stop.addEventListener("click", () => {
    page.stop();
    // The button goes; the focus must not go with it.
    talk.element.focus();
  });

  return {
    element,
    talk: talk.element,
    act: talk.act,
    toggleKeys: keys.toggle,
    draw(state, focused = false) {
      const phase = phaseOf(state);
      const live = state.local.kernel === "live" && phase !== "waiting" && isLive(phase);
      const muted = isMuted(state);
      const byHand = isByHand(state);
      const open = state.local.microphone === "on";
      talk.draw(state);
      setText(label, labelOf(state));
      drawHint(state, focused);
      show(verbs, live);
      show(bands.element, live);
      bands.used("microphone", open && !muted && (!byHand || phase === "hearing"));
      bands.used("model", phase === "speaking");
      const lost = phase === "reconnecting";
      show(retry, lost);
      show(interrupt, !lost);
      offer(retry, lost && state.talk?.reconnecting?.due_at_ms != null);
      offer(interrupt, phase === "speaking" || phase === "thinking");
      // Who pushes to talk is not heard anyway.
      offer(mute, muted || (open && !byHand));
      setText(mute, muted ? "Unmute" : "Mute");
      setAttribute(mute, "aria-pressed", String(muted));
      move(live && (open || phase === "speaking"));
    },
  };
}
