// The loudspeaker's end in the audio thread.

import { Player } from "./player.js";

class PlaybackProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.player = new Player(() => currentTime, sampleRate);
    // The page's end of this channel exists before the worklet does, so that what arrives meanwhile just waits in it.
    this.port.onmessage = ({ data }) => this.player.join(data.port);
  }

  /**
   * @param {Float32Array[][]} _inputs none
   * @param {Float32Array[][]} outputs one output of one channel
   * @returns {boolean} whether to be called again
   */
  process(_inputs, outputs) {
    const out = outputs[0]?.[0];
    if (this.player.open && out) this.player.fill(out, currentTime);
    return this.player.open;
  }
}

registerProcessor("gip-playback", PlaybackProcessor);
