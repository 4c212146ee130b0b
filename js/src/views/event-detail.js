// One event, whole: its JSON to read and to copy.

import { copyText } from "../clipboard.js";
import { clockText, sizeText } from "../event-rows.js";
import { make, setAttribute, setText, show } from "./dom.js";

/** @typedef {import("../event-rows.js").EventDetail} EventDetail */

const COPIED_MS = 1500;

/**
 * @param {AbortSignal} signal
 * @param {object} owner
 * @param {() => void} owner.close
 * @param {(type: string) => void} owner.only lists only events of this type
 */
export function eventDetail(signal, owner) {
  const title = make("span", "gip-log-title");
  const facts = make("span", "gip-log-facts");
  const only = make("button", "gip-log-only gip-button", {}, "Only this type");
  const copy = make("button", "gip-log-copy gip-button", {}, "Copy JSON");
  const close = make("button", "gip-log-close", { "aria-label": "Close the event" }, "×");
  const json = make("pre", "gip-log-json", {
    tabindex: "0",
    role: "region",
    "aria-label": "JSON",
    dir: "ltr",
  });
  const element = make(
    "div",
    "gip-log-detail",
    { role: "group", "aria-label": "Event" },
    make("div", "gip-log-head", {}, title, facts, make("span", "gip-log-acts", {}, only, copy, close)),
    json,
  );
  show(element, false);
  let type = "";

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let copied;
  copy.addEventListener("click", async () => {
    const done = await copyText(json.textContent ?? "");
    // Selected, it can be copied by hand.
    if (!done) getSelection()?.selectAllChildren(json);
    if (signal.aborted) return;
    setText(copy, done ? "Copied" : "Press Ctrl+C");
    clearTimeout(copied);
    copied = setTimeout(() => setText(copy, "Copy JSON"), COPIED_MS);
  });
  only.addEventListener("click", () => owner.only(type));
  close.addEventListener("click", owner.close);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    owner.close();
  });
  signal.addEventListener("abort", () => clearTimeout(copied), { once: true });

  return {
    element,
    /**
     * @param {EventDetail | null} event null: none
     * @param {number} zero_ms from when time counts, since the log began
     */
    draw(event, zero_ms) {
      show(element, event !== null);
      if (!event) return;
      type = event.type;
      const size = event.wire_bytes > 0 ? ` · ${sizeText(event.wire_bytes)}` : "";
      setText(title, event.type || "not an event");
      setText(facts, `${event.direction} · ${clockText(event.elapsed_ms - zero_ms)}${size} · row ${event.n}`);
      setAttribute(element, "data-direction", event.direction);
      show(only, event.type !== "");
      if (json.textContent === event.json) return;
      setText(json, event.json);
      json.scrollTop = 0;
    },
  };
}
