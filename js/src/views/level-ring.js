// The halo round the talk button: how loud it is now, drawn from the audio graph and never sent anywhere.

/** How much of the distance to a lower level is left after each picture: up at once, down slowly. */
const DECAY = 0.8;
const STEP = 0.01;

/**
 * @param {HTMLElement} halo
 * @param {() => number} level 0 to 1
 * @returns {import("./frame-loop.js").Picture}
 */
export function levelRing(halo, level) {
  let value = 0;
  let drawn = 0;

  /** @param {number} next */
  const show = (next) => {
    if (Math.abs(next - drawn) < STEP && next !== 0) return;
    drawn = next;
    halo.style.setProperty("--gip-level", next.toFixed(3));
  };
  return {
    calm: false,
    draw() {
      const heard = level();
      value = heard > value ? heard : heard + (value - heard) * DECAY;
      show(value);
    },
    rest() {
      value = 0;
      show(0);
    },
  };
}
