// The microphone's end in the audio thread: frames of 40 ms at 24 000 Hz, numbered and timed, posted to the page.

import { Framer } from "./framing.js";
import { Resampler } from "./resampler.js";

const RATE_HZ = 24_000;
/** What stands in for a block where the microphone gives none: the server's turn detection counts time in samples. */
const SILENT = new Float32Array(128);

class CaptureProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    // A context at another rate: some browsers let a microphone into no other than its own.
    this.resampler = sampleRate === RATE_HZ ? null : new Resampler(sampleRate, RATE_HZ);
    this.framer = new Framer(RATE_HZ, ({ seq, at_s, samples }) => {
      this.port.postMessage({ seq, at_s, now_s: currentTime, buffer: samples.buffer }, [samples.buffer]);
    });
    this.open = true;
    this.port.onmessage = () => {
      this.open = false;
    };
  }

  /**
   * @param {Float32Array[][]} inputs one input of one channel
   * @returns {boolean} whether to be called again
   */
  process(inputs) {
    if (!this.open) return false;
    const block = inputs[0]?.[0] ?? SILENT;
    if (this.resampler) {
      const atS = currentTime + this.resampler.nextS;
      const made = this.resampler.push(block);
      this.framer.push(this.resampler.output, made, atS);
    } else {
      this.framer.push(block, block.length, currentTime);
    }
    return true;
  }
}

registerProcessor("gip-capture", CaptureProcessor);
