// One row of the conversation: who, and what was said, called or returned.

import { heardLength } from "../items.js";
import { callText, outputText, seconds } from "../phrases.js";
import { growText, make, setAttribute, setText, show } from "./dom.js";

/**
 * @typedef {import("../messages.js").ItemView} ItemView
 * @typedef {{ element: HTMLElement, draw: (item: ItemView) => void }} Row
 */

const WHO = { user: "You", assistant: "Model", system: "System" };

/**
 * @param {ItemView} item
 * @returns {Row}
 */
export function row(item) {
  const body = item.type === "message" ? message() : item.type === "function_call" ? call() : output();
  const who = make("div", "gip-who");
  const element = make("div", "gip-row", { "data-item-id": item.item_id }, who, body.element);
  return {
    element,
    draw(next) {
      setAttribute(element, "data-role", next.role ?? "tool");
      setAttribute(element, "data-type", next.type);
      setAttribute(element, "data-status", next.status);
      setText(
        who,
        next.type === "message" ? WHO[next.role ?? "system"] : next.type === "function_call" ? "Tool" : "",
      );
      body.draw(next);
    },
  };
}

/** @returns {Row} */
function message() {
  const heard = document.createTextNode("");
  const unheard = document.createTextNode("");
  const lost = make("span", "gip-unheard", { title: "not heard" }, unheard);
  const awaited = make("span", "gip-awaited");
  const caret = make("span", "gip-caret", { "aria-hidden": "true" });
  const note = make("span", "gip-note");
  const element = make("div", "gip-said", { dir: "auto" }, heard, lost, awaited, caret, note);
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
      show(caret, item.role === "assistant" && item.status === "in_progress");
      const remark = remarkOf(item);
      show(note, remark !== "");
      setText(note, remark);
    },
  };
}

/**
 * @param {ItemView} item
 * @returns {string} what stands where words are not there yet, or will not come
 */
function placeholderOf({ role, text, status, audio_ms }) {
  if (role !== "user" || text !== "") return "";
  if (status === "in_progress") return "…";
  return audio_ms ? `${seconds(audio_ms)} of speech, no transcript` : "no transcript";
}

/**
 * @param {ItemView} item
 * @returns {string}
 */
function remarkOf({ status, heard_ms }) {
  if (status === "interrupted") {
    if (heard_ms === null) return "interrupted";
    return heard_ms > 0 ? `interrupted at ${seconds(heard_ms)}` : "interrupted before it was heard";
  }
  return status === "failed" || status === "incomplete" ? status : "";
}

/** @returns {Row} */
function call() {
  const text = make("code", "gip-call");
  const word = make("span", "gip-call-state");
  const dot = make("span", "gip-dot", { "aria-hidden": "true" });
  const result = make("pre", "gip-output", { tabindex: "0", "aria-label": "output" });
  const head = make("div", "gip-call-head", {}, dot, text, word);
  const element = make("div", "gip-tool", {}, head, result);
  return {
    element,
    draw(item) {
      setText(text, callText(item.name ?? "function", item.arguments ?? ""));
      setText(word, callState(item));
      setAttribute(dot, "data-state", callState(item));
      show(result, item.output !== null);
      setText(result, outputText(item.output ?? ""));
    },
  };
}

/**
 * @param {ItemView} item
 * @returns {string}
 */
function callState({ status, output }) {
  if (status === "failed" || status === "incomplete" || status === "interrupted") return status;
  if (output !== null) return "done";
  // Its output may come as an item of its own.
  return status === "completed" ? "called" : "running";
}

/** @returns {Row} */
function output() {
  const result = make("pre", "gip-output", { tabindex: "0", "aria-label": "output" });
  return {
    element: make("div", "gip-tool", {}, result),
    draw(item) {
      setText(result, outputText(item.output ?? item.text));
    },
  };
}
