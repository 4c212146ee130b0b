// Up to where no numbered message is missing.

export class Acks {
  constructor() {
    /** The highest number up to which all have arrived; -1: none. */
    this.acked = -1;
    /** @type {Set<number>} received beyond a gap */
    this.ahead = new Set();
  }

  /** @param {number} seq from 0; a number that is sent again counts once */
  take(seq) {
    if (seq > this.acked) this.ahead.add(seq);
    while (this.ahead.delete(this.acked + 1)) this.acked += 1;
  }

  /** To be called when the kernel begins to count anew. */
  reset() {
    this.acked = -1;
    this.ahead.clear();
  }
}
