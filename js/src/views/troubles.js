// What went wrong: what kind, what happened, what to do now; each can be put away.

import { troublesOf } from "../store.js";
import { make, setText } from "./dom.js";

/**
 * @typedef {import("../page.js").Page} Page
 * @typedef {import("../store.js").State} State
 * @typedef {{ element: HTMLElement, title: HTMLElement, message: HTMLElement, next: HTMLElement }} Strip
 */

/**
 * @param {Page} page
 * @returns {{ element: HTMLElement, draw: (state: State) => void }}
 */
export function troubles(page) {
  const element = make("div", "gip-troubles", { role: "alert" });
  /** @type {Map<string, Strip>} */
  const strips = new Map();

  /**
   * @param {import("../store.js").TroubleSource | import("../store.js").ToldSource} source
   * @returns {Strip}
   */
  function open(source) {
    const title = make("strong", "gip-error-title");
    const message = make("span", "gip-error-message", { dir: "auto" });
    const next = make("span", "gip-error-next");
    const dismiss = make("button", "gip-error-dismiss", { "aria-label": "Dismiss", title: "Dismiss" }, "✕");
    dismiss.addEventListener("click", () => page.dismiss(source));
    const words = make("div", "gip-error-words", {}, title, message, next);
    return {
      element: make("div", "gip-error", { "data-source": source }, words, dismiss),
      title,
      message,
      next,
    };
  }

  return {
    element,
    draw(state) {
      const shown = troublesOf(state);
      for (const [source, strip] of strips) {
        if (shown.some((trouble) => trouble.source === source)) continue;
        strip.element.remove();
        strips.delete(source);
      }
      for (const { source, error } of shown) {
        let strip = strips.get(source);
        if (!strip) {
          strip = open(source);
          strips.set(source, strip);
          element.append(strip.element);
        }
        setText(strip.title, error.title);
        setText(strip.message, error.message);
        setText(strip.next, error.next_step);
      }
    },
  };
}
