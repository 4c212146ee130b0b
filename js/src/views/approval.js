// The question whether a call may be made: its arguments as they will be used, and three answers. Which one counted the kernel
// says, to all pages.

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

const DOUBLE_CLICK_MS = 500;
let count = 0;

/**
 * @param {ItemView | null} one
 * @param {ItemView} other
 * @returns {boolean} whether an answer to the one is an answer to the other: the same call may be asked about again
 */
const isSameQuestion = (one, other) =>
  one !== null &&
  one.item_id === other.item_id &&
  one.arguments === other.arguments &&
  one.call?.since_ms === other.call?.since_ms;

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
  const unread = make("button", "gip-show-all gip-button", {}, "Show all");
  const rest = make("p", "gip-approval-rest", {}, "");
  rest.id = `gip-approval-rest-${++count}`;
  /** @type {ItemView | null} */
  let item = null;
  // Pressed, and the kernel has not said so yet.
  let sent = false;
  // Who has not seen all of it can only deny it.
  let seen = true;
  let deafUntilMs = 0;
  const buttons = ANSWERS.map(({ answer, name, className }) => {
    const button = make("button", `${className} gip-button`, {}, name);
    button.addEventListener("click", async () => {
      if (!item || sent || !may(answer) || performance.now() < deafUntilMs) return;
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
    make("div", "gip-approval-unread", {}, rest, unread),
    make("div", "gip-approval-answers", {}, ...buttons, left),
  );
  unread.addEventListener("click", () => {
    seen = true;
    showGiven();
    given.focus();
    offer();
  });

  /** @param {(typeof ANSWERS)[number]["answer"]} answer */
  const may = (answer) => answer === "deny" || seen;

  function offer() {
    for (const [n, { answer }] of ANSWERS.entries()) {
      const button = /** @type {HTMLElement} */ (buttons[n]);
      setAttribute(button, "aria-disabled", sent || !may(answer) ? "true" : null);
      setAttribute(button, "aria-describedby", may(answer) ? null : rest.id);
    }
  }

  function showGiven() {
    const { text, head, more } = argumentsText(item?.arguments ?? "");
    seen ||= more === 0;
    setText(given, seen ? text : head);
    setText(
      rest,
      seen ? "" : `… and ${more.toLocaleString("en")} more characters, to be seen before it is allowed.`,
    );
    show(/** @type {HTMLElement} */ (unread.parentElement), !seen);
  }

  /** @param {ItemView} next */
  function tick(next) {
    const { since_ms: since = null, until_ms: until = null } = next.call ?? {};
    if (until === null) {
      setText(left, "");
      return;
    }
    const now = page.kernelNowMs();
    // The page knows that clock to some milliseconds: no more than there was at first. And while it is asked it is
    // not denied yet.
    const seconds = Math.max(1, Math.ceil((until - Math.max(now, since ?? now)) / 1000));
    setText(left, `denied in ${seconds} s`);
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
      const before = item;
      item = next;
      if (!isSameQuestion(before, next)) {
        sent = seen = false;
        // Of a double click on the question before, the second half is no answer to this one.
        if (before?.item_id === next.item_id) deafUntilMs = performance.now() + DOUBLE_CLICK_MS;
        showGiven();
      }
      const name = next.name ?? "function";
      setText(title, `Run ${name}?`);
      setAttribute(element, "aria-label", `May ${name} run?`);
      offer();
      tick(next);
    },
  };
}
