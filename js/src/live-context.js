// One audio context: its worklets loaded, awake while it is wanted, its clock related to the page's.

import { ContextClock } from "./clock.js";
import { NO_WORKLET } from "./trouble.js";

/** A context that may run does so within a few tens of milliseconds. */
const RESUME_MS = 500;
/** What a browser may take as the user's consent to sound: touch screens give it on the way up. */
const GESTURES = ["pointerdown", "pointerup", "touchend", "click", "keydown"];

/**
 * @param {BaseAudioContext} context
 * @param {string[]} sources worklet modules as text: a page may not be asked for more files
 */
async function loadWorklets(context, sources) {
  const urls = sources.map((source) => URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  try {
    // Not there on pages that are not secure.
    if (!context.audioWorklet) throw new Error("this page has none");
    await Promise.all(urls.map((url) => context.audioWorklet.addModule(url)));
  } catch (error) {
    throw new DOMException(`the audio worklet was not loaded: ${error}`, NO_WORKLET);
  } finally {
    for (const url of urls) URL.revokeObjectURL(url);
  }
}

/**
 * "asleep": not wanted. "waking": not heard of yet. "blocked": wanted, and the browser does not let it run.
 * "closed": the browser has ended it.
 *
 * @typedef {"asleep" | "waking" | "ready" | "blocked" | "closed"} Wakefulness
 */

export class LiveContext {
  /** @type {Wakefulness} */
  state = "asleep";
  #life = new AbortController();
  /** Aborted when it runs, or is no longer wanted: what waits for a gesture. */
  #vigil = new AbortController();
  /** @type {boolean | null} whether the page had been clicked when the browser was last asked to let it run; null: not asked */
  #asked = null;
  #ranAtMs = 0;

  /**
   * @param {object} options
   * @param {number} [options.sampleRateHz] missing: the device's own
   * @param {string[]} options.worklets as text
   * @param {() => void} options.changed `state` is another
   * @param {ContextClock} [options.clock]
   * @throws {DOMException} where the browser makes no context
   */
  constructor({ sampleRateHz, worklets, changed, clock = new ContextClock() }) {
    this.changed = changed;
    this.clock = clock;
    this.context = new AudioContext({
      latencyHint: "interactive",
      ...(sampleRateHz === undefined ? {} : { sampleRate: sampleRateHz }),
    });
    /** The worklets are loaded. */
    this.ready = loadWorklets(this.context, worklets);
    // Whoever needs it awaits it, and hears of it then.
    this.ready.catch(() => {});
    this.context.addEventListener("statechange", () => this.#stateChanged(), { signal: this.#life.signal });
  }

  /** Wants it to run. To be called inside the user's click where there is one: else it may stay blocked. */
  wake() {
    if (this.state === "closed") return;
    if (this.context.state === "running") this.#runs();
    else this.#rouse();
  }

  /** Something has changed that may let it run: it is asked again, if it is wanted and does not. */
  retry() {
    if (this.state !== "waking" && this.state !== "blocked") return;
    this.#asked = null;
    this.#resume();
  }

  /** Lets it sleep: a running one costs the processor something even in silence. */
  rest() {
    if (this.state === "closed") return;
    this.#vigil.abort();
    this.#asked = null;
    this.#is("asleep");
    // Refused only by one that is closed.
    this.context.suspend().catch(() => {});
  }

  /** For good. */
  close() {
    this.#life.abort();
    this.#vigil.abort();
    this.state = "closed";
    // Refused only by one that is closed.
    this.context.close().catch(() => {});
  }

  #stateChanged() {
    // Its clock stood still, or does from now on; and what was on its way meanwhile is no measure of anything.
    this.clock.reset();
    if (this.context.state === "closed") {
      this.#vigil.abort();
      this.#is("closed");
    } else if (this.context.state === "running") {
      this.#ranAtMs = performance.now();
      if (this.state !== "asleep") this.#runs();
    } else if (this.state !== "asleep") {
      // A device that takes it down again each time is asked once more by a gesture only.
      if (performance.now() - this.#ranAtMs > RESUME_MS) this.#asked = null;
      this.#rouse();
    }
  }

  #runs() {
    this.#vigil.abort();
    this.#is("ready");
  }

  #rouse() {
    if (this.state !== "waking" && this.state !== "blocked") {
      this.#watch();
      this.#is("waking");
    }
    this.#resume();
  }

  #resume() {
    const { isActive = true, hasBeenActive = true } = navigator.userActivation ?? {};
    // Each vain attempt is a line in the browser's console.
    if (!isActive && this.#asked === hasBeenActive) return;
    this.#asked = hasBeenActive;
    // What was observed while it fell asleep is wrong by the time it slept.
    this.clock.reset();
    // Refused by a device that fails, and by an interruption (a call on a telephone): `state` tells, and what ends it is heard of.
    this.context.resume().catch(() => {});
  }

  /** A browser that wants a click first leaves `resume` pending and says nothing. */
  #watch() {
    this.#vigil.abort();
    this.#vigil = new AbortController();
    const { signal } = this.#vigil;
    const timer = setTimeout(() => this.#is("blocked"), RESUME_MS);
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
    const again = () => this.#resume();
    // Before the view, which keeps its keys to itself.
    for (const gesture of GESTURES) {
      document.addEventListener(gesture, again, { signal, capture: true, passive: true });
    }
    navigator.mediaDevices?.addEventListener("devicechange", () => this.retry(), { signal });
  }

  /** @param {Wakefulness} state */
  #is(state) {
    if (this.state === state) return;
    this.state = state;
    this.changed();
  }
}
