// The microphone of one page: open or not, which one, and what becomes of it when it goes away. Never open twice.

import { nowMs } from "./clock.js";
import { isHere, isLive, isMuted } from "./store.js";
import {
  fallenBack,
  heldUp,
  isOfDevice,
  lostSound,
  MUTED,
  microphoneTrouble,
  nameAndMessage,
} from "./trouble.js";
import { Uplink } from "./uplink.js";

/** How long a frame is waited for that should have come. */
const LATE_MS = 160;
/** A device is another one within this; what takes longer asks the user, and that is said. */
const SWITCH_MS = 400;

/**
 * @typedef {import("./messages.js").ErrorView} ErrorView
 */

export class Microphone {
  /** @type {AbortController | null} of the one that is open, or being opened */
  #life = null;
  /** What it is called; empty: not known. */
  #name = "";
  /** @type {Uplink} */
  #uplink;

  /**
   * @param {object} options
   * @param {import("./store.js").Store} options.store
   * @param {import("./audio.js").AudioGraph} options.audio
   * @param {(message: import("./comm.js").Unaddressed<import("./messages.js").PageMessage>, buffers?: ArrayBuffer[]) => unknown} options.send
   * @param {() => void} options.opened the browser now tells the devices' names
   */
  constructor({ store, audio, send, opened }) {
    this.store = store;
    this.audio = audio;
    this.send = send;
    this.opened = opened;
    this.#uplink = new Uplink({
      send: (message, buffer) => this.send(message, [buffer]),
      changed: (line) => this.#lineChanged(line),
    });
  }

  /** How many frames it has given, in the life of this page. */
  get captured() {
    return this.#uplink.captured;
  }

  /** Opens it, unless it is. To be called inside the user's click where there is one. */
  open() {
    if (this.#life) return;
    this.#trouble(null);
    this.#shown("asking");
    this.#begin(null);
  }

  close() {
    if (!this.#life) return;
    this.#end();
    this.#uplink.clear();
    this.#is("off");
  }

  /** @param {import("./messages.js").Heard} heard the kernel says up to where it has what was said */
  heard(heard) {
    this.#uplink.heard(heard, nowMs());
  }

  /**
   * Waits until what was said up to a moment has been sent: a frame goes out when it is full.
   *
   * @param {number} atMs milliseconds since the Unix epoch
   * @returns {Promise<void>}
   */
  until(atMs) {
    if (this.store.get().local.microphone !== "on") return Promise.resolve();
    return new Promise((resolve) => {
      /** @type {ReturnType<typeof setTimeout>} */
      let timer;
      // A microphone that gives nothing is not waited for; a kernel that takes nothing is: requests keep their place.
      const late = () => (this.#uplink.line.held ? wait() : resolve());
      const wait = () => {
        timer = setTimeout(late, LATE_MS);
      };
      wait();
      this.#uplink.sentUntil(atMs).then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /**
   * Waits until what was said up to a moment has been sent, if it is kept here because the kernel takes nothing.
   *
   * @param {number} atMs milliseconds since the Unix epoch
   * @returns {Promise<void>}
   */
  caughtUp(atMs) {
    return this.#uplink.line.held ? this.until(atMs) : Promise.resolve();
  }

  /** Another device, or other processing, is preferred: from now on that one is heard. */
  preferred() {
    const state = this.store.get();
    if (this.#life) {
      this.#trouble(null);
      if (this.#end() === "on") this.#tell("off");
      this.#begin(null);
    } else if (
      state.local.microphone === "error" &&
      isHere(state) &&
      state.talk &&
      isLive(state.talk.state)
    ) {
      // The one that failed is not what is wanted any more.
      this.open();
    }
  }

  /** @param {ErrorView | null} notice what to say once it is open */
  #begin(notice) {
    const life = new AbortController();
    this.#life = life;
    const waits = setTimeout(() => this.#shown("asking"), SWITCH_MS);
    life.signal.addEventListener("abort", () => clearTimeout(waits), { once: true });
    this.audio
      .openMicrophone({
        signal: life.signal,
        preferences: this.store.get().local.sounds,
        muted: isMuted(this.store.get()),
        frame: ({ captured_at_ms, buffer }) => this.#uplink.push({ captured_at_ms, buffer }, nowMs()),
        lost: (error) => this.#failed(life, error),
        silenced: (silent) => this.#silenced(silent),
      })
      .then(
        (name) => {
          if (life.signal.aborted) return;
          clearTimeout(waits);
          this.#name = name;
          this.audio.mute(isMuted(this.store.get()));
          if (notice) this.#trouble(notice);
          this.#is("on");
          this.opened();
        },
        (error) => this.#failed(life, error),
      );
  }

  /** @returns {import("./store.js").Local["microphone"]} what it was */
  #end() {
    this.#life?.abort();
    this.#life = null;
    return this.store.get().local.microphone;
  }

  /**
   * @param {AbortController} life
   * @param {unknown} thrown
   */
  #failed(life, thrown) {
    if (life.signal.aborted) return;
    const was = this.#end();
    const error = nameAndMessage(thrown);
    const { local } = this.store.get();
    const { sounds, devices } = local;
    if (sounds.microphone !== "" && isOfDevice(error.name)) {
      if (was === "on") this.#tell("off", error);
      const known = devices.named.find(({ deviceId }) => deviceId === sounds.microphone);
      // For this page; the browser goes on remembering what the user has chosen.
      this.store.dispatch({ kind: "local", patch: { sounds: { ...sounds, microphone: "" } } });
      this.#begin(fallenBack(error.name, known?.label || (was === "on" ? this.#name : "")));
      return;
    }
    this.#trouble(microphoneTrouble(error));
    this.#is("error", error);
  }

  /**
   * The device, or the system, gives silence though it is open.
   *
   * @param {boolean} silent
   */
  #silenced(silent) {
    this.#trouble(silent ? microphoneTrouble({ name: MUTED, message: "" }) : null);
  }

  /** @param {import("./uplink.js").Line} line */
  #lineChanged(line) {
    const was = this.store.get().local.line;
    this.store.dispatch({ kind: "local", patch: { line } });
    // What the user has put away stays away until there is news.
    if (line.held === was.held && line.held) return;
    const { talk } = this.store.get();
    /** @type {ErrorView | null} */
    let error = null;
    if (line.held) error = heldUp(talk?.notice ?? null, globalThis.navigator?.onLine !== false);
    else if (line.lostMs > 0) error = lostSound(line.lostMs);
    this.store.dispatch({ kind: "trouble", source: "line", error });
  }

  /** @param {ErrorView | null} error */
  #trouble(error) {
    this.store.dispatch({ kind: "trouble", source: "microphone", error });
  }

  /** @param {import("./store.js").Local["microphone"]} microphone */
  #shown(microphone) {
    this.store.dispatch({ kind: "local", patch: { microphone } });
  }

  /**
   * @param {"on" | "off" | "error"} state
   * @param {{ name: string, message: string } | null} [error]
   */
  #is(state, error = null) {
    this.#shown(state);
    this.#tell(state, error);
  }

  /**
   * @param {"on" | "off" | "error"} state
   * @param {{ name: string, message: string } | null} [error]
   */
  #tell(state, error = null) {
    this.send({ kind: "mic_state", state, error, sample_rate_hz: this.audio.sampleRateHz });
  }
}
