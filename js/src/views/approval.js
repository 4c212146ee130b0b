// The question whether a call may be made: its arguments as they are, and three answers. Which one counted the kernel says, to
// all pages.

import { argumentsText } from "../item-phrases.js";
import { make, setAttribute, setText, show } from "./dom.js";

/**
 * @typedef {import("../messages.js").ItemView} ItemView
 * @typedef {import("../page.js").Page} Page
 */

/** @type {{ answer: "deny" | "once" | "talk", name: string, className: string }[]} */
const ANSWERS = [
  { answer: "deny", name: "Deny", className: "gip-deny" },
  { answer: "once", name: "Allow once", className: "gip-allow" },
  { answer: "talk", name: "Allow for this talk", className: "gip-allow-talk" },
];

/**
 * @param {Page} page
 * @returns {{ element: HTMLElement, draw: (item: ItemView) => void, tick: (item: ItemView) => void }}
 */
export function approval(page) {
  const title = make("div", "gip-approval-title");
  const given = make("pre", "gip-arguments", {
    dir: "ltr",
    tabindex: "0",
    role: "group",
    "aria-label": "arguments",
  });
  const left = make("span", "gip-approval-left");
  /** @type {ItemView | null} */
  let item = null;
  // Pressed, and the kernel has not said so yet.
  let sent = false;
  const buttons = ANSWERS.map(({ answer, name, className }) => {
    const button = make("button", `${className} gip-button`, {}, name);
    button.addEventListener("click", async () => {
      if (!item || sent) return;
      sent = true;
      offer();
      const reply = await page.ask("approve", { item_id: item.item_id, answer });
      // It could not be asked: the next press may be luckier.
      if (!reply) sent = false;
      offer();
    });
    return button;
  });
  const element = make(
    "div",
    "gip-approval",
    { role: "group" },
    title,
    given,
    make("div", "gip-approval-answers", {}, ...buttons, left),
  );

  function offer() {
    for (const button of buttons) setAttribute(button, "aria-disabled", sent ? "true" : null);
  }

  /** @param {ItemView} next */
  function tick(next) {
    const until = next.call?.until_ms ?? null;
    const seconds = until === null ? null : Math.max(0, Math.ceil((until - Date.now()) / 1000));
    setText(left, seconds === null ? "" : `denied in ${seconds} s`);
  }

  show(element, false);
  return {
    element,
    tick,
    draw(next) {
      const asked = next.call?.state === "asked";
      if (!asked && element.contains(document.activeElement)) {
        // Who has answered stays where he is.
        /** @type {HTMLElement | null} */ (element.closest(".gip-row"))?.focus({ preventScroll: true });
      }
      show(element, asked);
      if (!asked) return;
      if (next.item_id !== item?.item_id) sent = false;
      item = next;
      const name = next.name ?? "function";
      setText(title, `Run ${name}?`);
      setAttribute(element, "aria-label", `May ${name} run?`);
      setText(given, argumentsText(next.arguments ?? ""));
      offer();
      tick(next);
    },
  };
}
