// The loudspeaker's end where a page may have no worklet: plain http, or a host that forbids them. The page's own thread plays,
// so that one that is busy stutters; that is why this is not the way where there is another.

import { Player } from "./player.js";

/** 85 ms at 24 000 Hz: long enough for a page that draws. */
const BLOCK = 2048;

/**
 * @param {AudioContext} context
 * @param {MessagePort} page
 * @returns {AudioNode} to be joined to the loudspeaker
 */
export function plainPlayer(context, page) {
  const player = new Player(() => context.currentTime, context.sampleRate);
  player.join(page);
  // Out of date for ten years, in every browser all the same, and the only node that a page without worklets can write to.
  const node = context.createScriptProcessor(BLOCK, 1, 1);
  node.onaudioprocess = ({ outputBuffer, playbackTime }) => {
    const out = outputBuffer.getChannelData(0);
    if (player.open) player.fill(out, playbackTime);
    else node.disconnect();
  };
  return node;
}
