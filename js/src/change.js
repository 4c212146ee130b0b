// Changes of one setting on their way: one at a time, and of those that come meanwhile only the newest goes out.

import { SENDING } from "./session-fields.js";

/** @typedef {import("./session-fields.js").Fate} Fate */

/**
 * What tells the fate of a change, beside the control that made it.
 *
 * @typedef {(fate: Fate) => void} Teller
 */

/** @template T */
export class Change {
  /** @type {{ value: T, tellers: Set<Teller> } | null} */
  #waiting = null;
  /** @type {{ value: T } | null} */
  #asked = null;

  /**
   * @param {object} options
   * @param {(value: T) => Promise<Fate>} options.send never rejected
   * @param {() => void} options.settled all is answered: what the server has is what holds
   */
  constructor({ send, settled }) {
    this.send = send;
    this.settled = settled;
  }

  /**
   * @param {T} told what the server has
   * @returns {T} what was asked for last, while that is not answered
   */
  over(told) {
    return this.#asked ? this.#asked.value : told;
  }

  /**
   * @param {T} value
   * @param {Teller} teller
   */
  async ask(value, teller) {
    const isFirst = this.#asked === null;
    this.#asked = { value };
    this.#waiting = { value, tellers: (this.#waiting?.tellers ?? new Set()).add(teller) };
    teller(SENDING);
    if (!isFirst) return;
    while (this.#waiting !== null) {
      /** @type {{ value: T, tellers: Set<Teller> }} */
      const sent = this.#waiting;
      this.#waiting = null;
      const fate = await this.send(sent.value);
      for (const told of sent.tellers) if (!this.#awaits(told)) told(fate);
    }
    this.#asked = null;
    this.settled();
  }

  /**
   * @param {Teller} teller
   * @returns {boolean} whether a newer change is its
   */
  #awaits(teller) {
    return this.#waiting?.tellers.has(teller) ?? false;
  }
}
