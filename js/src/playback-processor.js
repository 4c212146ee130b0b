// The loudspeaker's end in the audio thread: plays the queue, and tells what was played at what time.

import { PlaybackQueue } from "./playback-queue.js";

class PlaybackProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.queue = new PlaybackQueue();
    this.latest = 0;
    this.open = true;
    /** @type {MessagePort} */
    this.page = this.port;
    // The page's end of this channel exists before the worklet does, so that what arrives meanwhile just waits in it.
    this.port.onmessage = ({ data }) => {
      this.page = data.port;
      this.page.onmessage = (message) => this.receive(message.data);
    };
  }

  /** @param {import("./playback-queue.js").ToProcessor} message */
  receive(message) {
    if (message.kind === "chunk") {
      this.queue.push({ ...message.chunk, samples: new Int16Array(message.buffer) });
    } else if (message.kind === "silence") {
      this.queue.silence();
    } else if (message.kind === "reset") {
      this.queue.reset();
    } else if (message.kind === "flush") {
      this.queue.silence();
      this.page.postMessage({ flush: message.flush, positions: this.queue.report(), at_s: currentTime });
    } else {
      this.open = false;
    }
  }

  /**
   * @param {Float32Array[][]} _inputs none
   * @param {Float32Array[][]} outputs one output of one channel
   * @returns {boolean} whether to be called again
   */
  process(_inputs, outputs) {
    const out = outputs[0]?.[0];
    if (!this.open || !out) return this.open;
    const filled = this.queue.pull(out);
    this.soften(out, filled);
    if (this.queue.events.length > 0) {
      const events = this.queue.events.map(({ offset, ...event }) => ({
        ...event,
        at_s: currentTime + offset / sampleRate,
      }));
      this.queue.events = [];
      this.page.postMessage({ events, now_s: currentTime });
    }
    return true;
  }

  /**
   * Where sound stops in mid-wave, lets the last sample fade over the rest of the block: a step would click.
   *
   * @param {Float32Array} out
   * @param {number} filled
   */
  soften(out, filled) {
    const last = (filled > 0 ? out[filled - 1] : this.latest) ?? 0;
    const rest = out.length - filled;
    if (last !== 0) {
      for (let i = 0; i < rest; i += 1) out[filled + i] = last * (1 - (i + 1) / rest);
    }
    this.latest = out[out.length - 1] ?? 0;
  }
}

registerProcessor("gip-playback", PlaybackProcessor);
