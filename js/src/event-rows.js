// Rows of the event log, as the kernel gives them in pages: what they say in words, and which of them are at hand. Pure.

/**
 * @typedef {"sent" | "received" | "local"} Direction
 *
 * @typedef {object} EventRow one event, or a run of events of one type and direction
 * @property {number} n its row in the log; of a run, that of its first event
 * @property {string} type as on the wire; empty where it named none
 * @property {Direction} direction
 * @property {number} elapsed_ms since the log began
 * @property {number} count events of the run; 1: an event by itself
 * @property {number | null} audio_ms of all its events
 * @property {number} failures how many of its events tell of a failure
 * @property {string | null} note what an event by itself is about
 * @property {boolean} unfolded its events follow, each in a row
 * @property {number | null} inside of one of those, its run's `n`
 *
 * @typedef {object} EventPage some rows, and what there is
 * @property {string} log whose rows these are: a new session has a new log
 * @property {number | null} opened_ms when the first connection was there, since the log began
 * @property {number} events rows of the log
 * @property {number} searched how many of these were looked at so far
 * @property {number} matched events that passed the filter
 * @property {Record<Direction, number>} counts rows of the log by direction
 * @property {number} failures how many of them tell of a failure
 * @property {number} total rows of the list
 * @property {number} settled rows of the list that cannot change any more
 * @property {number} first the place of `rows` in the list
 * @property {number | null} around the place of the event that was asked for
 * @property {EventRow[]} rows
 *
 * @typedef {object} EventDetail
 * @property {string} log
 * @property {number} n
 * @property {string} type
 * @property {Direction} direction
 * @property {number} elapsed_ms
 * @property {number} wire_bytes 0: it never was on the wire
 * @property {string} json to read: its audio is said in milliseconds
 *
 * @typedef {{ text: string, directions: Direction[], errors: boolean }} EventFilter
 * @typedef {{ first: number, end: number }} Range places in the list, the end not included
 */

/** Far more than is asked for at a time, so that scrolling back finds them. */
const MOST_KEPT = 2000;

/** @type {readonly Direction[]} */
export const DIRECTIONS = ["sent", "received", "local"];

/** @type {Record<Direction, string>} */
export const ARROWS = { sent: "↑", received: "↓", local: "·" };

/**
 * @param {number} ms since the connection was there
 * @returns {string} minutes, seconds and hundredths: 00:04.21; with hours where there are some
 */
export function clockText(ms) {
  const hundredths = Math.floor(Math.abs(ms) / 10);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const seconds = Math.floor(hundredths / 100);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const text = `${two(minutes % 60)}:${two(seconds % 60)}.${two(hundredths % 100)}`;
  return `${ms < 0 && hundredths > 0 ? "−" : ""}${hours > 0 ? `${hours}:` : ""}${text}`;
}

/**
 * @param {number} ms
 * @returns {string} milliseconds, from a second on seconds
 */
export function audioText(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** @param {number} value */
export const figure = (value) => value.toLocaleString("en");

/**
 * @param {EventRow} row
 * @returns {string} how many and how much: "× 61 · 2.44 s"; empty where there is nothing to say
 */
export function amountText({ count, audio_ms, failures }) {
  const parts = [];
  if (count > 1) parts.push(`× ${figure(count)}`);
  if (audio_ms !== null) parts.push(audioText(audio_ms));
  if (count > 1 && failures > 0) parts.push(failures === 1 ? "1 error" : `${figure(failures)} errors`);
  return parts.join(" · ");
}

/**
 * @param {number} bytes
 * @returns {string}
 */
export function sizeText(bytes) {
  return bytes < 1000 ? `${bytes} bytes` : `${(bytes / 1000).toFixed(1)} kB`;
}

/**
 * @param {Pick<EventPage, "events" | "searched" | "matched" | "counts">} page
 * @param {EventFilter} filter
 * @returns {string} how much of the log is listed, and what is not
 */
export function summaryText({ events, searched, matched, counts }, { text, directions, errors }) {
  if (searched < events) return `Looked at ${figure(searched)} of ${figure(events)} events…`;
  const hidden = directions.includes("local") ? 0 : counts.local;
  const all = directions.length + (hidden ? 1 : 0) >= DIRECTIONS.length && !errors && text === "";
  const rest = hidden && all ? ` · ${figure(hidden)} local hidden` : "";
  if (all) return `${figure(matched)} event${matched === 1 ? "" : "s"}${rest}`;
  return `${figure(matched)} of ${figure(events)} events`;
}

/**
 * @param {number} top how far the list is scrolled, px
 * @param {number} height of what is seen of it, px
 * @param {number} rowPx
 * @param {number} total rows of the list
 * @param {number} beyond rows more at either end
 * @returns {Range} the rows to draw
 */
export function visible(top, height, rowPx, total, beyond) {
  const first = Math.min(Math.max(0, Math.floor(top / rowPx) - beyond), total);
  const end = Math.max(first, Math.min(total, Math.ceil((top + height) / rowPx) + beyond));
  return { first, end };
}

/** The rows that are at hand, by their place. Those of a list that has changed are drawn until the new ones come. */
export class Rows {
  /** @type {Map<number, { row: EventRow, at: number }>} `at`: up to which event it holds; endless where it is settled */
  #kept = new Map();
  #events = 0;
  #list = "";
  total = 0;

  /**
   * @param {EventPage} page
   * @param {string} list which list it is of: what was asked of it, in a word
   */
  put({ first, rows, settled, searched, total }, list) {
    if (list !== this.#list) this.#kept.clear();
    this.#list = list;
    this.#events = searched;
    this.total = total;
    rows.forEach((row, index) => {
      const place = first + index;
      this.#kept.set(place, { row, at: place < settled ? Number.POSITIVE_INFINITY : searched });
    });
    if (this.#kept.size > MOST_KEPT) this.#forget(first - MOST_KEPT / 4, first + rows.length + MOST_KEPT / 4);
  }

  /**
   * @param {number} place
   * @returns {EventRow | undefined}
   */
  get(place) {
    return this.#kept.get(place)?.row;
  }

  /**
   * @param {Range} range
   * @param {string} list the list that is wanted now
   * @returns {Range | null} what of it has to be asked for; null: nothing
   */
  missing({ first, end }, list) {
    let from = end;
    let to = first;
    for (let place = first; place < end; place += 1) {
      const kept = this.#kept.get(place);
      if (kept && kept.at >= this.#events && list === this.#list) continue;
      from = Math.min(from, place);
      to = place + 1;
    }
    return from < to ? { first: from, end: to } : null;
  }

  clear() {
    this.#kept.clear();
    this.#list = "";
    this.#events = 0;
    this.total = 0;
  }

  /**
   * @param {number} first
   * @param {number} end
   */
  #forget(first, end) {
    for (const place of this.#kept.keys()) if (place < first || place >= end) this.#kept.delete(place);
  }
}
