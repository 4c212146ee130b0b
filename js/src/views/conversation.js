// The transcript: one row an item, redrawn only where an item changed, its tail in sight unless the user has scrolled away. Of a
// long talk only some rows are in the page; older and newer ones come as one scrolls to them.

import { earlier, later, placeAt, windowOf } from "../row-window.js";
import { isLive, phaseOf } from "../store.js";
import { make, setAttribute, show } from "./dom.js";
import { icon } from "./icons.js";
import { row } from "./row.js";
import { rowActions } from "./row-actions.js";
import { rowFocus } from "./row-focus.js";

/**
 * @typedef {import("../store.js").State} State
 * @typedef {import("../messages.js").ItemView} ItemView
 * @typedef {object} Known
 * @property {import("./row.js").Row} row
 * @property {ItemView | null} drawn
 * @property {import("./row-actions.js").RowActions | null} actions only where somebody may want them
 */

/** This near to the end counts as being there. */
const NEAR_PX = 24;

/**
 * @param {import("../page.js").Page} page
 * @param {AbortSignal} signal
 * @returns {{ element: HTMLElement, draw: (state: State) => void }}
 */
export function conversation(page, signal) {
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
  const before = make("button", "gip-earlier gip-button", {}, "Show earlier");
  const after = make("button", "gip-later gip-button", {}, "Show later");
  const scroller = make(
    "div",
    "gip-conversation",
    { role: "log", "aria-live": "off", "aria-label": "Conversation", tabindex: "0" },
    before,
    rows,
    after,
    invitation,
  );
  const newest = make("button", "gip-newest gip-button", {}, "Newest ", icon("down"));
  const element = make("div", "gip-pane", {}, scroller, newest);

  /** @type {Map<string, Known>} the rows that are in the page */
  const known = new Map();
  /** @type {import("../row-window.js").Place} */
  let place = null;
  let shown = { start: 0, end: 0 };
  /** @type {readonly string[]} */
  let order = [];
  let state = page.store.get();
  let following = true;

  const toEnd = () => {
    scroller.scrollTop = scroller.scrollHeight;
  };
  const fromEndPx = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;

  scroller.addEventListener("scroll", () => {
    const whole = shown.end === order.length;
    following = whole && fromEndPx() < NEAR_PX;
    place = following ? null : (place ?? placeAt(order, shown.start));
    if (following) show(newest, false);
    else if (scroller.scrollTop < NEAR_PX && shown.start > 0) moveTo(earlier(order, shown.start));
    else if (!whole && fromEndPx() < NEAR_PX) moveTo(later(order, shown.start));
  });
  before.addEventListener("click", () => moveTo(earlier(order, shown.start)));
  after.addEventListener("click", () => moveTo(later(order, shown.start)));
  newest.addEventListener("click", () => {
    following = true;
    moveTo(null);
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

  const focus = rowFocus(rows, {
    signal,
    changed: offerActions,
    beyond(step) {
      if (step < 0 && shown.start > 0) moveTo(earlier(order, shown.start));
      if (step > 0 && shown.end < order.length) moveTo(later(order, shown.start));
    },
  });

  /** @param {import("../row-window.js").Place} next */
  function moveTo(next) {
    place = next;
    keepPlace(drawRows);
  }

  /**
   * What is being read stays where it is, whatever comes and goes above it.
   *
   * @param {() => void} change
   */
  function keepPlace(change) {
    const top = scroller.getBoundingClientRect().top;
    /** @type {Element | undefined} */
    let read;
    if (!following) read = [...rows.children].find((one) => one.getBoundingClientRect().bottom > top);
    const wasPx = read?.getBoundingClientRect().top ?? 0;
    change();
    if (read?.isConnected) scroller.scrollTop += read.getBoundingClientRect().top - wasPx;
  }

  /** @returns {boolean} whether anything is another */
  function drawRows() {
    const { items } = state.conversation;
    const next = windowOf(order, place);
    let changed = false;
    /** @type {Set<string>} */
    const kept = new Set();
    /** @type {Element | null} */
    let last = null;
    for (let at = next.start; at < next.end; at += 1) {
      const item_id = order[at] ?? "";
      const item = items.get(item_id);
      if (!item) continue;
      kept.add(item_id);
      const entry = known.get(item_id) ?? { row: row(item, page, signal), drawn: null, actions: null };
      known.set(item_id, entry);
      if (entry.drawn !== item) {
        entry.row.draw(item);
        entry.drawn = item;
        changed = true;
      }
      /** @type {Element | null} */
      const expected = last ? last.nextElementSibling : rows.firstElementChild;
      if (expected !== entry.row.element) rows.insertBefore(entry.row.element, expected);
      last = entry.row.element;
    }
    for (const [item_id, entry] of known) {
      if (kept.has(item_id)) continue;
      changed = true;
      if (entry.row.element.contains(document.activeElement)) scroller.focus({ preventScroll: true });
      entry.row.element.remove();
      known.delete(item_id);
    }
    shown = next;
    show(before, next.start > 0);
    show(after, next.end < order.length);
    focus.tidy();
    return changed;
  }

  /** The row that is pointed at, that has the focus, or that is played. */
  function offerActions() {
    for (const [item_id, entry] of known) {
      const wanted = focus.wants(entry.row.element) || state.local.playing === item_id;
      if (!wanted || !entry.drawn) {
        entry.actions?.element.remove();
        entry.actions = null;
        continue;
      }
      if (!entry.actions) {
        entry.actions = rowActions(page, entry.drawn, signal);
        entry.row.element.append(entry.actions.element);
      }
      entry.actions.draw(entry.drawn, state);
    }
  }

  return {
    element,
    draw(next) {
      const fresh = state.conversation !== next.conversation || known.size === 0;
      state = next;
      ({ order } = state.conversation);
      const phase = phaseOf(state);
      // Small only while there is nothing to expect.
      const small = order.length === 0 && (phase === "waiting" || !isLive(phase));
      setAttribute(element, "data-small", String(small));
      if (fresh) {
        const end = order.length;
        let changed = shown.end < end;
        keepPlace(() => {
          changed = drawRows() || changed;
        });
        show(invitation, end === 0);
        if (following) toEnd();
        else if (changed) show(newest, true);
      }
      offerActions();
    },
  };
}
