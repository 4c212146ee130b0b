// Says to screen readers, when they are free, what has been answered: the rows themselves grow in silence.

import { endedSince } from "../item-phrases.js";
import { EMPTY } from "../items.js";
import { make } from "./dom.js";

/** So many are there to be read at once; older ones have been. */
const MOST_LINES = 3;

/** @returns {{ element: HTMLElement, draw: (state: import("../store.js").State) => void }} */
export function announcer() {
  const element = make("div", "gip-announcer gip-unseen", { "aria-live": "polite", role: "log" });
  let before = EMPTY;
  return {
    element,
    draw({ conversation }) {
      for (const line of endedSince(before, conversation))
        element.append(make("p", "", { dir: "auto" }, line));
      while (element.childElementCount > MOST_LINES) element.firstElementChild?.remove();
      before = conversation;
    },
  };
}
