// Relates an audio context's clock to the page's, from messages that arrive late by an unknown amount.

/** A second or so of microphone frames: long enough to meet a prompt one, short enough to follow an audio thread that stalled. */
const WINDOW = 32;

/**
 * A message cannot arrive before what it tells of, so the smallest difference seen is the one nearest to the truth.
 */
export class ContextClock {
  constructor() {
    /** @type {number[]} */
    this.offsetsMs = [];
    this.next = 0;
  }

  /**
   * @param {number} contextS a moment on the audio context's clock
   * @param {number} arrivedMs when the page learnt of it, on any millisecond clock
   */
  observe(contextS, arrivedMs) {
    this.offsetsMs[this.next] = arrivedMs - contextS * 1000;
    this.next = (this.next + 1) % WINDOW;
  }

  /**
   * @param {number} contextS
   * @returns {number} that moment on the page's clock; NaN before anything was observed
   */
  toPageMs(contextS) {
    return this.offsetsMs.length ? contextS * 1000 + Math.min(...this.offsetsMs) : Number.NaN;
  }

  /** To be called when the context has been suspended: its clock stood still. */
  reset() {
    this.offsetsMs = [];
    this.next = 0;
  }
}

/** @returns {number} milliseconds since the Unix epoch that never run backwards */
export function nowMs() {
  return performance.timeOrigin + performance.now();
}
