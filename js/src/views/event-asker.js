// Asks the kernel for pages of the event log: one request at a time, again while the talk goes on, and only while somebody looks.

/** @typedef {import("../event-rows.js").EventPage} EventPage */

/** While the talk goes on, no sooner after the last answer. */
const EVERY_MS = 250;
const AFTER_TROUBLE_MS = 2000;

/**
 * @param {import("../page.js").Page} page
 * @param {AbortSignal} signal
 * @param {object} owner
 * @param {HTMLElement} owner.element asked for while it is on the screen
 * @param {() => Record<string, unknown> & { around: number | null }} owner.wish what to ask for
 * @param {() => number} owner.version of the list that is wanted: an answer for an earlier one is left aside
 * @param {(value: EventPage, around: number | null) => void} owner.take
 * @param {() => boolean} owner.lacks whether rows in sight are still not at hand
 */
export function eventAsker(page, signal, owner) {
  let chosen = false;
  let onScreen = true;
  let live = false;
  let asking = false;
  let again = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const isSeen = () => chosen && onScreen && document.visibilityState === "visible" && !signal.aborted;
  const counted = () => page.store.get().talk?.event_count;

  async function ask() {
    clearTimeout(timer);
    if (!isSeen()) return;
    again = asking;
    if (asking) return;
    asking = true;
    const version = owner.version();
    const before = counted();
    const wish = owner.wish();
    const answer = await page.ask("events", wish);
    if (signal.aborted) return;
    asking = false;
    const value = /** @type {EventPage | null} */ (answer?.value ?? null);
    if (value && version === owner.version()) {
      owner.take(value, wish.around);
      // Unless the kernel has said something newer since.
      if (counted() === before && before !== value.events) count(value.events);
    }
    clearTimeout(timer);
    if (again || version !== owner.version()) ask();
    else if (!value) timer = live ? setTimeout(ask, AFTER_TROUBLE_MS) : undefined;
    else if (value.searched < value.events || owner.lacks()) ask();
    else if (live) timer = setTimeout(ask, EVERY_MS);
  }

  /**
   * The tab and the line of facts have the same figure.
   *
   * @param {number} event_count
   */
  function count(event_count) {
    page.store.dispatch({ kind: "talk", page: null, rev: 0, patch: { event_count } });
  }

  const sight = new IntersectionObserver((entries) => {
    const was = isSeen();
    onScreen = entries.at(-1)?.isIntersecting ?? onScreen;
    if (isSeen() && !was) ask();
  });
  sight.observe(owner.element);
  document.addEventListener("visibilitychange", () => ask(), { signal });
  signal.addEventListener(
    "abort",
    () => {
      clearTimeout(timer);
      sight.disconnect();
    },
    { once: true },
  );

  return {
    ask,
    /** @param {boolean} tab whether its tab is the one that is shown */
    choose(tab) {
      chosen = tab;
      clearTimeout(timer);
    },
    /** @param {boolean} goesOn whether there is more to come by itself */
    follow(goesOn) {
      live = goesOn;
    },
  };
}
