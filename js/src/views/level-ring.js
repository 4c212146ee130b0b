// The halo round the talk button: how loud it is now, drawn from the audio graph and never sent anywhere.

/** 30 pictures a second are enough for the eye. */
const FRAME_MS = 1000 / 30 - 4;
/** How much of the distance to a lower level is left after each picture: up at once, down slowly. */
const DECAY = 0.8;
const STEP = 0.01;

/**
 * @param {HTMLElement} halo
 * @param {() => number} level 0 to 1
 * @param {AbortSignal} signal
 * @returns {(running: boolean) => void} to be told whether there is anything to hear
 */
export function levelRing(halo, level, signal) {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let running = false;
  let visible = true;
  let frame = 0;
  let drawnAtMs = 0;
  let value = 0;
  let drawn = 0;

  /** @param {number} next */
  const draw = (next) => {
    if (Math.abs(next - drawn) < STEP && next !== 0) return;
    drawn = next;
    halo.style.setProperty("--gip-level", next.toFixed(3));
  };
  /** @param {number} nowMs */
  const step = (nowMs) => {
    frame = requestAnimationFrame(step);
    if (nowMs - drawnAtMs < FRAME_MS) return;
    drawnAtMs = nowMs;
    const heard = level();
    value = heard > value ? heard : heard + (value - heard) * DECAY;
    draw(value);
  };
  const update = () => {
    const wanted = running && visible && !still.matches && !signal.aborted;
    if (wanted === (frame !== 0)) return;
    if (wanted) {
      frame = requestAnimationFrame(step);
    } else {
      cancelAnimationFrame(frame);
      frame = 0;
      value = 0;
      draw(0);
    }
  };

  const watch = new IntersectionObserver((entries) => {
    visible = entries.at(-1)?.isIntersecting ?? true;
    update();
  });
  watch.observe(halo);
  still.addEventListener("change", update, { signal });
  signal.addEventListener(
    "abort",
    () => {
      watch.disconnect();
      update();
    },
    { once: true },
  );
  return (next) => {
    running = next;
    update();
  };
}
