// One row of the conversation: who, and what was said, called or returned.

import { callStateOf, durationText, foldOf, placeholderOf, remarkOf, whoOf } from "../item-phrases.js";
import { heardLength } from "../items.js";
import { callText } from "../phrases.js";
import { growText, make, setAttribute, setText, show } from "./dom.js";
import { verdict } from "./thumbs.js";

/**
 * @typedef {import("../messages.js").ItemView} ItemView
 * @typedef {{ element: HTMLElement, draw: (item: ItemView) => void }} Row
 */

/**
 * @param {ItemView} item
 * @returns {Row}
 */
export function row(item) {
  const body = item.type === "message" ? message() : item.type === "function_call" ? call() : output();
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
function call() {
  const text = make("code", "gip-call", { dir: "ltr" });
  const word = make("span", "gip-call-state");
  const took = make("span", "gip-call-duration");
  const dot = make("span", "gip-dot", { "aria-hidden": "true" });
  const result = folded();
  const head = make("div", "gip-call-head", {}, dot, text, make("span", "gip-call-facts", {}, word, took));
  const element = make("div", "gip-tool", {}, head, ...result.elements);
  return {
    element,
    draw(item) {
      const state = callStateOf(item);
      setText(text, callText(item.name ?? "function", item.arguments ?? ""));
      setText(word, state === "incomplete" && item.reason ? `${state}: ${item.reason}` : state);
      setAttribute(dot, "data-state", state);
      setAttribute(element, "data-state", state);
      setText(took, durationText(item.duration_ms));
      result.draw(item.output);
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

/** A function's output, folded where it is long. */
function folded() {
  const words = document.createTextNode("");
  const body = make(
    "pre",
    "gip-output",
    { dir: "auto", tabindex: "0", role: "group", "aria-label": "output" },
    words,
  );
  const button = make("button", "gip-unfold", { "aria-expanded": "false" });
  let open = false;
  /** @type {string | null | undefined} */
  let drawn;

  /** @param {string | null} output null: there is none yet */
  function draw(output) {
    if (output === drawn) return;
    drawn = output;
    show(body, output !== null);
    if (output === null) {
      show(button, false);
      return;
    }
    const { text, head, lines } = foldOf(output);
    growText(words, open ? text : head);
    show(button, head !== text);
    setText(button, open ? "Show less" : lines > 1 ? `Show all ${lines} lines` : "Show all");
    setAttribute(button, "aria-expanded", String(open));
  }
  button.addEventListener("click", () => {
    open = !open;
    const output = drawn ?? null;
    drawn = undefined;
    draw(output);
  });
  draw(null);
  return { elements: [body, button], draw };
}
