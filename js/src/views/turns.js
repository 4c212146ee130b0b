// How a turn ends: by a pause that the server hears, or by a key. A choice of two, at any time.

import { isByHand } from "../store.js";
import { make, setAttribute } from "./dom.js";

/** @type {[byHand: boolean, name: string, words: string, title: string][]} */
const CHOICES = [
  [false, "vad", "Voice activity", "a pause ends your turn"],
  [true, "manual", "Push to talk", "you are heard while you hold Space or the large button"],
];

/**
 * @param {import("../page.js").Page} page
 * @returns {{ element: HTMLElement, draw: (state: import("../store.js").State) => void }}
 */
export function turns(page) {
  const radios = CHOICES.map(([byHand, name, words, title]) => {
    const radio = make("button", `gip-turns-${name}`, { role: "radio", title }, words);
    radio.addEventListener("click", () => page.pushToTalk.choose(byHand));
    return { byHand, radio };
  });
  const element = make(
    "span",
    "gip-turns",
    { role: "radiogroup", "aria-label": "How your turn ends" },
    ...radios.map(({ radio }) => radio),
  );
  element.addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    const other = radios.find(({ radio }) => radio !== event.target);
    other?.radio.focus();
    other?.radio.click();
  });
  return {
    element,
    draw(state) {
      const chosen = isByHand(state);
      for (const { byHand, radio } of radios) {
        setAttribute(radio, "aria-checked", String(byHand === chosen));
        setAttribute(radio, "tabindex", byHand === chosen ? "0" : "-1");
        radio.disabled = state.local.kernel !== "live" || state.talk?.state === "connecting";
      }
    },
  };
}
