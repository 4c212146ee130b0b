// Which row is pointed at and which has the focus: one row at a time is reached by Tab, the others by the arrow keys.

import { setAttribute } from "./dom.js";

/** @type {Record<string, number>} */
const STEPS = { ArrowUp: -1, ArrowDown: 1, Home: Number.NEGATIVE_INFINITY, End: Number.POSITIVE_INFINITY };

/**
 * @param {HTMLElement} rows
 * @param {object} options
 * @param {AbortSignal} options.signal
 * @param {() => void} options.changed another row is pointed at, or has the focus
 * @param {(step: number) => void} options.beyond the first or the last row is reached: there may be more
 */
export function rowFocus(rows, { signal, changed, beyond }) {
  /** @type {Element | null} */
  let pointed = null;
  /** @type {Element | null} */
  let focused = null;
  /** @type {Element | null} the one that Tab reaches */
  let current = null;

  /** @param {EventTarget | null} target */
  const rowOf = (target) =>
    target instanceof Element && rows.contains(target) ? target.closest(".gip-row") : null;

  /** @param {Element | null} next */
  function makeCurrent(next) {
    if (next === current) return;
    if (current) setAttribute(current, "tabindex", "-1");
    if (next) setAttribute(next, "tabindex", "0");
    current = next;
  }

  /** @param {Element | null} next */
  function point(next) {
    if (next === pointed) return;
    pointed = next;
    changed();
  }

  rows.addEventListener("pointerover", ({ target }) => point(rowOf(target)), { signal });
  rows.addEventListener("pointerleave", () => point(null), { signal });
  rows.addEventListener(
    "focusin",
    ({ target }) => {
      focused = rowOf(target);
      if (focused) makeCurrent(focused);
      changed();
    },
    { signal },
  );
  rows.addEventListener(
    "focusout",
    ({ relatedTarget }) => {
      const next = rowOf(relatedTarget);
      if (next === focused) return;
      focused = next;
      // Not now: where the focus goes is not settled while it leaves.
      queueMicrotask(changed);
    },
    { signal },
  );
  rows.addEventListener(
    "keydown",
    (event) => {
      const step = STEPS[event.key];
      const from = rowOf(event.target);
      // An output scrolls with the same keys.
      if (
        step === undefined ||
        !from ||
        /** @type {Element} */ (event.target).matches(".gip-output, .gip-arguments")
      )
        return;
      if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      event.preventDefault();
      if (step === -1 && !from.previousElementSibling) beyond(step);
      if (step === 1 && !from.nextElementSibling) beyond(step);
      const near = step === -1 ? from.previousElementSibling : from.nextElementSibling;
      const far = step < 0 ? rows.firstElementChild : rows.lastElementChild;
      const next = Math.abs(step) === 1 ? near : far;
      if (next instanceof HTMLElement) next.focus();
    },
    { signal },
  );

  return {
    /** @param {Element} row */
    wants: (row) => row === pointed || row === focused,
    /** Rows have come or gone: Tab reaches the newest, where it reached one that is no more. */
    tidy() {
      if (pointed && !pointed.isConnected) pointed = null;
      if (focused && !focused.isConnected) focused = null;
      if (!current?.isConnected || focused !== current) makeCurrent(focused ?? rows.lastElementChild);
    },
  };
}
