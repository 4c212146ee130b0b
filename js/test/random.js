// Numbers that look random and are the same in every run.

/**
 * @param {number} seed
 * @returns {(below: number) => number} whole numbers from 0
 */
export function random(seed) {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/**
 * @param {number} runs
 * @returns {number[]} seeds
 */
export const seeds = (runs) => Array.from({ length: runs }, (_, i) => 7919 * (i + 1));
