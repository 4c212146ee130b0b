// One row of the conversation: who, and what was said, called or returned.

import { placeholderOf, remarkOf, whoOf } from "../item-phrases.js";
import { heardLength } from "../items.js";
import { call } from "./call.js";
import { growText, make, setAttribute, setText, show } from "./dom.js";
import { folded } from "./folded.js";
import { verdict } from "./thumbs.js";

/**
 * @typedef {import("../messages.js").ItemView} ItemView
 * @typedef {{ element: HTMLElement, draw: (item: ItemView) => void }} Row
 */

/**
 * @param {ItemView} item
 * @param {import("../page.js").Page} page
 * @param {AbortSignal} signal
 * @returns {Row}
 */
export function row(item, page, signal) {
  const body =
    item.type === "message" ? message() : item.type === "function_call" ? call(page, signal) : output();
  const who = make("div", "gip-who");
  const element = make(
    "div",
    "gip-row",
    { "data-item-id": item.item_id, role: "article", tabindex: "-1" },
    who,
    body.element,
  );
  const drawVerdict = verdict(element);
  return {
    element,
    draw(next) {
      setAttribute(element, "data-role", next.role ?? (next.type === "message" ? "assistant" : "tool"));
      setAttribute(element, "data-type", next.type);
      setAttribute(element, "data-status", next.status);
      setAttribute(element, "aria-label", whoOf(next));
      setText(who, whoOf(next));
      body.draw(next);
      drawVerdict(next);
    },
  };
}

/** @returns {Row} */
function message() {
  const heard = document.createTextNode("");
  const unheard = document.createTextNode("");
  const lost = make("span", "gip-unheard", { title: "not heard" }, unheard);
  const awaited = make("span", "gip-awaited", { dir: "ltr" });
  const caret = make("span", "gip-caret", { "aria-hidden": "true" });
  // What the page itself says does not turn a line round.
  const note = make("span", "gip-note", { dir: "ltr" });
  // Spaces, and no margin: they are none where the note begins a line.
  const gap = document.createTextNode("");
  const element = make("div", "gip-said", { dir: "auto" }, heard, lost, awaited, caret, gap, note);
  return {
    element,
    draw(item) {
      const cut = item.status === "interrupted" ? heardLength(item) : item.text.length;
      growText(heard, item.text.slice(0, cut));
      growText(unheard, item.text.slice(cut));
      show(lost, cut < item.text.length);
      const placeholder = placeholderOf(item);
      show(awaited, placeholder !== "");
      setText(awaited, placeholder);
      const waits = placeholder === "…";
      setAttribute(awaited, "role", waits ? "img" : null);
      setAttribute(awaited, "aria-label", waits ? "The transcript is awaited" : null);
      show(caret, item.role === "assistant" && item.status === "in_progress");
      const remark = remarkOf(item);
      growText(gap, remark !== "" && item.text !== "" ? "  " : "");
      show(note, remark !== "");
      setText(note, remark);
    },
  };
}

/** @returns {Row} */
function output() {
  const result = folded();
  return {
    element: make("div", "gip-tool", {}, ...result.elements),
    draw(item) {
      result.draw(item.output ?? item.text);
    },
  };
}
