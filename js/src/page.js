// One talk in one page: joins the comm, the store and the audio graph. Views only draw what the store holds, and press what is
// listed under "verbs" here.

import { Acks } from "./acks.js";
import { AudioGraph } from "./audio.js";
import { nowMs } from "./clock.js";
import { Comm, RequestError, tabName } from "./comm.js";
import { watchDevices } from "./devices.js";
import { samplesOf } from "./messages.js";
import { Microphone } from "./microphone.js";
import { pageFacts } from "./page-facts.js";
import { isSameCapture, remember, remembered } from "./preferences.js";
import { PushToTalk } from "./push-to-talk.js";
import { Replay } from "./replay.js";
import { createStore, isHere, isLive, isMuted } from "./store.js";
import { KERNEL_LOST, NO_SOUND, SOUND_BLOCKED, unreadable } from "./trouble.js";

/** A cell that is run again takes its view away and shows a new one: that is no reason to hang up. */
const VIEW_GRACE_MS = 800;
/** A kernel that runs a cell may answer only when it has ended. */
const BUSY_AFTER_MS = 1500;
/** A snapshot that has not come by now was dropped too. */
const SNAPSHOT_MS = 2000;

/**
 * @typedef {import("./messages.js").KernelMessage} KernelMessage
 * @typedef {import("./store.js").TroubleSource} TroubleSource
 */

export class Page {
  store = createStore();
  #acks = new Acks();
  /** @type {Microphone} */
  #microphone;
  #views = 0;
  /** How often Start was pressed and not answered yet. */
  #starts = 0;
  /** Nobody looks at this talk here. */
  #left = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #leaving;
  #tab = tabName();
  /** Of the newest state message; null: none yet, or one was missed and the snapshot is on its way. */
  #rev = /** @type {number | null} */ (null);
  #lastRev = 0;
  #heardAtMs = 0;
  #kernelAheadMs = 0;

  /**
   * @param {import("./messages.js").Model} model
   * @param {AbortSignal} signal ends everything: sound, microphone, comm
   */
  constructor(model, signal) {
    this.signal = signal;
    // Before the comm's own listener: it has the last word to carry.
    signal.addEventListener("abort", () => this.#leave(), { once: true });
    this.comm = new Comm(model, {
      signal,
      receive: (message, buffer) => this.#receive(message, buffer),
      changed: (lost) => this.#kernelChanged(lost),
    });
    this.audio = new AudioGraph({
      signal,
      report: (report) => this.comm.send({ kind: "playback", ...report, acked: this.#acks.acked }),
      flushed: (report) => this.comm.send({ kind: "flushed", ...report }),
      sound: (sound) => this.#soundChanged(sound),
    });
    this.#microphone = new Microphone({
      store: this.store,
      audio: this.audio,
      send: (message, buffers) => this.comm.send(message, buffers),
      opened: () => this.lookForDevices(),
    });
    this.pushToTalk = new PushToTalk(this, {
      sentUntil: (atMs) => this.#microphone.until(atMs),
      caughtUp: (atMs) => this.#microphone.caughtUp(atMs),
    });
    this.lookForDevices = watchDevices({
      signal,
      changed: (devices) => this.store.dispatch({ kind: "local", patch: { devices } }),
    });
    const sounds = remembered();
    this.store.dispatch({ kind: "local", patch: { sounds } });
    this.audio.setVolume(sounds.volumePercent);
    this.replay = new Replay({
      signal,
      recording: async (item_id) => samplesOf((await this.ask("play", { item_id }))?.buffer),
      output: (life) => this.audio.borrowOutput(life),
      changed: (playing) => this.#replayChanged(playing),
    });
    globalThis.addEventListener("pagehide", () => this.#pageLeft(), { signal });
    globalThis.addEventListener("pageshow", ({ persisted }) => persisted && this.#hello(), { signal });
    this.store.dispatch({ kind: "local", patch: { page: this.comm.page } });
    this.#hello();
  }

  /** @param {AbortSignal} signal the view's: when the last view is gone, nobody is there to speak or to hear */
  viewOpened(signal) {
    this.#views += 1;
    this.#left = false;
    if (this.#views === 1) this.#hello();
    signal.addEventListener("abort", () => this.#viewClosed(), { once: true });
  }

  /** @returns {number} Unix milliseconds by the kernel's clock, which may be another machine's */
  kernelNowMs() {
    return Date.now() + this.#kernelAheadMs;
  }

  // ------------------------------------------------------------------------------------------------------- verbs

  /** To be called inside the click: it makes the audio context. */
  start() {
    this.store.dispatch({ kind: "trouble", source: "request", error: null });
    this.store.dispatch({ kind: "local", patch: { starting: true } });
    this.openMicrophone();
    this.#starts += 1;
    this.ask("start").then((done) => {
      this.#starts -= 1;
      this.store.dispatch({ kind: "local", patch: { starting: false } });
      if (!done) this.#microphone.close();
    });
  }

  /** This page is to hear and speak from now on. To be called inside the click, as `start`. */
  take() {
    this.openMicrophone();
    this.ask("take").then((done) => {
      if (!done) this.#microphone.close();
    });
  }

  /** The connection is lost: the next attempt is not to be waited for. */
  retry() {
    void this.ask("retry");
  }

  stop() {
    this.store.dispatch({ kind: "local", patch: { stopping: true, pressed: null } });
    this.#microphone.close();
    this.audio.playback.silence();
    this.ask("stop").then(() => this.store.dispatch({ kind: "local", patch: { stopping: false } }));
  }

  interrupt() {
    // At once, and not after a round trip; the kernel's own flush then asks how far each item had come.
    this.audio.playback.silence();
    this.ask("interrupt");
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.store.dispatch({ kind: "local", patch: { muteWanted: muted } });
    this.audio.mute(muted);
    this.ask("mute", { muted }).then((done) => {
      if (done) return;
      this.store.dispatch({ kind: "local", patch: { muteWanted: null } });
      this.audio.mute(isMuted(this.store.get()));
    });
  }

  /**
   * @param {string} text
   * @returns {Promise<boolean>} whether the kernel took it
   */
  say(text) {
    return this.#saying(() => this.ask("text", { text }));
  }

  /**
   * @param {File} file a WAV; what else it is, the kernel says
   * @returns {Promise<boolean>} whether the kernel took it
   */
  sendSound(file) {
    return this.#saying(async () => {
      const sound = await file.arrayBuffer().catch(() => null);
      if (sound) return this.ask("sound", { name: file.name }, [sound]);
      this.complain(unreadable(file.name));
      return null;
    });
  }

  /** @param {() => Promise<unknown>} ask */
  async #saying(ask) {
    this.audio.wake();
    const { talk } = this.store.get();
    if (talk && !isLive(talk.state)) this.store.dispatch({ kind: "local", patch: { starting: true } });
    const done = await ask();
    this.store.dispatch({ kind: "local", patch: { starting: false } });
    return done !== null;
  }

  /**
   * Something that was wished for cannot be; null: it is over.
   *
   * @param {import("./messages.js").ErrorView | null} error
   */
  complain(error) {
    this.store.dispatch({ kind: "trouble", source: "request", error });
  }

  /** @param {TroubleSource | import("./store.js").ToldSource} source */
  dismiss(source) {
    this.store.dispatch({ kind: "dismiss", source });
  }

  /** A click anywhere in a view: the browser now lets sound out. */
  touched() {
    if (this.store.get().local.sound === "blocked") this.audio.wake();
  }

  openMicrophone() {
    this.#microphone.open();
  }

  /** @param {Partial<import("./preferences.js").Preferences>} patch what the user wants of sound in this page, from now on */
  prefer(patch) {
    const before = this.store.get().local.sounds;
    const sounds = { ...before, ...patch };
    this.store.dispatch({ kind: "local", patch: { sounds } });
    remember(patch);
    this.audio.setVolume(sounds.volumePercent);
    if (!isSameCapture(before, sounds)) this.#microphone.preferred();
  }

  /**
   * Asks the kernel for something that a view needs, and shows on the page why it was not done.
   *
   * @param {import("./messages.js").Verb} verb
   * @param {Record<string, unknown>} [args]
   * @param {ArrayBuffer[]} [buffers]
   * @returns {Promise<import("./comm.js").Answer | null>} null: it was not done
   */
  async ask(verb, args, buffers) {
    try {
      return await this.request(verb, args, buffers);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      // A kernel that is gone has said so already.
      const gone = error.view === KERNEL_LOST;
      this.store.dispatch({ kind: "trouble", source: "request", error: gone ? null : error.view });
      return null;
    }
  }

  /**
   * The same, for a view that shows by itself why it was not done.
   *
   * @param {import("./messages.js").Verb} verb
   * @param {Record<string, unknown>} [args]
   * @param {ArrayBuffer[]} [buffers]
   * @returns {Promise<import("./comm.js").Answer>} rejected with RequestError
   */
  async request(verb, args, buffers) {
    const askedAtMs = nowMs();
    const busy = setTimeout(() => {
      if (this.#heardAtMs < askedAtMs) this.store.dispatch({ kind: "local", patch: { busy: true } });
    }, BUSY_AFTER_MS);
    try {
      return await this.comm.request(verb, args, buffers);
    } finally {
      clearTimeout(busy);
      if (this.store.get().local.busy) this.store.dispatch({ kind: "local", patch: { busy: false } });
    }
  }

  // ------------------------------------------------------------------------------------------------------ inside

  #hello() {
    const plays = typeof AudioContext !== "undefined";
    this.comm.send({ kind: "hello", tab: this.#tab, views: this.#views, plays });
  }

  #viewClosed() {
    this.#views -= 1;
    clearTimeout(this.#leaving);
    this.#leaving = setTimeout(() => {
      if (this.#views > 0 || this.signal.aborted) return;
      this.audio.playback.flush(-1);
      this.replay.stop();
      this.#leave();
      this.audio.rest();
    }, VIEW_GRACE_MS);
  }

  /** Asks for everything, until it comes. */
  #askAgain() {
    if (this.#rev !== null || this.signal.aborted) return;
    this.#hello();
    setTimeout(() => this.#askAgain(), SNAPSHOT_MS);
  }

  /** Nobody looks at this talk here any more: the microphone is off, and what is left of an answer is not heard. */
  #leave() {
    this.#left = true;
    // The kernel lets go of a key that is held where nobody is any more.
    this.store.dispatch({ kind: "local", patch: { pressed: null } });
    this.#microphone.close();
    this.comm.send({ kind: "bye" });
  }

  /** The page is closed or loaded again. The kernel keeps what was not played, and the microphone's being on. */
  #pageLeft() {
    // First, so that it is not taken for a microphone that was switched off.
    this.comm.send({ kind: "bye" });
    this.#microphone.close();
  }

  /**
   * @param {KernelMessage} message
   * @param {DataView | undefined} buffer
   */
  #receive(message, buffer) {
    this.#heardAtMs = nowMs();
    if (this.store.get().local.busy) this.store.dispatch({ kind: "local", patch: { busy: false } });
    switch (message.kind) {
      case "clock":
        this.comm.send({
          kind: "clock",
          clock: message.clock,
          page_ms: nowMs(),
          acked: this.#acks.acked,
          rev: this.#lastRev,
        });
        return;
      case "facts":
        this.#tellFacts(message.facts);
        return;
      case "audio":
        // With no view there is nobody to hear it, and no button to stop it. Not acknowledged, it comes again.
        if (this.#left) return;
        this.#acks.take(message.seq);
        this.#play(message, buffer);
        return;
      case "heard":
        this.#microphone.heard(message);
        return;
      case "flush":
        this.audio.playback.flush(message.flush);
        return;
      case "capture":
        if (!message.on) this.#closeUnlessStarting();
        else if (this.#views > 0) this.openMicrophone();
        return;
      case "reply":
        return;
      default:
        if (this.#follows(message)) this.#reduce(message);
    }
  }

  /** @param {number} facts the number to answer with */
  async #tellFacts(facts) {
    const found = await pageFacts();
    if (this.signal.aborted) return;
    const { sound, troubles } = this.store.get().local;
    const trouble = found.trouble ?? troubles.microphone;
    const { sampleRateHz: sample_rate_hz } = this.audio;
    this.comm.send({ kind: "facts", facts, ...found, trouble, sample_rate_hz, sound });
  }

  /**
   * The Jupyter server drops messages in silence where there are too many; a gap in the numbers shows it.
   *
   * @param {import("./messages.js").Snapshot | import("./messages.js").TalkPatch | import("./messages.js").Items} message
   * @returns {boolean} whether it is news
   */
  #follows({ kind, rev }) {
    if (kind === "snapshot") {
      this.#rev = this.#lastRev = rev;
      return true;
    }
    if (this.#rev !== null && rev <= this.#rev) return false;
    if (this.#rev !== null && rev > this.#rev + 1) {
      this.#rev = null;
      this.#askAgain();
    } else if (this.#rev !== null) {
      this.#rev = this.#lastRev = rev;
    }
    return true;
  }

  /**
   * @param {import("./messages.js").Audio} message
   * @param {DataView | undefined} buffer
   */
  #play({ item_id, content_index, start_sample, last }, buffer) {
    // One voice at a time.
    this.replay.stop();
    this.audio.wake();
    this.audio.playback.play({ item_id, content_index, start_sample, last }, samplesOf(buffer));
  }

  /** @param {KernelMessage} message */
  #reduce(message) {
    if (message.kind === "snapshot") this.#kernelAheadMs = message.at_ms - Date.now();
    const was = this.store.get();
    const before = was.talk?.state ?? "idle";
    this.store.dispatch(message);
    const state = this.store.get();
    // What is played goes with its row, and with it the button that stops it.
    if (this.replay.playing !== null && !state.conversation.items.has(this.replay.playing))
      this.replay.stop();
    this.audio.mute(isMuted(state));
    if (isHere(state) && !isHere(was)) {
      // The kernel counts anew, and what was silenced here may go on.
      this.#acks.reset();
      this.audio.playback.reset();
    } else if (isHere(was) && !isHere(state) && state.talk && isLive(state.talk.state)) {
      this.#microphone.close();
      this.audio.playback.silence();
    }
    // A talk that is over has no use for the microphone, whoever ended it.
    if (state.talk && isLive(before) && !isLive(state.talk.state)) {
      this.#closeUnlessStarting();
      this.audio.rest();
    }
  }

  /** What the kernel says of the talk before is late, once Start was pressed for the next one. */
  #closeUnlessStarting() {
    if (this.#starts === 0) this.#microphone.close();
  }

  /** @param {string | null} playing */
  #replayChanged(playing) {
    this.store.dispatch({ kind: "local", patch: { playing } });
    const { talk } = this.store.get();
    if (playing === null && talk && !isLive(talk.state)) this.audio.rest();
  }

  /** @param {boolean} lost */
  #kernelChanged(lost) {
    this.store.dispatch({
      kind: "local",
      patch: {
        ...{ kernel: lost ? "lost" : "live", starting: false, stopping: false, busy: false },
        ...{ muteWanted: null, pressed: null, byHandWanted: null },
      },
    });
    this.store.dispatch({ kind: "trouble", source: "kernel", error: lost ? KERNEL_LOST : null });
    if (!lost) {
      this.#hello();
      return;
    }
    this.#microphone.close();
    this.audio.playback.silence();
    this.audio.rest();
  }

  /** @param {"ready" | "blocked" | "none"} sound */
  #soundChanged(sound) {
    this.store.dispatch({ kind: "local", patch: { sound } });
    const error = { ready: null, blocked: SOUND_BLOCKED, none: NO_SOUND }[sound];
    this.store.dispatch({ kind: "trouble", source: "sound", error });
  }
}
