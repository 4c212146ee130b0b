// PCM16 and what the audio graph uses: float samples in [-1, 1].

/**
 * @param {Float32Array} source in [-1, 1]; what is outside is clipped, NaN becomes 0
 * @param {number} from first sample of source
 * @param {Int16Array} target
 * @param {number} offset where to begin in target
 * @param {number} count how many samples
 */
export function toInt16(source, from, target, offset, count) {
  for (let i = 0; i < count; i += 1) {
    // Scaled by 32768 both ways, so that int16 -> float -> int16 changes nothing.
    const scaled = Math.round(/** @type {number} */ (source[from + i]) * 32768);
    target[offset + i] = Math.min(32767, Math.max(-32768, scaled));
  }
}

/**
 * @param {Int16Array} source shape (n,)
 * @param {number} from first sample of source
 * @param {Float32Array} target
 * @param {number} offset where to begin in target
 * @param {number} count how many samples
 */
export function toFloat(source, from, target, offset, count) {
  for (let i = 0; i < count; i += 1) target[offset + i] = /** @type {number} */ (source[from + i]) / 32768;
}

/**
 * How loud this sounds, for a meter.
 *
 * @param {Float32Array} samples in [-1, 1]
 * @returns {number} 0 (-55 dBFS RMS or less) to 1 (-10 dBFS or more): the range that speech at a desk moves in
 */
export function loudness(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  if (sum === 0) return 0;
  const dbfs = 10 * Math.log10(sum / samples.length);
  return Math.min(1, Math.max(0, (dbfs + 55) / 45));
}
