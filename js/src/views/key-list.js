// The keys, listed in a small dialog over the panel, by the `?` key and by its button.

import { KEYS } from "../keys.js";
import { make, setAttribute, show } from "./dom.js";

let lists = 0;

/**
 * @param {AbortSignal} signal
 * @returns {{ button: HTMLButtonElement, element: HTMLElement, toggle: () => void }}
 */
export function keyList(signal) {
  lists += 1;
  const id = `gip-keys-${lists}`;
  const close = make("button", "gip-keys-close gip-plain", { "aria-label": "Close" }, "✕");
  const title = make("strong", "", { id: `${id}-title` }, "Keys");
  const rows = KEYS.flatMap(([keys, words]) => [
    make("dt", "", {}, ...keys.map((key) => make("kbd", "", {}, key))),
    make("dd", "", {}, words),
  ]);
  const element = make(
    "div",
    "gip-keys",
    { role: "dialog", id, "aria-labelledby": `${id}-title`, tabindex: "-1" },
    make("div", "gip-keys-head", {}, title, close),
    make("dl", "", {}, ...rows),
    make("p", "gip-keys-note", {}, "They work while this panel has the focus and nothing is typed."),
  );
  const button = make(
    "button",
    "gip-keys-button gip-plain",
    { "aria-label": "Keys", title: "Keys (?)", "aria-haspopup": "dialog", "aria-controls": id },
    "?",
  );
  /** @type {HTMLElement | null} */
  let before = null;

  function open() {
    before = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    show(element, true);
    setAttribute(button, "aria-expanded", "true");
    close.focus();
  }

  /** @param {boolean} goBack whether the focus is to be where it was */
  function shut(goBack) {
    if (element.hidden) return;
    show(element, false);
    setAttribute(button, "aria-expanded", "false");
    if (goBack) (before?.isConnected ? before : button).focus({ preventScroll: true });
  }

  const toggle = () => (element.hidden ? open() : shut(true));
  show(element, false);
  setAttribute(button, "aria-expanded", "false");
  button.addEventListener("click", toggle);
  close.addEventListener("click", () => shut(true));
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" && event.key !== "?") return;
    event.preventDefault();
    shut(true);
  });
  element.addEventListener("focusout", ({ relatedTarget }) => {
    // To nowhere is a click on its own words, or another window.
    if (relatedTarget instanceof Node && !element.contains(relatedTarget) && relatedTarget !== button) {
      shut(false);
    }
  });
  document.addEventListener(
    "pointerdown",
    ({ target }) => {
      const inside = target instanceof Node && (element.contains(target) || button.contains(target));
      if (!inside) shut(false);
    },
    { signal, capture: true },
  );
  return { button, element, toggle };
}
