// The transcript: one row an item, redrawn only where an item changed, its tail in sight unless the user has scrolled away.

import { isLive, phaseOf } from "../store.js";
import { make, setAttribute, show } from "./dom.js";
import { row } from "./row.js";

/**
 * @typedef {import("../store.js").State} State
 * @typedef {import("../messages.js").ItemView} ItemView
 */

/** This near to the end counts as being there. */
const NEAR_PX = 24;

/**
 * @param {AbortSignal} signal
 * @returns {{ element: HTMLElement, draw: (state: State) => void }}
 */
export function conversation(signal) {
  const rows = make("div", "gip-rows");
  const invitation = make(
    "div",
    "gip-invitation",
    {},
    make("div", "gip-invitation-title", {}, "Nothing said yet"),
    make(
      "div",
      "gip-invitation-text",
      {},
      "What you say and what is answered appears here, as it is spoken.",
    ),
  );
  const scroller = make(
    "div",
    "gip-conversation",
    { role: "log", "aria-live": "off", "aria-label": "Conversation", tabindex: "0" },
    rows,
    invitation,
  );
  const newest = make("button", "gip-newest gip-button", {}, "Newest ↓");
  const element = make("div", "gip-pane", {}, scroller, newest);

  /** @type {Map<string, { row: import("./row.js").Row, drawn: ItemView | null }>} */
  const known = new Map();
  /** @type {readonly string[]} */
  let order = [];
  let following = true;

  const toEnd = () => {
    scroller.scrollTop = scroller.scrollHeight;
  };
  scroller.addEventListener("scroll", () => {
    following = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_PX;
    if (following) show(newest, false);
  });
  newest.addEventListener("click", () => {
    following = true;
    show(newest, false);
    toEnd();
    scroller.focus();
  });
  // The pane can be dragged to another height, and a column made narrower.
  const watch = new ResizeObserver(() => {
    if (following) toEnd();
  });
  watch.observe(scroller);
  signal.addEventListener("abort", () => watch.disconnect(), { once: true });
  show(newest, false);

  /** @param {readonly string[]} next item ids in their new order */
  function arrange(next) {
    const kept = new Set(next);
    for (const [item_id, { row: gone }] of known) {
      if (kept.has(item_id)) continue;
      gone.element.remove();
      known.delete(item_id);
    }
    /** @type {Element | null} */
    let before = null;
    for (const item_id of next) {
      const place = known.get(item_id)?.row.element;
      if (!place) continue;
      /** @type {Element | null} */
      const expected = before ? before.nextElementSibling : rows.firstElementChild;
      if (expected !== place) rows.insertBefore(place, expected);
      before = place;
    }
    order = next;
  }

  return {
    element,
    draw(state) {
      const { items, order: next } = state.conversation;
      const phase = phaseOf(state);
      // Small only while there is nothing to expect.
      const small = items.size === 0 && (phase === "waiting" || !isLive(phase));
      setAttribute(element, "data-small", String(small));
      let changed = next !== order;
      for (const [item_id, item] of items) {
        let entry = known.get(item_id);
        if (!entry) {
          entry = { row: row(item), drawn: null };
          known.set(item_id, entry);
        }
        if (entry.drawn === item) continue;
        entry.row.draw(item);
        entry.drawn = item;
        changed = true;
      }
      if (next !== order) arrange(next);
      if (!changed) return;
      show(invitation, items.size === 0);
      if (following) toEnd();
      else show(newest, true);
    },
  };
}
