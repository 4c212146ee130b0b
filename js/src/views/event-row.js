// One row of the event log: when, which way, what, how often and how much sound.

import { ARROWS, amountText, clockText } from "../event-rows.js";
import { make, setAttribute, setText } from "./dom.js";

/**
 * @typedef {import("../event-rows.js").EventRow} EventRow
 *
 * @typedef {object} Drawn what a row shows
 * @property {number} place in the list
 * @property {EventRow | undefined} row undefined: it is not at hand yet
 * @property {number} zero_ms the moment from which time counts, since the log began
 * @property {boolean} active where the keys are
 * @property {boolean} opened its JSON is shown
 */

let made = 0;

/** @returns {{ element: HTMLElement, draw: (next: Drawn) => void, drawn: () => Drawn | null }} */
export function eventRow() {
  made += 1;
  const cell = (/** @type {string} */ name, /** @type {(Node | string)[]} */ ...inner) =>
    make("span", name, { role: "gridcell" }, ...inner);
  const time = cell("gip-log-time");
  const arrow = make("span", "gip-log-arrow", { "aria-hidden": "true" });
  const way = make("span", "gip-unseen");
  const type = make("span", "gip-log-type");
  const alarm = make("span", "gip-unseen");
  const amount = make("span", "gip-log-amount");
  // Whatever way its text runs, the row's own does not change.
  const note = make("bdi", "gip-log-note");
  const element = make(
    "div",
    "gip-log-row",
    { role: "row", id: `gip-log-row-${made}` },
    time,
    cell("gip-log-way", arrow, way),
    cell("gip-log-what", type, alarm, amount, note),
    cell("gip-log-fold", make("span", "gip-log-chevron", { "aria-hidden": "true" })),
  );
  /** @type {Drawn | null} */
  let drawn = null;

  /** @param {EventRow | undefined} row */
  function fill(row) {
    setAttribute(element, "data-direction", row?.direction ?? null);
    setAttribute(element, "data-failed", row && row.failures > 0 ? "true" : null);
    setAttribute(element, "data-n", row ? String(row.n) : null);
    setAttribute(element, "aria-level", row ? (row.inside === null ? "1" : "2") : null);
    setAttribute(element, "aria-expanded", row && row.count > 1 ? String(row.unfolded) : null);
    setText(arrow, row ? ARROWS[row.direction] : "");
    setText(way, row?.direction ?? "");
    setText(type, row ? row.type || "not an event" : "…");
    // In a narrow column its end is cut off.
    setAttribute(type, "title", row?.type || null);
    setText(alarm, row && row.failures > 0 && row.type !== "error" ? ", error" : "");
    setText(amount, row ? amountText(row) : "");
    setText(note, row?.note ?? "");
  }

  return {
    element,
    drawn: () => drawn,
    draw(next) {
      const { place, row, zero_ms, active, opened } = next;
      if (drawn?.row !== row || !drawn) fill(row);
      if (!drawn || drawn.row !== row || drawn.zero_ms !== zero_ms) {
        setText(time, row ? clockText(row.elapsed_ms - zero_ms) : "");
      }
      if (drawn?.place !== place) setAttribute(element, "aria-rowindex", String(place + 1));
      setAttribute(element, "data-active", active ? "true" : null);
      setAttribute(element, "aria-selected", String(opened));
      drawn = next;
    },
  };
}
