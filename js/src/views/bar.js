// The bar: the large talk button with its halo, the state in words, and what can be done now.

import { hintOf, isDeaf, labelOf, talkButtonOf } from "../phrases.js";
import { isElsewhere, isLive, isMuted, phaseOf } from "../store.js";
import { make, setAttribute, setText, show } from "./dom.js";
import { icon } from "./icons.js";
import { levelRing } from "./level-ring.js";

/**
 * @typedef {import("../page.js").Page} Page
 * @typedef {import("../store.js").State} State
 * @typedef {import("./icons.js").IconName} IconName
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

/** @type {Partial<Record<ReturnType<typeof phaseOf>, IconName>>} */
const ICONS = { muted: "muted", thinking: "dots", speaking: "bars" };

/**
 * @param {Page} page
 * @param {AbortSignal} signal
 * @returns {{ element: HTMLElement, draw: (state: State) => void }}
 */
export function bar(page, signal) {
  const halo = make("span", "gip-halo", { "aria-hidden": "true" });
  const icons = /** @type {IconName[]} */ (["microphone", "muted", "dots", "bars", "square"]).map(icon);
  const talk = make("button", "gip-start gip-talk", {}, halo, ...icons);
  const label = make("strong", "gip-state", { role: "status" });
  const hint = make("span", "gip-hint");
  const interrupt = make("button", "gip-interrupt gip-button", {}, "Interrupt");
  const mute = make("button", "gip-mute gip-button", {});
  const stop = make("button", "gip-stop gip-button", {}, "Stop");
  const verbs = make("div", "gip-verbs", {}, interrupt, mute, stop);
  const element = make("div", "gip-bar", {}, talk, make("div", "gip-words", {}, label, hint), verbs);

  const { store } = page;
  const ring = levelRing(
    halo,
    () => page.audio.level(phaseOf(store.get()) === "speaking" ? "model" : "microphone"),
    signal,
  );

  /** @type {Record<NonNullable<ReturnType<typeof talkButtonOf>["action"]>, () => void>} */
  const actions = {
    start: () => page.start(),
    interrupt: () => page.interrupt(),
    microphone: () => page.openMicrophone(),
    take: () => page.take(),
    wake: () => page.touched(),
  };
  talk.addEventListener("click", () => {
    const { action } = talkButtonOf(store.get());
    if (action) actions[action]();
  });
  interrupt.addEventListener("click", () => page.interrupt());
  mute.addEventListener("click", () => page.mute(!isMuted(store.get())));
  stop.addEventListener("click", () => {
    page.stop();
    // The button goes; the focus must not go with it.
    talk.focus();
  });

  return {
    element,
    draw(state) {
      const phase = phaseOf(state);
      const { action, name } = talkButtonOf(state);
      const live = state.local.kernel === "live" && phase !== "waiting" && isLive(phase);
      const muted = isMuted(state);
      setText(label, labelOf(state));
      setText(hint, hintOf(state));
      setAttribute(talk, "aria-label", name);
      setAttribute(talk, "title", action ? name : null);
      setAttribute(talk, "aria-disabled", action ? null : "true");
      setAttribute(talk, "data-action", action ?? "none");
      const deaf = isDeaf(state);
      setAttribute(talk, "data-icon", deaf ? "muted" : (ICONS[phase] ?? "microphone"));
      setAttribute(
        talk,
        "data-quiet",
        deaf || phase === "muted" || state.local.kernel !== "live" || isElsewhere(state) ? "" : null,
      );
      show(verbs, live);
      offer(interrupt, phase === "speaking" || phase === "thinking");
      offer(mute, state.local.microphone === "on" || muted);
      setText(mute, muted ? "Unmute" : "Mute");
      setAttribute(mute, "aria-pressed", String(muted));
      ring(live && (state.local.microphone === "on" || phase === "speaking"));
    },
  };
}
