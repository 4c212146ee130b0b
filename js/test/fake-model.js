// The kernel's end for tests: a model that keeps what the page sends, and speaks when told to.

import { KERNEL_MESSAGES, PAGE_MESSAGES, problemWith } from "../src/messages.js";

/**
 * @typedef {import("../src/messages.js").PageMessage} PageMessage
 * @typedef {import("../src/messages.js").KernelMessage} KernelMessage
 */

/**
 * A message whose `rev` and `at_ms` may be left out.
 *
 * @template {object} M
 * @typedef {M extends { rev: number } ? Omit<M, "rev" | "at_ms"> & { rev?: number, at_ms?: number } : M} Unnumbered
 */

export class FakeModel {
  /** @type {Map<string, Set<(...args: any[]) => void>>} */
  listeners = new Map();
  /** @type {{ message: PageMessage, buffers: ArrayBuffer[] }[]} */
  sent = [];
  /** Whether the kernel is there: sending to one that is not throws, as the host's does. */
  alive = true;
  /** Whether it says that it has the microphone's frames, as soon as they come. */
  hears = true;
  page = "";
  /** Of the newest state message; a test that leaves `rev` out gets the next. */
  rev = 0;

  /** @type {Record<string, unknown>} its traits */
  traits = { _record_class: "" };

  /** @param {string} name */
  get(name) {
    return this.traits[name];
  }

  /**
   * @param {string} name
   * @param {(...args: any[]) => void} listener
   */
  on(name, listener) {
    this.listeners.set(name, (this.listeners.get(name) ?? new Set()).add(listener));
  }

  /**
   * @param {string | null} [name]
   * @param {((...args: any[]) => void) | null} [listener]
   */
  off(name, listener) {
    if (name && listener) this.listeners.get(name)?.delete(listener);
  }

  /**
   * @param {PageMessage} message
   * @param {unknown} _callbacks
   * @param {ArrayBuffer[]} buffers
   */
  send(message, _callbacks, buffers) {
    if (!this.alive) throw new Error("Cannot send");
    const problem = problemWith(message, PAGE_MESSAGES);
    if (problem) throw new TypeError(problem);
    this.page = message.page;
    this.sent.push({ message: structuredClone(message), buffers });
    if (message.kind === "mic" && this.hears) {
      const next = message.seq + (buffers[0]?.byteLength ?? 0) / 1920;
      queueMicrotask(() => this.say({ kind: "heard", page: message.page, next, until: next }));
    }
  }

  /**
   * @param {Unnumbered<KernelMessage>} unnumbered
   * @param {Int16Array} [samples]
   */
  say(unnumbered, samples) {
    const message = this.#numbered(unnumbered);
    const problem = problemWith(message, KERNEL_MESSAGES);
    if (problem) throw new TypeError(problem);
    this.emit("msg:custom", structuredClone(message), samples ? [inTheMiddle(samples)] : []);
  }

  /**
   * @param {Unnumbered<KernelMessage>} message
   * @returns {KernelMessage}
   */
  #numbered(message) {
    if (message.kind === "snapshot") message.at_ms ??= Date.now();
    if ("rev" in message || !["snapshot", "talk", "items"].includes(message.kind)) {
      if ("rev" in message) this.rev = /** @type {number} */ (message.rev);
      return /** @type {KernelMessage} */ (message);
    }
    if (message.kind !== "snapshot") this.rev += 1;
    return /** @type {KernelMessage} */ ({ ...message, rev: this.rev });
  }

  /**
   * @param {string} name
   * @param {...unknown} args
   */
  emit(name, ...args) {
    for (const listener of this.listeners.get(name) ?? []) listener(...args);
  }

  /** The kernel is restarted: the host says so, and sending throws from now on. */
  die() {
    this.alive = false;
    this.emit("comm_live_update");
  }

  /**
   * @template {PageMessage["kind"]} K
   * @param {K} kind
   * @returns {Extract<PageMessage, { kind: K }>[]}
   */
  of(kind) {
    return /** @type {any} */ (
      this.sent.map(({ message }) => message).filter((message) => message.kind === kind)
    );
  }

  /**
   * Answers the newest request.
   *
   * @param {import("../src/messages.js").ErrorView | null} [error]
   * @param {Record<string, unknown> | null} [value]
   */
  reply(error = null, value = null) {
    const request = this.of("request").at(-1)?.request ?? -1;
    this.say({ kind: "reply", page: this.page, request, ok: error === null, error, value });
  }
}

/**
 * @param {Int16Array} samples
 * @returns {DataView} as the host gives it: somewhere within a larger message, at an odd place
 */
function inTheMiddle(samples) {
  const bytes = new Uint8Array(samples.byteLength + 12);
  bytes.set(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength), 7);
  return new DataView(bytes.buffer, 7, samples.byteLength);
}
