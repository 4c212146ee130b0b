// A list of which only the rows in sight are in the page, however long it is. All rows are of one height.

import { visible } from "../event-rows.js";
import { make, setAttribute } from "./dom.js";
import { eventRow } from "./event-row.js";

/**
 * @typedef {import("../event-rows.js").EventRow} EventRow
 * @typedef {import("../event-rows.js").Range} Range
 */

/** As in the stylesheet. Browsers draw elements of up to 17 million px: 700,000 rows. */
export const ROW_PX = 24;
/** Rows that are drawn beyond either end of what is in sight, for the next move of the wheel. */
const BEYOND = 8;

/**
 * @param {AbortSignal} signal
 * @param {object} owner
 * @param {(place: number) => EventRow | undefined} owner.row undefined: not at hand yet
 * @param {() => number} owner.zero_ms
 * @param {() => number | null} owner.opened `n` of the event whose JSON is shown
 * @param {(atEnd: boolean) => void} owner.scrolled by the user
 * @param {() => void} owner.resized
 * @param {(place: number) => void} owner.pressed
 */
export function eventList(signal, owner) {
  const block = make("div", "gip-log-block", { role: "rowgroup" });
  const room = make("div", "gip-log-room", { role: "presentation" }, block);
  const element = make(
    "div",
    "gip-log-list",
    {
      role: "treegrid",
      tabindex: "0",
      "aria-label": "Events",
      "aria-readonly": "true",
      "aria-colcount": "4",
    },
    room,
  );
  /** @type {ReturnType<typeof eventRow>[]} */
  const drawn = [];
  let first = 0;
  let total = 0;
  let top = 0;
  let height = 0;
  /** @type {number | null} */
  let active = null;

  const atEnd = () => top + height >= total * ROW_PX - ROW_PX / 2;

  /** @param {number} to px */
  function scrollTo(to) {
    element.scrollTop = to;
    // Read again: the browser knows how far it goes.
    top = element.scrollTop;
  }

  /**
   * Rows that stay in sight stay as they are, in the page's order too: only those that come are filled anew.
   *
   * @param {Range} range
   */
  function arrange(range) {
    const size = range.end - range.first;
    for (const gone of drawn.splice(size)) gone.element.remove();
    const shift = range.first - first;
    if (Math.abs(shift) < drawn.length && shift > 0) {
      const moved = drawn.splice(0, shift);
      drawn.push(...moved);
      block.append(...moved.map((row) => row.element));
    } else if (Math.abs(shift) < drawn.length && shift < 0) {
      const moved = drawn.splice(shift);
      drawn.unshift(...moved);
      block.prepend(...moved.map((row) => row.element));
    }
    while (drawn.length < size) {
      const row = eventRow();
      drawn.push(row);
      block.append(row.element);
    }
    first = range.first;
    block.style.transform = `translateY(${first * ROW_PX}px)`;
  }

  function draw() {
    arrange(visible(top, height, ROW_PX, total, BEYOND));
    const zero_ms = owner.zero_ms();
    const opened = owner.opened();
    drawn.forEach((each, index) => {
      const place = first + index;
      const row = owner.row(place);
      const chosen = row !== undefined && row.count === 1 && row.n === opened;
      each.draw({ place, row, zero_ms, active: place === active, opened: chosen });
    });
    const there = active === null ? undefined : drawn[active - first];
    setAttribute(element, "aria-activedescendant", there?.element.id ?? null);
  }

  /** Looks where the list is: the user may have moved it, and the browser says so only with the next frame. */
  function look() {
    if (element.scrollTop === top) return;
    top = element.scrollTop;
    draw();
    owner.scrolled(atEnd());
  }

  element.addEventListener("scroll", look);
  block.addEventListener("click", ({ target }) => {
    const index = drawn.findIndex((row) => target instanceof Node && row.element.contains(target));
    if (index >= 0) owner.pressed(first + index);
  });
  const watch = new ResizeObserver(() => {
    // Hidden, it has no height, and keeps its place.
    if (element.clientHeight === 0) return;
    height = element.clientHeight;
    top = element.scrollTop;
    owner.resized();
  });
  watch.observe(element);
  signal.addEventListener("abort", () => watch.disconnect(), { once: true });

  return {
    element,
    draw,
    look,
    range: () => visible(top, height, ROW_PX, total, BEYOND),
    rowsInSight: () => Math.max(1, Math.floor(height / ROW_PX)),
    active: () => active,
    /** @param {number | null} place where the keys are from now on */
    activate(place) {
      active = place;
    },
    /** @param {number} rows of the list */
    resize(rows) {
      if (rows === total) return;
      total = rows;
      room.style.height = `${total * ROW_PX}px`;
      setAttribute(element, "aria-rowcount", String(total));
      // A shorter list may have been pushed up by the browser.
      top = element.scrollTop;
    },
    toStart: () => scrollTo(0),
    toEnd: () => scrollTo(total * ROW_PX),
    /**
     * Scrolls no further than needed.
     *
     * @param {number} place
     */
    reveal(place) {
      if (place * ROW_PX < top) scrollTo(place * ROW_PX);
      else if ((place + 1) * ROW_PX > top + height) scrollTo((place + 1) * ROW_PX - height);
    },
  };
}
