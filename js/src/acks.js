// Up to where no numbered message is missing.

export class Acks {
  constructor() {
    /** The highest number up to which all have arrived; -1: none. */
    this.acked = -1;
    /** @type {Set<number>} received beyond a gap */
    this.ahead = new Set();
  }

  /** @param {number} seq from 0; 0 begins anew, as a new session does */
  take(seq) {
    if (seq === 0) {
      this.acked = 0;
      this.ahead.clear();
    } else if (seq > this.acked) {
      this.ahead.add(seq);
    }
    while (this.ahead.delete(this.acked + 1)) this.acked += 1;
  }
}
