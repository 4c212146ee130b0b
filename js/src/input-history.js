// What was sent before, to be called back with the arrow keys as in a shell. Nothing that was typed is lost: a draft, and what
// was changed in a line of the past, waits where it was left until something is sent. Pure but for its own memory.

/** In an hour of typing. */
const MOST_LINES = 100;

export class InputHistory {
  /** @type {string[]} the oldest first */
  #sent = [];
  /** @type {Map<number, string>} what was left, by its place; the draft is after the last line */
  #left = new Map();
  #at = 0;

  /** @param {string} text that was sent */
  add(text) {
    if (this.#sent.at(-1) !== text) this.#sent.push(text);
    if (this.#sent.length > MOST_LINES) this.#sent.shift();
    this.#left.clear();
    this.#at = this.#sent.length;
  }

  /**
   * @param {-1 | 1} step back or forth
   * @param {string} text what stands there now
   * @returns {string | null} what to show instead; null: there is nothing further
   */
  move(step, text) {
    const next = this.#at + step;
    if (next < 0 || next > this.#sent.length) return null;
    this.#left.set(this.#at, text);
    this.#at = next;
    return this.#left.get(next) ?? this.#sent[next] ?? "";
  }
}

/**
 * Inside a text the arrows move the caret; at its first and last line they leave it.
 *
 * @param {string} key
 * @param {{ value: string, selectionStart: number, selectionEnd: number }} field
 * @returns {-1 | 1 | 0} 0: the key is the field's own
 */
export function stepOf(key, { value, selectionStart, selectionEnd }) {
  if (selectionStart !== selectionEnd) return 0;
  if (key === "ArrowUp")
    return value.lastIndexOf("\n", selectionStart - 1) === -1 || selectionStart === 0 ? -1 : 0;
  if (key === "ArrowDown") return value.indexOf("\n", selectionEnd) === -1 ? 1 : 0;
  return 0;
}
