// The event log: every event of the session, as it passed. The kernel gives its rows in pages, and only while they are seen.

import { Rows, summaryText } from "../event-rows.js";
import { isLive } from "../store.js";
import { make, setAttribute, setText, show } from "./dom.js";
import { eventAsker } from "./event-asker.js";
import { eventDetail } from "./event-detail.js";
import { eventFilter } from "./event-filter.js";
import { eventList } from "./event-list.js";

/**
 * @typedef {import("../event-rows.js").EventDetail} EventDetail
 * @typedef {import("../event-rows.js").EventPage} EventPage
 * @typedef {import("../event-rows.js").EventRow} EventRow
 */

/** Asked for at either end of what is missing: the next move of the wheel finds them. */
const AHEAD = 40;

/**
 * @param {import("../page.js").Page} page
 * @param {AbortSignal} signal
 * @returns {import("./tabs.js").Panel}
 */
export function events(page, signal) {
  const rows = new Rows();
  /** @type {EventPage | null} what was told last, of whatever list */
  let told = null;
  /** @type {EventDetail | null} */
  let opened = null;
  /** `n` of the event whose JSON is wanted; it may be on its way. */
  let wanted = /** @type {number | null} */ (null);
  /** `n` of an event whose place in the next list is wanted. */
  let around = /** @type {number | null} */ (null);
  let following = true;
  /** The list is about to give room to the event that was opened. */
  let shrinking = false;
  /** @type {Set<number>} the `n` of unfolded runs */
  const unfolded = new Set();
  /** Counts the lists: another filter, another run unfolded. */
  let version = 0;

  const zero = () => told?.opened_ms ?? 0;
  const filter = eventFilter(signal, { changed: filterChanged, follow });
  const list = eventList(signal, {
    row: (place) => rows.get(place),
    zero_ms: zero,
    opened: () => opened?.n ?? null,
    scrolled,
    resized() {
      const active = list.active();
      if (following) list.toEnd();
      else if (shrinking && active !== null) list.reveal(active);
      shrinking = false;
      draw();
      ask();
    },
    pressed,
  });
  const detail = eventDetail(signal, {
    close: closeDetail,
    only: (type) => filter.write(`type:${type}`),
  });
  const all = make("button", "gip-log-all gip-button", {}, "Show all events");
  const empty = make("div", "gip-log-empty", {}, make("span", "gip-log-none"), all);
  const summary = make("span", "gip-log-summary");
  // Told to who cannot see it, when the filter has changed and not four times a second.
  const spoken = make("span", "gip-log-spoken gip-unseen", { role: "status" });
  const element = make(
    "div",
    "gip-log",
    {},
    filter.element,
    make("div", "gip-log-body", {}, list.element, empty, detail.element),
    make("div", "gip-log-foot", {}, summary, spoken),
  );
  all.addEventListener("click", () => filter.reset());

  // ---------------------------------------------------------------------------------------------- asking the kernel

  let speak = false;
  /** What the talk was like when it was last looked at. */
  let seen = "";

  /** @returns {{ first: number | null, count: number }} */
  function missing() {
    const range = list.range();
    if (following) return { first: null, count: list.rowsInSight() + AHEAD };
    const needed = rows.missing(range, String(version));
    if (!needed) return { first: 0, count: 0 };
    const first = Math.max(0, needed.first - AHEAD);
    return { first, count: needed.end + AHEAD - first };
  }

  const asker = eventAsker(page, signal, {
    element,
    wish: () => ({ filter: filter.get(), unfolded: [...unfolded], around, ...missing() }),
    version: () => version,
    take,
    lacks: () => !following && missing().count > 0,
  });
  const { ask } = asker;

  /**
   * @param {EventPage} value
   * @param {number | null} where the event whose place was asked for
   */
  function take(value, where) {
    if (told && told.log !== value.log) {
      forget();
      told = value;
      return;
    }
    list.look();
    told = value;
    rows.put(value, String(version));
    list.resize(value.total);
    if (where !== null && where === around && value.searched === value.events) {
      around = null;
      list.activate(value.around);
      if (value.around !== null) list.reveal(value.around);
    }
    if (following) list.toEnd();
    draw();
  }

  /** Another session has another log. */
  function forget() {
    rows.clear();
    unfolded.clear();
    version += 1;
    opened = null;
    wanted = null;
    around = null;
    following = true;
    list.activate(null);
    list.resize(0);
    draw();
  }

  function draw() {
    list.draw();
    // What is drawn may be what it was before, for as long as the kernel takes to answer.
    const waits = rows.missing(list.range(), String(version)) !== null;
    setAttribute(list.element, "aria-busy", waits ? "true" : null);
    detail.draw(opened, zero());
    filter.draw(told?.failures ?? 0, following);
    const nothing = told !== null && told.total === 0;
    show(empty, nothing);
    if (!told) return;
    const there = told.events > 0 && told.searched === told.events;
    setText(/** @type {Element} */ (empty.firstElementChild), noneText(told));
    show(all, there);
    const text = summaryText(told, filter.get());
    setText(summary, text);
    if (speak && told.searched === told.events) {
      speak = false;
      setText(spoken, text);
    }
  }

  // ------------------------------------------------------------------------------------------------- what is wanted

  function filterChanged() {
    version += 1;
    speak = true;
    unfolded.clear();
    const active = list.active();
    around = opened?.n ?? (active === null ? null : (rows.get(active)?.n ?? null));
    if (!following && around === null) list.toStart();
    ask();
  }

  /** @param {boolean} wish */
  function follow(wish) {
    following = wish;
    if (wish) list.toEnd();
    draw();
    ask();
  }

  /** @param {boolean} atEnd */
  function scrolled(atEnd) {
    following = atEnd;
    draw();
    if (missing().count > 0) ask();
  }

  /** @param {number} place */
  function pressed(place) {
    // Text that was just selected is to be copied, and not a press.
    if (getSelection()?.isCollapsed === false && getSelection()?.containsNode(list.element, true)) return;
    list.activate(place);
    act(place);
  }

  /**
   * Unfolds or folds a run, opens or closes an event.
   *
   * @param {number} place
   */
  function act(place) {
    const row = rows.get(place);
    if (!row) return;
    if (row.count > 1) fold(row, !row.unfolded);
    else if (row.n === wanted) closeDetail();
    else open(row);
  }

  /**
   * @param {EventRow} row a run
   * @param {boolean} unfold
   */
  function fold(row, unfold) {
    following = false;
    version += 1;
    if (unfold) unfolded.add(row.n);
    else unfolded.delete(row.n);
    draw();
    ask();
  }

  /** @param {EventRow} row */
  async function open(row) {
    // Whoever reads stays where he is.
    following = false;
    wanted = row.n;
    const answer = await page.ask("event", { n: row.n });
    const value = /** @type {EventDetail | null} */ (answer?.value ?? null);
    if (signal.aborted || wanted !== row.n || value?.log !== told?.log) return;
    // Its room is taken from the list's.
    shrinking = opened === null;
    opened = value;
    draw();
  }

  function closeDetail() {
    opened = null;
    wanted = null;
    draw();
    list.element.focus({ preventScroll: true });
  }

  /** @param {number} place */
  function move(place) {
    const to = Math.min(Math.max(0, place), rows.total - 1);
    if (to < 0) return;
    if (to < rows.total - 1) following = false;
    list.activate(to);
    list.reveal(to);
    draw();
    ask();
    const row = rows.get(to);
    if (row && row.count === 1 && opened) open(row);
  }

  // ----------------------------------------------------------------------------------------------------------- keys

  /** @type {Record<string, (place: number) => void>} */
  const keys = {
    ArrowDown: (place) => move(place + 1),
    ArrowUp: (place) => move(place - 1),
    PageDown: (place) => move(place + list.rowsInSight()),
    PageUp: (place) => move(place - list.rowsInSight()),
    Home: () => move(0),
    End: () => {
      list.activate(rows.total - 1);
      follow(true);
    },
    Enter: act,
    " ": act,
    ArrowRight: (place) => {
      const row = rows.get(place);
      if (row && row.count > 1 && !row.unfolded) fold(row, true);
    },
    ArrowLeft: (place) => {
      const row = rows.get(place);
      if (row?.unfolded) fold(row, false);
      if (!row || row.inside === null) return;
      around = row.inside;
      unfolded.delete(row.inside);
      version += 1;
      ask();
    },
    Escape: () => closeDetail(),
  };
  list.element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const press = keys[event.key];
    if (!press || (event.key === "Escape" && !opened)) return;
    event.preventDefault();
    event.stopPropagation();
    const active = list.active();
    // The first key finds the row at the end that is in sight.
    if (active === null && event.key.startsWith("Arrow")) move(list.range().end - 1);
    else press(active ?? 0);
  });

  return {
    name: "Events",
    element,
    draw({ talk, local }) {
      asker.follow(talk !== null && isLive(talk.state) && local.kernel === "live");
      const count = talk?.event_count === told?.events ? "" : talk?.event_count;
      const now = `${local.kernel} ${talk?.state} ${count}`;
      if (now === seen || local.kernel !== "live") return;
      seen = now;
      ask();
    },
    shown(shown) {
      asker.choose(shown);
      if (!shown) return;
      // What it was like when it was hidden does not count.
      seen = "";
      if (following) list.toEnd();
    },
    count: ({ talk }) => (talk?.event_count ? talk.event_count.toLocaleString("en") : ""),
  };
}

/** @param {EventPage} told */
function noneText({ events, searched }) {
  if (events === 0) return "No events yet";
  return searched < events ? "Looking…" : "No event matches";
}
