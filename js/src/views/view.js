// One view of a talk: builds its parts, and draws them at most once a frame, when something has changed.

import { isByHand, phaseOf } from "../store.js";
import { announcer } from "./announcer.js";
import { bar } from "./bar.js";
import { composer } from "./composer.js";
import { conversation } from "./conversation.js";
import { make, setAttribute } from "./dom.js";
import { takeDrops } from "./drop.js";
import { events } from "./events.js";
import { facts } from "./facts.js";
import { listenToKeys } from "./keyboard.js";
import { settings } from "./settings.js";
import { tabs } from "./tabs.js";
import { troubles } from "./troubles.js";

/**
 * What was said, and the place to type.
 *
 * @param {import("../page.js").Page} page
 * @param {AbortSignal} signal
 * @returns {import("./tabs.js").Panel}
 */
function talked(page, signal) {
  const parts = [conversation(page, signal), composer(page, signal)];
  return {
    name: "Conversation",
    element: make("div", "gip-talked", {}, ...parts.map((part) => part.element)),
    draw(state) {
      for (const part of parts) part.draw(state);
    },
  };
}

/**
 * @param {HTMLElement} el where the host wants it
 * @param {import("../page.js").Page} page
 * @param {AbortSignal} signal the view's lifetime
 */
export function openView(el, page, signal) {
  const top = bar(page, signal);
  const parts = [
    facts(page, signal),
    troubles(page),
    tabs([talked(page, signal), events(page, signal), settings(page, signal)]),
    announcer(),
  ];
  const root = make(
    "section",
    "gip",
    // What is typed here is for here: JupyterLab's own shortcuts must not fire. A click anywhere in it gives it the keys.
    { "aria-label": "Talk", "data-lm-suppress-shortcuts": "true", tabindex: "-1" },
    top.element,
    ...parts.map((part) => part.element),
  );

  let frame = 0;
  const draw = () => {
    frame = 0;
    const state = page.store.get();
    setAttribute(root, "data-gip-state", phaseOf(state));
    setAttribute(root, "data-gip-kernel", state.local.kernel);
    setAttribute(root, "data-gip-microphone", state.local.microphone);
    setAttribute(root, "data-gip-turns", isByHand(state) ? "manual" : "vad");
    setAttribute(root, "data-gip-pressed", state.local.pressed);
    top.draw(state, root.contains(document.activeElement));
    for (const part of parts) part.draw(state);
  };
  const drawSoon = () => {
    frame ||= requestAnimationFrame(draw);
  };
  page.store.subscribe(drawSoon, signal);
  for (const moved of ["focusin", "focusout"]) root.addEventListener(moved, drawSoon);
  listenToKeys(root, page, top, signal);

  root.addEventListener("keydown", (event) => {
    // Other hosts listen at the document; theirs with Ctrl or Cmd (save, run) stay theirs.
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
  root.addEventListener("pointerdown", () => page.touched());
  takeDrops(root, page);
  signal.addEventListener(
    "abort",
    () => {
      cancelAnimationFrame(frame);
      root.remove();
    },
    { once: true },
  );

  draw();
  el.append(root);
  page.viewOpened(signal);
}
