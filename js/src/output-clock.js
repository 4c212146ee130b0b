// When a sample of an audio context reaches the loudspeaker, on the page's clock.

/** Of so many pairs the middle one: each comes from one callback of the audio device, and those come early or late. */
const WINDOW = 25;
/**
 * A device that stalls goes on late by what it has missed, and stays so: where the newest pairs agree that well, they
 * alone count.
 */
const NEWEST = 5;
const AGREE_MS = 2;

export class OutputClock {
  /** @type {number[]} */
  #offsetsMs = [];
  #lastS = 0;

  /**
   * @param {Pick<AudioContext, "getOutputTimestamp">} context
   * @param {number} timeOriginMs Unix time at which the page's performance clock was zero
   */
  observe(context, timeOriginMs) {
    const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp();
    // Before the first sound both are zero, and between two callbacks the pair stays the same.
    if (contextTime <= 0 || performanceTime <= 0 || contextTime === this.#lastS) return;
    this.#lastS = contextTime;
    this.#offsetsMs.push(timeOriginMs + performanceTime - contextTime * 1000);
    if (this.#offsetsMs.length > WINDOW) this.#offsetsMs.shift();
  }

  /**
   * @param {number} contextS
   * @returns {number} when that moment of the context is heard; NaN before anything was observed
   */
  toPageMs(contextS) {
    const newest = inOrder(this.#offsetsMs.slice(-NEWEST));
    const agree = newest.length === NEWEST && Math.max(...newest) - Math.min(...newest) < AGREE_MS;
    const sorted = agree ? newest : inOrder(this.#offsetsMs);
    return contextS * 1000 + (sorted[sorted.length >> 1] ?? Number.NaN);
  }

  /** To be called when the context has been suspended: its clock stood still. */
  reset() {
    this.#offsetsMs = [];
  }
}

/** @param {number[]} values */
const inOrder = (values) => [...values].sort((one, other) => one - other);
