// The audio graph: one context at 24 000 Hz, made in the user's click, with the microphone on one side and answers on the other.

import { openCapture } from "./capture.js";
import captureSource from "./capture-processor.js?worklet";
import { ContextClock, nowMs } from "./clock.js";
import { loudness } from "./pcm.js";
import { Playback } from "./playback.js";
import playbackSource from "./playback-processor.js?worklet";
import { INSECURE } from "./trouble.js";

export const SAMPLE_RATE_HZ = 24_000;
/** A context that may run does so within a few tens of milliseconds. */
const RESUME_MS = 500;

/**
 * @param {BaseAudioContext} context
 * @param {string[]} sources worklet modules as text: a page may not be asked for more files
 */
async function loadWorklets(context, sources) {
  await Promise.all(
    sources.map(async (source) => {
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      try {
        await context.audioWorklet.addModule(url);
      } finally {
        URL.revokeObjectURL(url);
      }
    }),
  );
}

export class AudioGraph {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {Promise<void>} the worklets are loaded; pending before there is a context */
  #ready = Promise.reject(new Error("there is no audio context yet"));
  /** @type {import("./capture.js").Capture | null} */
  #capture = null;
  #clock = new ContextClock();
  #wanted = false;
  #waking = false;
  #waveform = new Float32Array(1024);

  /**
   * @param {object} options
   * @param {AbortSignal} options.signal ends all of it
   * @param {(report: import("./playback.js").PlaybackReport) => void} options.report
   * @param {(report: import("./playback.js").FlushReport) => void} options.flushed
   * @param {(sound: "ready" | "blocked" | "none") => void} options.sound whether answers can be heard
   */
  constructor({ signal, report, flushed, sound }) {
    this.signal = signal;
    this.sound = sound;
    this.#ready.catch(() => {});
    this.playback = new Playback({ clock: this.#clock, report, flushed });
    signal.addEventListener("abort", () => this.#close(), { once: true });
  }

  /** The rate of the context that captures; 0: there is none. */
  get sampleRateHz() {
    return this.#context?.sampleRate ?? 0;
  }

  /** Makes the context, or wakes it. To be called inside the user's click where there is one: else it may stay asleep. */
  wake() {
    if (this.signal.aborted) return;
    if (!this.#context) this.#open();
    const context = this.#context;
    this.#wanted = true;
    if (!context || context.state === "running") return;
    // Asked once, and again only inside a click: each vain attempt is a line in the browser's console.
    if (this.#waking && navigator.userActivation?.isActive === false) return;
    this.#waking = true;
    // What was observed while it fell asleep is wrong by the time it slept.
    this.#clock.reset();
    context.resume().catch(() => {});
    // A browser that wants a click first leaves the promise pending and says nothing.
    setTimeout(() => {
      if (this.#wanted && context.state === "suspended") this.sound("blocked");
    }, RESUME_MS);
  }

  /** Lets the context sleep: a running one costs the processor something even in silence. */
  rest() {
    if (this.#capture || this.playback.playing) return;
    this.#wanted = false;
    this.#context?.suspend().catch(() => {});
  }

  #open() {
    if (typeof AudioContext === "undefined" || !globalThis.isSecureContext) {
      this.playback.giveUp();
      this.sound("none");
      this.#ready = Promise.reject(new DOMException("this page is not a secure context", INSECURE));
      this.#ready.catch(() => {});
      return;
    }
    const context = new AudioContext({ sampleRate: SAMPLE_RATE_HZ, latencyHint: "interactive" });
    this.#context = context;
    context.addEventListener("statechange", () => {
      this.#waking = false;
      if (context.state === "running") this.sound("ready");
      // Its clock stands still from now on.
      else this.#clock.reset();
    });
    this.#ready = loadWorklets(context, [captureSource, playbackSource]).then(() => {
      if (!this.signal.aborted) this.playback.attach(context);
    });
    this.#ready.catch(() => {
      this.playback.giveUp();
      this.sound("none");
    });
  }

  /**
   * Opens the microphone; the signal closes it again.
   *
   * @param {object} options
   * @param {AbortSignal} options.signal
   * @param {boolean} options.muted
   * @param {(frame: { seq: number, captured_at_ms: number, buffer: ArrayBuffer }) => void} options.frame
   * @param {(error: DOMException) => void} options.lost
   * @returns {Promise<void>} rejected with what the browser threw
   */
  async openMicrophone({ signal, muted, frame, lost }) {
    this.wake();
    const context = this.#context;
    if (!context) throw new DOMException("this page is not a secure context", INSECURE);
    const capture = await openCapture({
      context,
      ready: this.#ready,
      signal,
      lost,
      frame: ({ seq, at_s, now_s, buffer }) => {
        this.#clock.observe(now_s, nowMs());
        frame({ seq, captured_at_ms: this.#clock.toPageMs(at_s), buffer });
      },
    });
    capture.mute(muted);
    this.#capture = capture;
    signal.addEventListener(
      "abort",
      () => {
        if (this.#capture === capture) this.#capture = null;
      },
      { once: true },
    );
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.#capture?.mute(muted);
  }

  /**
   * @param {"microphone" | "model"} side
   * @returns {number} how loud it is at this moment, 0 to 1
   */
  level(side) {
    const analyser = side === "microphone" ? this.#capture?.analyser : this.playback.analyser;
    if (!analyser) return 0;
    analyser.getFloatTimeDomainData(this.#waveform);
    return loudness(this.#waveform);
  }

  #close() {
    this.playback.close();
    this.#context?.close().catch(() => {});
    this.#context = null;
  }
}
