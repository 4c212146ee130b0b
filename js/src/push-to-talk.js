// Push to talk: a key or the button is held, or hit and hit again, and what is said meanwhile is one utterance. And the choice
// between that and turn detection, in mid-talk too.

import { Change } from "./change.js";
import { nowMs } from "./clock.js";
import { detectionFields, fateOf, NO_FATE } from "./session-fields.js";
import { isByHand, isElsewhere, isLive, isMuted } from "./store.js";

/** @typedef {import("./session-fields.js").Detection} Detection */

export class PushToTalk {
  /** The last release has gone out, or there was none: requests keep their order. */
  #released = Promise.resolve();
  /** The press before that has gone out. */
  #pressed = Promise.resolve();
  /** The talk began with this press: too short an one was a press on Start. */
  #began = false;
  /** The kernel has been told of a press, and of no release yet. */
  #down = false;

  /**
   * @param {import("./page.js").Page} page
   * @param {object} line
   * @param {(atMs: number) => Promise<void>} line.sentUntil what was said up to then has been sent
   * @param {(atMs: number) => Promise<void>} line.caughtUp the same, at once where nothing is held up
   */
  constructor(page, { sentUntil, caughtUp }) {
    this.page = page;
    this.sentUntil = sentUntil;
    this.caughtUp = caughtUp;
    this.change = new Change({
      send: (/** @type {Detection | null} */ detection) => this.#update(detection),
      settled: () => this.#local({ byHandWanted: null }),
    });
  }

  /** Whether a press begins to speak now. */
  get offered() {
    const state = this.page.store.get();
    return state.talk !== null && state.local.kernel === "live" && isByHand(state) && !isElsewhere(state);
  }

  /**
   * To be called inside the gesture: it may make the audio context.
   *
   * @param {"held" | "toggled"} how
   */
  press(how) {
    const { page } = this;
    const state = page.store.get();
    if (!this.offered || state.local.pressed) return;
    this.#began = state.local.stopping || !isLive(state.talk?.state ?? "idle");
    if (isMuted(state)) page.mute(false);
    if (this.#began) page.start();
    else page.openMicrophone();
    this.#down = true;
    this.#local({ pressed: how, tooShort: false });
    // At once, as an interruption.
    page.audio.playback.silence();
    const atMs = nowMs();
    const before = Promise.all([this.#released, this.caughtUp(atMs)]);
    this.#pressed = before.then(() => {
      this.#ask(atMs);
    });
  }

  /** @param {number} atMs when it was pressed: what was captured before is none of it, also where it is handed over late */
  async #ask(atMs) {
    if (await this.page.ask("press", { at_ms: atMs })) return;
    this.#down = false;
    this.#local({ pressed: null });
  }

  /** The utterance ends here. */
  async release() {
    const { page } = this;
    if (!this.#down) return;
    this.#down = false;
    this.#local({ pressed: null });
    this.#released = Promise.all([this.#pressed, this.sentUntil(nowMs())]).then(() => {});
    await this.#released;
    const answer = await page.ask("release");
    if (answer?.value?.too_short === true && !this.#began) this.#local({ tooShort: true });
  }

  toggle() {
    if (this.page.store.get().local.pressed) this.release();
    else this.press("toggled");
  }

  /** @param {boolean} byHand push to talk from now on; else the turn detection that there was before */
  choose(byHand) {
    const state = this.page.store.get();
    if (isByHand(state) === byHand) return;
    this.release();
    this.#local({ byHandWanted: byHand });
    const kept = Object.entries(state.local.detection ?? {}).filter(([, value]) => value !== null);
    this.change.ask(byHand ? null : { type: "server_vad", ...Object.fromEntries(kept) }, () => {});
  }

  /** @param {Detection | null} detection */
  async #update(detection) {
    await this.#released;
    const answer = await this.page.ask("update", { fields: detectionFields(detection) });
    return answer ? fateOf(answer.value) : NO_FATE;
  }

  /** @param {Partial<import("./store.js").Local>} patch */
  #local(patch) {
    this.page.store.dispatch({ kind: "local", patch });
  }
}
