// The audio graph: one context at 24 000 Hz, made in the user's click, with the microphone on one side and answers on the other.
// Where that context refuses the microphone, as Firefox's does one of another rate, a second context captures alone.

import { measureBands } from "./bands.js";
import { askForMicrophone, joinCapture, unlessAborted } from "./capture.js";
import captureSource from "./capture-processor.js?worklet";
import { ContextClock, nowMs } from "./clock.js";
import { LiveContext } from "./live-context.js";
import { loudness } from "./pcm.js";
import { Playback } from "./playback.js";
import playbackSource from "./playback-processor.js?worklet";
import { gainOf, USUAL } from "./preferences.js";
import { CLOSED, NO_WORKLET } from "./trouble.js";

export const SAMPLE_RATE_HZ = 24_000;
/** Of the context that captures alone: first the device's own, then the usual, where a browser hides what that is. */
const NATIVE_RATES_HZ = [undefined, 48_000, 44_100];

/** @typedef {"ready" | "blocked" | "none"} Sound */

/**
 * @param {LiveContext} live
 * @param {MediaStream} stream
 * @returns {MediaStreamAudioSourceNode | null} null: this context does not take a microphone of another rate
 */
function sourceIn({ context }, stream) {
  try {
    return context.createMediaStreamSource(stream);
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotSupportedError") return null;
    throw error;
  }
}

export class AudioGraph {
  /** @type {LiveContext | null} at 24 000 Hz */
  #main = null;
  /** @type {Set<LiveContext>} the main one, and what captures alone */
  #contexts = new Set();
  /** @type {DOMException | null} why there is no sound on this page */
  #failure = null;
  /** The main context has refused a microphone: the next one is not offered to it. */
  #refused = false;
  /** @type {import("./capture.js").Capture | null} */
  #capture = null;
  /** @type {Set<AbortSignal>} of microphones that are open, or being opened */
  #capturing = new Set();
  /** @type {Set<AbortSignal>} of who plays something beside the talk */
  #borrowing = new Set();
  #muted = false;
  #clock = new ContextClock();
  /** @type {Sound | null} */
  #told = null;
  #gain = 1;
  #waveform = new Float32Array(1024);
  #spectrum = new Float32Array(512);

  /**
   * @param {object} options
   * @param {AbortSignal} options.signal ends all of it
   * @param {(report: import("./playback.js").PlaybackReport) => void} options.report
   * @param {(report: import("./playback.js").FlushReport) => void} options.flushed
   * @param {(sound: Sound) => void} options.sound whether answers can be heard, and the microphone too
   */
  constructor({ signal, report, flushed, sound }) {
    this.signal = signal;
    this.sound = sound;
    this.report = report;
    this.flushed = flushed;
    this.playback = new Playback({ clock: this.#clock, report, flushed });
    signal.addEventListener("abort", () => this.#close(), { once: true });
  }

  /** The rate of the context that captures, or would; 0: there is none. */
  get sampleRateHz() {
    return this.#capture?.sampleRateHz ?? this.#main?.context.sampleRate ?? 0;
  }

  /** Makes the context, or wakes what there is. To be called inside the user's click where there is one: else it may stay asleep. */
  wake() {
    if (this.signal.aborted) return;
    if (!this.#main) this.#open();
    for (const live of this.#contexts) live.wake();
  }

  /**
   * The first context that a browser makes takes it tens of milliseconds: one that is thrown away spares the click that.
   * Not before the page was ever clicked: browsers complain of contexts then.
   */
  prepare() {
    const clicked = navigator.userActivation?.hasBeenActive === true;
    if (this.#main || !clicked || typeof AudioContext === "undefined") return;
    new AudioContext().close().catch(() => {});
  }

  /** Lets the context sleep: a running one costs the processor something even in silence. */
  rest() {
    if (this.#capturing.size > 0 || this.#borrowing.size > 0 || this.playback.playing) return;
    this.#main?.rest();
  }

  #open() {
    if (typeof AudioContext === "undefined") {
      this.#fail(new DOMException("this page has no audio contexts", NO_WORKLET));
      return;
    }
    /** @type {LiveContext} */
    let main;
    try {
      main = this.#add({
        sampleRateHz: SAMPLE_RATE_HZ,
        worklets: [captureSource, playbackSource],
        clock: this.#clock,
        changed: () => {
          if (main.state === "closed") this.#lose(main);
          this.#tell();
        },
      });
    } catch (error) {
      this.#fail(/** @type {DOMException} */ (error));
      return;
    }
    this.#main = main;
    this.#failure = null;
    main.ready.then(
      () => {
        if (this.#main === main) this.playback.attach(main.context);
      },
      () => {
        // No microphone then; answers are heard all the same.
        if (this.#main === main) this.playback.attach(main.context, { worklet: false });
      },
    );
  }

  /**
   * @param {ConstructorParameters<typeof LiveContext>[0]} options
   * @returns {LiveContext}
   */
  #add(options) {
    const live = new LiveContext(options);
    this.#contexts.add(live);
    return live;
  }

  /** @param {DOMException} error */
  #fail(error) {
    this.#failure = error;
    this.playback.giveUp();
    this.#tell();
  }

  /**
   * The browser has closed it: the next `wake` makes another, with a playback of its own.
   *
   * @param {LiveContext} main
   */
  #lose(main) {
    this.#contexts.delete(main);
    this.#main = null;
    this.playback.close();
    this.playback = new Playback({ clock: this.#clock, report: this.report, flushed: this.flushed });
    this.playback.setGain(this.#gain);
  }

  #tell() {
    const states = [...this.#contexts].map((live) => live.state);
    /** @type {Sound} */
    let sound = "ready";
    if (this.#failure) sound = "none";
    else if (states.includes("blocked")) sound = "blocked";
    // Not known yet.
    else if (states.includes("waking")) return;
    if (sound === this.#told) return;
    this.#told = sound;
    this.sound(sound);
  }

  /**
   * Opens the microphone; the signal closes it again, at whatever point.
   *
   * @param {object} options
   * @param {AbortSignal} options.signal
   * @param {boolean} options.muted
   * @param {import("./preferences.js").Preferences} [options.preferences] which one, and how its sound is treated
   * @param {(frame: { seq: number, captured_at_ms: number, buffer: ArrayBuffer }) => void} options.frame
   * @param {(error: DOMException) => void} options.lost
   * @param {(silent: boolean) => void} [options.silenced] the system, the browser or a switch on the device mutes it, or no
   *   longer: also when it is closed meanwhile
   * @returns {Promise<string>} what the device is called; rejected with what the browser threw, or with the signal's reason
   */
  async openMicrophone({ signal, muted, preferences = USUAL, frame, lost, silenced = () => {} }) {
    const life = new AbortController();
    for (const over of [signal, this.signal]) {
      over.throwIfAborted();
      over.addEventListener("abort", () => life.abort(over.reason), { once: true, signal: life.signal });
    }
    this.#capturing.add(life.signal);
    life.signal.addEventListener("abort", () => this.#capturing.delete(life.signal), { once: true });
    this.#muted = muted;
    try {
      // Asked first: the browser looks for the device while the contexts are made.
      const asked = askForMicrophone(preferences, life.signal);
      asked.catch(() => {});
      this.wake();
      const main = this.#main;
      if (!main) throw this.#failure;
      // Inside the click too: later it might not be allowed to run.
      const early = this.#refused ? this.#addNative(life.signal, undefined) : null;
      const stream = await asked;
      // A page that may listen may play too, without a click: so it goes on after a reload.
      for (const live of this.#contexts) live.retry();
      const { live, source } = await this.#admit(stream, main, early, life.signal);
      const { clock, context } = live;
      const capture = joinCapture({
        context,
        source,
        signal: life.signal,
        lost,
        silenced,
        frame: ({ seq, at_s, now_s, buffer }) => {
          // What the page sees of that clock is fresher than a message, in most browsers.
          clock.observe(Math.max(now_s, context.currentTime), nowMs());
          frame({ seq, captured_at_ms: clock.toPageMs(at_s), buffer });
        },
      });
      capture.mute(this.#muted);
      this.#capture = capture;
      life.signal.addEventListener(
        "abort",
        () => {
          if (this.#capture === capture) this.#capture = null;
        },
        { once: true },
      );
      return stream.getAudioTracks()[0]?.label ?? "";
    } catch (error) {
      life.abort(error);
      // Whatever it then failed at is not what went wrong.
      if (this.#main?.context.state !== "closed") throw error;
      throw new DOMException("the browser closed the audio context", CLOSED);
    }
  }

  /**
   * @param {MediaStream} stream
   * @param {LiveContext} main
   * @param {LiveContext | null} early what was made for it already
   * @param {AbortSignal} signal
   * @returns {Promise<{ live: LiveContext, source: MediaStreamAudioSourceNode }>} a context that takes it, its worklet loaded
   */
  async #admit(stream, main, early, signal) {
    if (!early) {
      const source = sourceIn(main, stream);
      if (source) {
        await unlessAborted(main.ready, signal);
        return { live: main, source };
      }
      this.#refused = true;
    }
    for (const rateHz of NATIVE_RATES_HZ) {
      const live = (rateHz === undefined && early) || this.#addNative(signal, rateHz);
      const source = sourceIn(live, stream);
      if (source) {
        await unlessAborted(live.ready, signal);
        return { live, source };
      }
      this.#drop(live);
    }
    this.#refused = false;
    throw new DOMException("no audio context takes this microphone", "NotSupportedError");
  }

  /**
   * @param {AbortSignal} signal closes it
   * @param {number | undefined} sampleRateHz undefined: the device's own
   * @returns {LiveContext}
   */
  #addNative(signal, sampleRateHz) {
    const live = this.#add({
      ...(sampleRateHz === undefined ? {} : { sampleRateHz }),
      worklets: [captureSource],
      changed: () => this.#tell(),
    });
    signal.addEventListener("abort", () => this.#drop(live), { once: true });
    live.wake();
    return live;
  }

  /** @param {LiveContext} live */
  #drop(live) {
    live.close();
    if (this.#contexts.delete(live)) this.#tell();
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.#muted = muted;
    this.#capture?.mute(muted);
  }

  /** @param {number} volumePercent how loud answers are */
  setVolume(volumePercent) {
    this.#gain = gainOf(volumePercent);
    this.playback.setGain(this.#gain);
  }

  /**
   * Where something can be played beside the talk, whose own accounts it leaves alone. To be called inside the click.
   *
   * @param {AbortSignal} signal until then it is wanted
   * @returns {Promise<AudioNode>} rejected with the signal's reason, or with why there is no sound here
   */
  async borrowOutput(signal) {
    this.wake();
    const main = this.#main;
    if (!main) throw this.#failure;
    this.#borrowing.add(signal);
    signal.addEventListener("abort", () => this.#borrowing.delete(signal), { once: true });
    await unlessAborted(main.ready, signal);
    return this.playback.analyser ?? main.context.destination;
  }

  /**
   * @param {"microphone" | "model"} side
   * @returns {number} how loud it is at this moment, 0 to 1
   */
  level(side) {
    const analyser = this.#analyserOf(side);
    if (!analyser) return 0;
    analyser.getFloatTimeDomainData(this.#waveform);
    return loudness(this.#waveform);
  }

  /**
   * @param {"microphone" | "model"} side
   * @param {number[]} levels written to: how loud each band of the voice is at this moment, 0 to 1
   */
  bands(side, levels) {
    const analyser = this.#analyserOf(side);
    if (!analyser) {
      levels.fill(0);
      return;
    }
    analyser.getFloatFrequencyData(this.#spectrum);
    measureBands(this.#spectrum, analyser.context.sampleRate, levels);
  }

  /** @param {"microphone" | "model"} side */
  #analyserOf(side) {
    return side === "microphone" ? this.#capture?.analyser : this.playback.analyser;
  }

  #close() {
    this.playback.close();
    this.#main = null;
    for (const live of this.#contexts) live.close();
    this.#contexts.clear();
  }
}
