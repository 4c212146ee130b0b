// The microphone's end in the audio thread: frames of 40 ms, numbered and timed, posted to the page.

import { Framer } from "./framing.js";

/** What stands in for a block where the microphone gives none: the server's turn detection counts time in samples. */
const SILENT = new Float32Array(128);

class CaptureProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.framer = new Framer(sampleRate);
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
    this.framer.push(inputs[0]?.[0] ?? SILENT, currentTime, ({ seq, at_s, samples }) => {
      this.port.postMessage({ seq, at_s, now_s: currentTime, buffer: samples.buffer }, [samples.buffer]);
    });
    return true;
  }
}

registerProcessor("gip-capture", CaptureProcessor);
