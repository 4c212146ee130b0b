// When a sample of an audio context reaches the loudspeaker, on the page's clock.

/** Of so many pairs the middle one: each comes from one callback of the audio device, and those come early or late. */
const WINDOW = 25;

export class OutputClock {
  /** @type {number[]} */
  #offsetsMs = [];
  #next = 0;
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
    this.#offsetsMs[this.#next] = timeOriginMs + performanceTime - contextTime * 1000;
    this.#next = (this.#next + 1) % WINDOW;
  }

  /**
   * @param {number} contextS
   * @returns {number} when that moment of the context is heard; NaN before anything was observed
   */
  toPageMs(contextS) {
    const sorted = [...this.#offsetsMs].sort((one, other) => one - other);
    return contextS * 1000 + (sorted[sorted.length >> 1] ?? Number.NaN);
  }

  /** To be called when the context has been suspended: its clock stood still. */
  reset() {
    this.#offsetsMs = [];
    this.#next = 0;
  }
}
