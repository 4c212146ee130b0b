// The loudspeaker's end in the page: hands answers to the playback worklet, and tells the kernel what was played.

import { nowMs } from "./clock.js";
import { OutputClock } from "./output-clock.js";
import { plainPlayer } from "./plain-player.js";

/** Time constant of a change of volume. */
const GAIN_S = 0.015;

/**
 * @typedef {Omit<import("./messages.js").Playback, "kind" | "page" | "acked">} PlaybackReport
 * @typedef {Omit<import("./messages.js").Flushed, "kind" | "page">} FlushReport
 */

export class Playback {
  /** @type {AudioContext | null} */
  #context = null;
  #output = new OutputClock();
  /** @type {AudioNode | null} */
  #node = null;
  /** @type {AnalyserNode | null} what the model says, however loud it is played */
  analyser = null;
  /** @type {GainNode | null} */
  #volume = null;
  #gain = 1;
  /** Whether an item is being played. */
  playing = false;
  /** @type {Map<string, import("./messages.js").PlayedPosition>} of items that came where nothing can be played */
  #unplayable = new Map();

  /**
   * @param {object} options
   * @param {import("./clock.js").ContextClock} options.clock of the context that `attach` will bring
   * @param {(report: PlaybackReport) => void} options.report
   * @param {(report: FlushReport) => void} options.flushed
   */
  constructor({ clock, report, flushed }) {
    this.clock = clock;
    this.report = report;
    this.flushed = flushed;
    // Made before there is a worklet: what arrives meanwhile waits in it, flushes too, all in order.
    this.channel = new MessageChannel();
    this.channel.port1.onmessage = ({ data }) => {
      if ("flush" in data) this.#wasFlushed(data);
      else this.#happened(data);
    };
    /** null: not known yet; false: this page plays nothing */
    this.able = /** @type {boolean | null} */ (null);
  }

  /**
   * @param {AudioContext} context
   * @param {{ worklet?: boolean }} [options] whether the playback worklet is loaded in it
   */
  attach(context, { worklet = true } = {}) {
    if (this.#node) return;
    this.#context = context;
    context.addEventListener("statechange", () => this.#output.reset());
    this.#node = worklet ? this.#workletIn(context) : plainPlayer(context, this.channel.port2);
    this.analyser = new AnalyserNode(context, { fftSize: 1024, smoothingTimeConstant: 0.5 });
    this.#volume = new GainNode(context, { gain: this.#gain });
    this.#node.connect(this.analyser).connect(this.#volume).connect(context.destination);
    this.able = true;
  }

  /** @param {AudioContext} context */
  #workletIn(context) {
    const node = new AudioWorkletNode(context, "gip-playback", {
      numberOfInputs: 0,
      numberOfOutputs: 1,
      outputChannelCount: [1],
    });
    node.port.postMessage({ port: this.channel.port2 }, [this.channel.port2]);
    return node;
  }

  /** @param {number} gain the factor by which answers are made softer */
  setGain(gain) {
    this.#gain = gain;
    // Not at once: a step in mid-word is heard as a click.
    this.#volume?.gain.setTargetAtTime(gain, this.#volume.context.currentTime, GAIN_S);
  }

  /** Nothing can be played here; flushes are answered all the same. */
  giveUp() {
    this.able = false;
  }

  /** Looks at when the loudspeaker is where; the more often, the surer. */
  observe() {
    if (this.#context) this.#output.observe(this.#context, performance.timeOrigin);
  }

  /**
   * @param {Omit<import("./playback-queue.js").Chunk, "samples">} chunk
   * @param {Int16Array<ArrayBuffer>} samples handed over with their memory
   */
  play(chunk, { buffer }) {
    if (this.able === false) {
      const { item_id, content_index } = chunk;
      this.#unplayable.set(`${content_index} ${item_id}`, { item_id, content_index, played_samples: 0 });
      return;
    }
    this.observe();
    this.#post({ kind: "chunk", chunk, buffer }, [buffer]);
  }

  /** Falls silent at once; the next flush still tells how far each item had come. */
  silence() {
    this.#post({ kind: "silence" });
    this.playing = false;
  }

  /** Begins anew: this page has the sound again, and items that were silenced here may go on. */
  reset() {
    this.#post({ kind: "reset" });
    this.#unplayable.clear();
    this.playing = false;
  }

  /** @param {number} flush the number to answer with */
  flush(flush) {
    if (this.able === false) {
      this.flushed({
        flush,
        positions: [...this.#unplayable.values()],
        output_latency_ms: 0,
        at_ms: nowMs(),
      });
      this.#unplayable.clear();
      return;
    }
    this.#post({ kind: "flush", flush });
  }

  close() {
    this.#post({ kind: "close" });
    this.#node?.disconnect();
    this.#volume?.disconnect();
    this.channel.port1.close();
  }

  /**
   * @param {import("./playback-queue.js").ToProcessor} message
   * @param {Transferable[]} [transfer]
   */
  #post(message, transfer = []) {
    this.channel.port1.postMessage(message, transfer);
  }

  /** @param {import("./playback-queue.js").FlushedByProcessor} data */
  #wasFlushed({ flush, positions, at_s }) {
    this.playing = false;
    // The clock of a context that sleeps tells no time.
    const running = this.#context?.state === "running";
    if (running) this.clock.observe(at_s, nowMs());
    this.flushed({
      flush,
      positions,
      output_latency_ms: this.#latencyMs(at_s),
      at_ms: running ? this.clock.toPageMs(at_s) : nowMs(),
    });
  }

  /** @param {import("./playback-queue.js").EventsOfProcessor} data */
  #happened({ events, now_s }) {
    this.clock.observe(now_s, nowMs());
    for (const { at_s, ...event } of events) {
      this.playing = event.event !== "ended";
      this.report({
        ...event,
        output_latency_ms: this.#latencyMs(at_s),
        at_ms: this.clock.toPageMs(at_s),
      });
    }
  }

  /**
   * @param {number} atS a moment of the context
   * @returns {number} from the worklet to the loudspeaker
   */
  #latencyMs(atS) {
    const context = this.#context;
    if (!context) return 0;
    this.observe();
    const latencyMs = this.#output.toPageMs(atS) - this.clock.toPageMs(atS);
    // Before the device has told anything, what the browser says of it.
    if (Number.isNaN(latencyMs)) return (context.outputLatency || context.baseLatency || 0) * 1000;
    return Math.max(0, latencyMs);
  }
}
