// How loud each band of the voice is, for a meter. Pure.

/** The voice, from a low one's tone to where speech is told apart. */
const LOWEST_HZ = 100;
const HIGHEST_HZ = 4000;
/** What an analyser gives for speech at a desk. */
const QUIET_DB = -85;
const LOUD_DB = -30;

/**
 * @param {number} bands
 * @returns {number[]} their edges in hertz, each band as many notes wide; shape (bands + 1,)
 */
export function edgesHz(bands) {
  const ratio = HIGHEST_HZ / LOWEST_HZ;
  return Array.from({ length: bands + 1 }, (_, n) => LOWEST_HZ * ratio ** (n / bands));
}

/**
 * @param {Float32Array} decibels of an analyser, one each bin
 * @param {number} sampleRateHz of its context
 * @param {number[]} levels written to: each band's level, 0 to 1
 */
export function measureBands(decibels, sampleRateHz, levels) {
  const binHz = sampleRateHz / 2 / decibels.length;
  const edges = edgesHz(levels.length);
  for (let band = 0; band < levels.length; band += 1) {
    const from = Math.round(Number(edges[band]) / binHz);
    // One bin at least: a low band may be narrower than that.
    const to = Math.max(from + 1, Math.round(Number(edges[band + 1]) / binHz));
    let loudest = Number.NEGATIVE_INFINITY;
    for (let bin = from; bin < to; bin += 1) loudest = Math.max(loudest, decibels[bin] ?? loudest);
    levels[band] = Math.min(1, Math.max(0, (loudest - QUIET_DB) / (LOUD_DB - QUIET_DB)));
  }
}
