// What of the event log is listed: words, directions, errors; and whether the list follows its end.

import { ARROWS, DIRECTIONS, figure } from "../event-rows.js";
import { make, setAttribute, setText } from "./dom.js";

/**
 * @typedef {import("../event-rows.js").Direction} Direction
 * @typedef {import("../event-rows.js").EventFilter} EventFilter
 */

/** While somebody types, the list waits for the word. */
const TYPING_MS = 150;

const NAMES = { sent: "Sent", received: "Received", local: "Local" };
const TITLES = {
  sent: "what went to the server",
  received: "what came from the server",
  local: "what happened on this side: playback, microphone, connection",
};

/**
 * @param {AbortSignal} signal
 * @param {object} owner
 * @param {() => void} owner.changed the filter is another one
 * @param {(following: boolean) => void} owner.follow
 */
export function eventFilter(signal, owner) {
  const field = make("input", "gip-log-text", {
    type: "search",
    placeholder: "Filter by type or text",
    "aria-label": "Filter events by type, id or text",
    autocomplete: "off",
    spellcheck: "false",
    dir: "auto",
  });
  // This side's own rows would break up each run of sound; they are one press away, and counted below.
  /** @type {Set<Direction>} */
  const directions = new Set(["sent", "received"]);
  let errors = false;

  /**
   * @param {string} name
   * @param {string} title
   * @param {boolean} pressed
   * @param {(pressed: boolean) => void} press
   * @param {(Node | string)[]} inner
   */
  const toggle = (name, title, pressed, press, ...inner) => {
    const button = make(
      "button",
      `gip-log-${name} gip-button`,
      { "aria-pressed": String(pressed), title },
      ...inner,
    );
    button.addEventListener("click", () => press(button.getAttribute("aria-pressed") !== "true"));
    return button;
  };
  const ways = DIRECTIONS.map((direction) => {
    const hint = { "aria-hidden": "true", "data-direction": direction };
    const button = toggle(
      direction,
      TITLES[direction],
      directions.has(direction),
      (pressed) => {
        if (pressed) directions.add(direction);
        else directions.delete(direction);
        setAttribute(button, "aria-pressed", String(pressed));
        owner.changed();
      },
      ...(direction === "local" ? [] : [make("span", "gip-log-arrow", hint, ARROWS[direction])]),
      NAMES[direction],
    );
    return button;
  });
  const failures = make("span", "gip-log-failures");
  const faulty = toggle(
    "errors",
    "only what failed",
    false,
    (pressed) => {
      errors = pressed;
      setAttribute(faulty, "aria-pressed", String(pressed));
      owner.changed();
    },
    "Errors",
    failures,
  );
  const follow = toggle("follow", "stay with the newest event", true, owner.follow, "Follow");
  const element = make(
    "div",
    "gip-log-filter",
    { role: "group", "aria-label": "Which events" },
    field,
    make("span", "gip-log-toggles", {}, ...ways, faulty, follow),
  );

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  field.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(owner.changed, TYPING_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || field.value === "") return;
    event.preventDefault();
    event.stopPropagation();
    field.value = "";
    owner.changed();
  });
  signal.addEventListener("abort", () => clearTimeout(typing), { once: true });

  return {
    element,
    /** @returns {EventFilter} */
    get: () => ({
      text: field.value.trim(),
      directions: DIRECTIONS.filter((direction) => directions.has(direction)),
      errors,
    }),
    /** @param {string} text */
    write(text) {
      field.value = text;
      owner.changed();
    },
    /** Everything is listed again. */
    reset() {
      field.value = "";
      errors = false;
      setAttribute(faulty, "aria-pressed", "false");
      for (const [index, direction] of DIRECTIONS.entries()) {
        directions.add(direction);
        setAttribute(/** @type {Element} */ (ways[index]), "aria-pressed", "true");
      }
      owner.changed();
    },
    /**
     * @param {number} failed how many rows of the log tell of a failure
     * @param {boolean} following
     */
    draw(failed, following) {
      setText(failures, failed > 0 ? figure(failed) : "");
      setAttribute(faulty, "data-some", failed > 0 ? "true" : null);
      setAttribute(follow, "aria-pressed", String(following));
    },
  };
}
