// The large button: a click does what helps now; with push to talk it is held while one speaks, by mouse, finger or pen.

import { isDeaf, talkButtonOf } from "../phrases.js";
import { isByHand, isElsewhere, phaseOf } from "../store.js";
import { make, setAttribute } from "./dom.js";
import { icon } from "./icons.js";

/**
 * @typedef {import("../page.js").Page} Page
 * @typedef {import("../store.js").State} State
 * @typedef {import("./icons.js").IconName} IconName
 */

/** @type {Partial<Record<ReturnType<typeof phaseOf>, IconName>>} */
const ICONS = { muted: "muted", thinking: "dots", speaking: "bars" };

/**
 * @param {Page} page
 * @param {AbortSignal} signal
 * @returns {{ element: HTMLButtonElement, halo: HTMLElement, act: () => void, draw: (state: State) => void }} act: as a click
 */
export function talkButton(page, signal) {
  const halo = make("span", "gip-halo", { "aria-hidden": "true" });
  const icons = /** @type {IconName[]} */ (["microphone", "muted", "dots", "bars", "square"]).map(icon);
  const element = make("button", "gip-start gip-talk", {}, halo, ...icons);
  const { store, pushToTalk } = page;
  /** The pointer that holds it. @type {number | null} */
  let pointer = null;
  /** What the pointer did is not to be done again by its click. */
  let done = false;

  /** @type {Record<NonNullable<ReturnType<typeof talkButtonOf>["action"]>, () => void>} */
  const actions = {
    start: () => page.start(),
    talk: () => pushToTalk.toggle(),
    interrupt: () => page.interrupt(),
    microphone: () => page.openMicrophone(),
    take: () => page.take(),
    wake: () => page.touched(),
  };
  const act = () => {
    const { action } = talkButtonOf(store.get());
    if (action) actions[action]();
  };
  const letGo = () => {
    if (pointer === null) return;
    pointer = null;
    pushToTalk.release();
  };

  // The hand is on its way, or the focus is.
  for (const near of ["pointerenter", "focus"]) {
    element.addEventListener(near, () => page.audio.prepare(), { once: true });
  }
  element.addEventListener("pointerdown", ({ isPrimary, button, pointerId }) => {
    done = false;
    const { action } = talkButtonOf(store.get());
    if (!isPrimary || button !== 0 || !pushToTalk.offered || (action !== "talk" && action !== "start"))
      return;
    done = true;
    if (store.get().local.pressed) {
      pushToTalk.release();
      return;
    }
    pointer = pointerId;
    // The pointer may leave the button; what is held is held.
    element.setPointerCapture(pointerId);
    pushToTalk.press("held");
  });
  for (const end of /** @type {const} */ (["pointerup", "pointercancel", "lostpointercapture"])) {
    element.addEventListener(end, ({ pointerId }) => pointerId === pointer && letGo());
  }
  // A finger that stays asks for a menu.
  element.addEventListener("contextmenu", (event) => isByHand(store.get()) && event.preventDefault());
  element.addEventListener("click", ({ detail }) => {
    // By Enter, or by a screen reader, that knows no holding: begun with one, ended with another.
    if (!done || detail === 0) act();
  });
  globalThis.addEventListener("blur", letGo, { signal });
  document.addEventListener("visibilitychange", letGo, { signal });
  signal.addEventListener("abort", letGo, { once: true });

  return {
    element,
    halo,
    act,
    draw(state) {
      const phase = phaseOf(state);
      const { action, name } = talkButtonOf(state);
      const deaf = isDeaf(state);
      const quiet = deaf || phase === "muted" || state.local.kernel !== "live" || isElsewhere(state);
      setAttribute(element, "aria-label", name);
      setAttribute(element, "title", action ? name : null);
      setAttribute(element, "aria-disabled", action ? null : "true");
      setAttribute(element, "aria-pressed", action === "talk" ? String(state.local.pressed !== null) : null);
      setAttribute(element, "data-action", action ?? "none");
      setAttribute(element, "data-icon", deaf ? "muted" : (ICONS[phase] ?? "microphone"));
      setAttribute(element, "data-quiet", quiet ? "" : null);
    },
  };
}
