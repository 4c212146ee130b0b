// A function call: what is called, where it is, the question whether it may be, what came of it.

import { callStateOf, callWord, durationText, goesOn } from "../item-phrases.js";
import { callText, clockText } from "../phrases.js";
import { approval } from "./approval.js";
import { make, setAttribute, setText } from "./dom.js";
import { folded, traceback } from "./folded.js";

/**
 * @typedef {import("../messages.js").ItemView} ItemView
 * @typedef {import("../page.js").Page} Page
 */

const SECOND_MS = 1000;

/**
 * @param {Page} page
 * @param {AbortSignal} signal
 * @returns {{ element: HTMLElement, draw: (item: ItemView) => void }}
 */
export function call(page, signal) {
  const text = make("code", "gip-call", { dir: "ltr" });
  const word = make("span", "gip-call-state");
  const took = make("span", "gip-call-duration");
  const dot = make("span", "gip-dot", { "aria-hidden": "true" });
  const result = folded();
  const raised = traceback();
  const question = approval(page);
  const head = make("div", "gip-call-head", {}, dot, text, make("span", "gip-call-facts", {}, word, took));
  const element = make("div", "gip-tool", {}, head, question.element, ...result.elements, ...raised.elements);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /**
   * While it goes on, once a second, as long as its row is in the page.
   *
   * @param {ItemView} item
   */
  function tick(item) {
    clearTimeout(timer);
    const since = item.call?.since_ms ?? null;
    if (signal.aborted || since === null || !goesOn(item)) return;
    // A message takes its time: it may have come before what it tells of.
    const ms = Math.max(0, page.kernelNowMs() - since);
    setText(took, ms < SECOND_MS ? "" : clockText(ms));
    question.tick(item);
    timer = setTimeout(() => element.isConnected && tick(item), SECOND_MS - (ms % SECOND_MS));
  }
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });

  return {
    element,
    draw(item) {
      const state = callStateOf(item);
      const name = item.name ?? "function";
      // What is asked about stands below, larger.
      setText(text, state === "asked" ? name : callText(name, item.arguments ?? ""));
      const said = callWord(state);
      setText(word, state === "incomplete" && item.reason ? `${said}: ${item.reason}` : said);
      setAttribute(dot, "data-state", state);
      setAttribute(element, "data-state", state);
      setText(took, durationText(item.duration_ms));
      question.draw(item);
      result.draw(item.output);
      raised.draw(item.call?.traceback ?? null);
      tick(item);
    },
  };
}
