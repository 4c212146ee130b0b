// The widget's keys, as long as the focus is in it and nothing is typed.

import { isPressedBySpace, isTypedIn, keyOf } from "../keys.js";
import { isByHand, isLive, isMuted, phaseOf } from "../store.js";

/**
 * @param {HTMLElement} root the view
 * @param {import("../page.js").Page} page
 * @param {{ talk: HTMLElement, act: () => void, toggleKeys: () => void }} bar what the keys stand for
 * @param {AbortSignal} signal
 */
export function listenToKeys(root, page, { talk, act, toggleKeys }, signal) {
  const { store, pushToTalk } = page;
  /** Space is held here. */
  let held = false;

  const letGo = () => {
    if (!held) return;
    held = false;
    pushToTalk.release();
  };
  const live = () => {
    const phase = phaseOf(store.get());
    return store.get().local.kernel === "live" && phase !== "waiting" && isLive(phase);
  };

  /** @type {Record<import("../keys.js").Key, () => void>} */
  const actions = {
    Space() {
      if (!pushToTalk.offered) act();
      else if (!store.get().local.pressed) {
        held = true;
        pushToTalk.press("held");
      }
    },
    K() {
      if (pushToTalk.offered) pushToTalk.toggle();
    },
    M() {
      const muted = isMuted(store.get());
      if (live() && (muted || !isByHand(store.get()))) page.mute(!muted);
    },
    Q() {
      if (live()) page.stop();
    },
    Esc() {
      const phase = phaseOf(store.get());
      if (phase === "speaking" || phase === "thinking") page.interrupt();
    },
    "?": toggleKeys,
  };

  root.addEventListener("keydown", (event) => {
    const key = keyOf(event);
    const [target] = event.composedPath();
    if (!key || event.defaultPrevented || !(target instanceof Element) || isTypedIn(target)) return;
    if (key === "Space" && isPressedBySpace(target) && target !== talk) return;
    // Space would scroll, or press the button when it comes up.
    event.preventDefault();
    if (!event.repeat) actions[key]();
  });
  root.addEventListener("keyup", (event) => {
    const [target] = event.composedPath();
    if (event.code === "Space" && target === talk) event.preventDefault();
  });
  root.addEventListener("click", ({ detail, target }) => {
    // Space, after a click, is to talk, and not to press the same button again.
    const isPressed = target instanceof Element && target.closest(".gip-turns, .gip-verbs") !== null;
    if (detail > 0 && isPressed) talk.focus({ preventScroll: true });
  });
  // Wherever the key comes up.
  globalThis.addEventListener("keyup", ({ code }) => code === "Space" && letGo(), { signal, capture: true });
  globalThis.addEventListener("blur", letGo, { signal });
  document.addEventListener("visibilitychange", letGo, { signal });
  root.addEventListener("focusout", ({ relatedTarget }) => {
    if (!(relatedTarget instanceof Node && root.contains(relatedTarget))) letGo();
  });
  signal.addEventListener("abort", letGo, { once: true });
}
