// Plays the queue block by block and tells what was played at what time: what the worklet does, and where a page has no worklets,
// the page itself.

import { PlaybackQueue } from "./playback-queue.js";

/**
 * @typedef {import("./playback-queue.js").ToProcessor} ToProcessor
 * @typedef {import("./playback-queue.js").FlushedByProcessor | import("./playback-queue.js").EventsOfProcessor} FromProcessor
 */

export class Player {
  #queue = new PlaybackQueue();
  #latest = 0;
  /** It has not been told to close. */
  open = true;

  /**
   * @param {() => number} now the audio context's clock, in seconds
   * @param {number} rateHz of that context
   */
  constructor(now, rateHz) {
    this.now = now;
    this.rateHz = rateHz;
    /** @type {MessagePort | null} the page's end */
    this.page = null;
  }

  /** @param {MessagePort} page what has arrived there meanwhile is taken now, in order */
  join(page) {
    this.page = page;
    page.onmessage = ({ data }) => this.#receive(data);
  }

  /** @param {ToProcessor} message */
  #receive(message) {
    if (message.kind === "chunk") {
      this.#queue.push({ ...message.chunk, samples: new Int16Array(message.buffer) });
    } else if (message.kind === "silence") {
      this.#queue.silence();
    } else if (message.kind === "reset") {
      this.#queue.reset();
    } else if (message.kind === "flush") {
      this.#queue.silence();
      this.#tell({ flush: message.flush, positions: this.#queue.report(), at_s: this.now() });
    } else {
      this.open = false;
    }
  }

  /**
   * @param {Float32Array} out one block
   * @param {number} atS when its first sample leaves, by the context's clock
   */
  fill(out, atS) {
    const filled = this.#queue.pull(out);
    this.#soften(out, filled);
    if (this.#queue.events.length === 0) return;
    const events = this.#queue.events.map(({ offset, ...event }) => ({
      ...event,
      at_s: atS + offset / this.rateHz,
    }));
    this.#queue.events = [];
    this.#tell({ events, now_s: this.now() });
  }

  /** @param {FromProcessor} message */
  #tell(message) {
    this.page?.postMessage(message);
  }

  /**
   * Where sound stops in mid-wave, lets the last sample fade over the rest of the block: a step would click.
   *
   * @param {Float32Array} out
   * @param {number} filled
   */
  #soften(out, filled) {
    const last = (filled > 0 ? out[filled - 1] : this.#latest) ?? 0;
    const rest = out.length - filled;
    if (last !== 0) {
      for (let i = 0; i < rest; i += 1) out[filled + i] = last * (1 - (i + 1) / rest);
    }
    this.#latest = out[out.length - 1] ?? 0;
  }
}
