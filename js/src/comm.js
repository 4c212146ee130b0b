// The comm with the kernel: messages out, messages in, requests that each get their answer, and the moment it is gone.

import { send } from "./messages.js";
import { KERNEL_LOST } from "./trouble.js";

/**
 * @typedef {import("./messages.js").ErrorView} ErrorView
 * @typedef {import("./messages.js").KernelMessage} KernelMessage
 * @typedef {import("./messages.js").Model} Model
 */

/** A request that the kernel refused, or can no longer answer. */
export class RequestError extends Error {
  /** @param {ErrorView} view */
  constructor(view) {
    super(view.message);
    this.name = "RequestError";
    this.view = view;
  }
}

/** @type {ErrorView} */
const UNEXPLAINED = {
  title: "Not done",
  message: "The kernel did not do what was asked and gave no reason.",
  next_step: "Look at session.events for what happened, then try again.",
};

/**
 * The Jupyter server drops messages in silence where there are too many, and a connection that breaks takes some with it: what is
 * not answered by now is asked again, under the same number, and does nothing twice. Seldom, since a kernel that runs a cell
 * finds all of them when it has ended.
 */
export const ASK_AGAIN_MS = 2000;
const ASK_AGAIN_AT_LAST_MS = 8000;

/** Where the tab's name is kept. */
const TAB = "gip-tab";

/** @returns {string} a random id for this page; crypto.randomUUID exists on secure pages only */
export function newPageId() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The browser tab's own name: a page that is loaded again finds it, and the kernel gives it back the talk.
 *
 * @returns {string}
 */
export function tabName() {
  try {
    const known = sessionStorage.getItem(TAB);
    if (known) return known;
    const name = newPageId();
    sessionStorage.setItem(TAB, name);
    return name;
  } catch {
    // A host that keeps nothing: then a page that is loaded again is just another page.
    return newPageId();
  }
}

/**
 * A message without what the page's id adds to each.
 *
 * @template {{ page: unknown }} M
 * @typedef {M extends unknown ? Omit<M, "page"> : never} Unaddressed
 */

/**
 * What a request got: JSON, and sound where it asked for some.
 *
 * @typedef {{ value: Record<string, unknown> | null, buffer: DataView | undefined }} Answer
 */

/**
 * @typedef {object} Pending
 * @property {(answer: Answer) => void} resolve
 * @property {(error: RequestError) => void} reject
 * @property {ReturnType<typeof setTimeout> | undefined} timer
 */

export class Comm {
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #requests = 0;
  #lost = false;

  /**
   * @param {Model} model
   * @param {object} options
   * @param {AbortSignal} options.signal ends it: nothing is received any more, and what is unanswered is rejected
   * @param {(message: KernelMessage, buffer: DataView | undefined) => void} options.receive
   * @param {(lost: boolean) => void} options.changed the kernel is gone, or is heard of again
   */
  constructor(model, { signal, receive, changed }) {
    this.model = model;
    this.page = newPageId();
    this.receive = receive;
    this.changed = changed;
    /** @type {(message: unknown, buffers: DataView[]) => void} */
    const heard = (message, buffers) => this.#heard(message, buffers);
    // Fired on a kernel restart or crash, and then only: nothing else tells the page.
    const gone = () => this.#lose();
    model.on("msg:custom", heard);
    model.on("comm_live_update", gone);
    signal.addEventListener(
      "abort",
      () => {
        model.off("msg:custom", heard);
        model.off("comm_live_update", gone);
        this.#rejectAll();
      },
      { once: true },
    );
  }

  /**
   * @param {Unaddressed<import("./messages.js").PageMessage>} message
   * @param {ArrayBuffer[]} [buffers]
   * @returns {boolean} false: the comm is gone
   */
  send(message, buffers) {
    if (this.#lost) return false;
    try {
      send(
        this.model,
        /** @type {import("./messages.js").PageMessage} */ ({ ...message, page: this.page }),
        buffers,
      );
      return true;
    } catch {
      this.#lose();
      return false;
    }
  }

  /**
   * Asks the kernel for something, again and again until it answers. There is no time limit: a kernel may be busy for as long as
   * a cell runs.
   *
   * @param {import("./messages.js").Verb} verb
   * @param {Record<string, unknown>} [args]
   * @param {ArrayBuffer[]} [buffers]
   * @returns {Promise<Answer>} rejected with RequestError where the kernel says no or is gone
   */
  request(verb, args = {}, buffers = []) {
    const request = this.#requests;
    this.#requests += 1;
    return new Promise((resolve, reject) => {
      /** @type {Pending} */
      const pending = { resolve, reject, timer: undefined };
      this.#pending.set(request, pending);
      /** @param {number} waitMs */
      const ask = (waitMs) => {
        pending.timer = setTimeout(() => ask(Math.min(2 * waitMs, ASK_AGAIN_AT_LAST_MS)), waitMs);
        if (!this.send({ kind: "request", request, verb, args }, buffers)) this.#rejectAll();
      };
      ask(ASK_AGAIN_MS);
    });
  }

  /**
   * @param {unknown} message
   * @param {DataView[]} buffers
   */
  #heard(message, buffers) {
    if (typeof message !== "object" || message === null || !("kind" in message)) return;
    const known = /** @type {KernelMessage} */ (message);
    if (known.page !== null && known.page !== this.page) return;
    if (this.#lost) {
      this.#lost = false;
      this.changed(false);
    }
    if (known.kind === "reply") this.#settle(known, buffers[0]);
    else this.receive(known, buffers[0]);
  }

  /**
   * @param {import("./messages.js").Reply} reply
   * @param {DataView | undefined} buffer
   */
  #settle({ request, ok, error, value }, buffer) {
    const waiting = this.#pending.get(request);
    this.#pending.delete(request);
    clearTimeout(waiting?.timer);
    if (ok) waiting?.resolve({ value, buffer });
    else waiting?.reject(new RequestError(error ?? UNEXPLAINED));
  }

  #lose() {
    if (this.#lost) return;
    this.#lost = true;
    this.#rejectAll();
    this.changed(true);
  }

  #rejectAll() {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new RequestError(KERNEL_LOST));
    }
    this.#pending.clear();
  }
}
