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
  /** @param {number} sampleRateHz */
  constructor(sampleRateHz) {
    this.sampleRateHz = sampleRateHz;
    this.seq = 0;
    this.filled = 0;
    this.atS = 0;
    this.samples = new Int16Array(FRAME_SAMPLES);
  }

  /**
   * @param {Float32Array} block any length, in [-1, 1]
   * @param {number} atS time of its first sample
   * @param {(frame: Frame) => void} emit called for each full frame; the frame's memory is the receiver's
   */
  push(block, atS, emit) {
    let from = 0;
    while (from < block.length) {
      if (this.filled === 0) this.atS = atS + from / this.sampleRateHz;
      const count = Math.min(block.length - from, FRAME_SAMPLES - this.filled);
      toInt16(block.subarray(from, from + count), this.samples, this.filled);
      this.filled += count;
      from += count;
      if (this.filled === FRAME_SAMPLES) {
        emit({ seq: this.seq, at_s: this.atS, samples: this.samples });
        this.seq += 1;
        this.filled = 0;
        this.samples = new Int16Array(FRAME_SAMPLES);
      }
    }
  }
}
