// How long the talk has lasted: ticks once a second while it goes on and can be seen.

import { clockText } from "../phrases.js";
import { isLive } from "../store.js";
import { make, setAttribute, setText, show } from "./dom.js";

const SECOND_MS = 1000;

/**
 * @param {AbortSignal} signal
 * @returns {{ element: HTMLElement, draw: (state: import("../store.js").State) => void }}
 */
export function elapsed(signal) {
  const element = make("time", "gip-elapsed", { title: "how long this talk has lasted" });
  let beganAtMs = 0;
  let running = false;
  let visible = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const tick = () => {
    clearTimeout(timer);
    if (!running || !visible || document.hidden || signal.aborted) return;
    // Two clocks that differ must not make it negative.
    const ms = Math.max(0, Date.now() - beganAtMs);
    setText(element, clockText(ms));
    timer = setTimeout(tick, SECOND_MS - (ms % SECOND_MS));
  };

  const watch = new IntersectionObserver((entries) => {
    visible = entries.at(-1)?.isIntersecting ?? true;
    tick();
  });
  watch.observe(element);
  document.addEventListener("visibilitychange", tick, { signal });
  signal.addEventListener(
    "abort",
    () => {
      watch.disconnect();
      clearTimeout(timer);
    },
    { once: true },
  );

  return {
    element,
    draw({ talk, local }) {
      const began = talk?.connected_at_ms ?? null;
      show(element, began !== null);
      const goesOn = talk !== null && began !== null && isLive(talk.state) && local.kernel === "live";
      if (talk && began !== null && !goesOn && talk.ended_at_ms !== null) {
        setText(element, clockText(talk.ended_at_ms - began));
      }
      setAttribute(element, "data-running", String(goesOn));
      if (goesOn === running && began === beganAtMs) return;
      running = goesOn;
      beganAtMs = began ?? 0;
      tick();
    },
  };
}
