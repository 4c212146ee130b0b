// Which rows of a long conversation are in the page: never more than so many, however long the talk. Pure.

/** An hour's talk has thousands of rows; so many can be scrolled through at once. */
export const MOST_ROWS = 200;
/** How many come in, and go at the other end, at a time. */
const STEP_ROWS = MOST_ROWS / 2;

/**
 * Where the window begins. It is held by its first row, so that what comes or goes before it does not move it.
 *
 * @typedef {{ first: string, start: number } | null} Place null: it ends with the newest row
 */

/**
 * @param {readonly string[]} order
 * @param {Place} place
 * @returns {{ start: number, end: number }} of the rows that are in the page
 */
export function windowOf(order, place) {
  const last = Math.max(0, order.length - MOST_ROWS);
  let start = last;
  if (place) {
    const found = order.indexOf(place.first);
    // Its first row was deleted: the one that came after it is where it was.
    start = Math.min(found === -1 ? place.start : found, last);
  }
  return { start, end: Math.min(order.length, start + MOST_ROWS) };
}

/**
 * @param {readonly string[]} order
 * @param {number} start
 * @returns {Place}
 */
export function placeAt(order, start) {
  const first = order[start];
  return first === undefined ? null : { first, start };
}

/**
 * @param {readonly string[]} order
 * @param {number} start
 * @returns {Place} with older rows at its beginning
 */
export function earlier(order, start) {
  return placeAt(order, Math.max(0, start - STEP_ROWS));
}

/**
 * @param {readonly string[]} order
 * @param {number} start
 * @returns {Place} with newer rows at its end
 */
export function later(order, start) {
  return placeAt(order, Math.max(0, Math.min(start + STEP_ROWS, order.length - MOST_ROWS)));
}
