// Cuts what the microphone gives, 128 samples at a time, into numbered frames of one length.

import { toInt16 } from "./pcm.js";

/** 40 ms at 24 000 Hz: shorter frames saturate the page, longer ones are late. */
export const FRAME_SAMPLES = 960;

/**
 * @typedef {object} Frame
 * @property {number} seq from 0
 * @property {number} at_s time of the first sample, on the audio context's clock
 * @property {Int16Array<ArrayBuffer>} samples shape (FRAME_SAMPLES,)
 */

export class Framer {
  /**
   * @param {number} sampleRateHz
   * @param {(frame: Frame) => void} emit called for each full frame; the frame's memory is the receiver's
   */
  constructor(sampleRateHz, emit) {
    this.sampleRateHz = sampleRateHz;
    this.emit = emit;
    this.seq = 0;
    this.filled = 0;
    this.atS = 0;
    this.samples = new Int16Array(FRAME_SAMPLES);
  }

  /**
   * Nothing is allocated here, but for each full frame.
   *
   * @param {Float32Array} block in [-1, 1]
   * @param {number} count how many samples of it, from its first
   * @param {number} atS time of its first sample
   */
  push(block, count, atS) {
    let from = 0;
    while (from < count) {
      if (this.filled === 0) this.atS = atS + from / this.sampleRateHz;
      const taken = Math.min(count - from, FRAME_SAMPLES - this.filled);
      toInt16(block, from, this.samples, this.filled, taken);
      this.filled += taken;
      from += taken;
      if (this.filled === FRAME_SAMPLES) {
        this.emit({ seq: this.seq, at_s: this.atS, samples: this.samples });
        this.seq += 1;
        this.filled = 0;
        this.samples = new Int16Array(FRAME_SAMPLES);
      }
    }
  }
}
