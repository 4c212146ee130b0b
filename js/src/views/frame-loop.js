// One loop for all that moves with the sound: up to 30 pictures a second while there is something to hear, and none out of sight.

/** 30 pictures a second are enough for the eye. */
const FRAME_MS = 1000 / 30 - 4;
/** Where motion is not wanted, what is a figure rather than motion is shown anew so often. */
const CALM_MS = 250;

/**
 * @typedef {object} Picture
 * @property {() => void} draw
 * @property {() => void} rest nothing is to be heard any more
 * @property {boolean} calm drawn also where no motion is wanted, four times a second
 */

/**
 * @param {HTMLElement} host nothing is drawn while it is out of sight
 * @param {Picture[]} pictures
 * @param {AbortSignal} signal
 * @returns {(running: boolean) => void} to be told whether there is anything to hear
 */
export function frameLoop(host, pictures, signal) {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const calm = pictures.filter((picture) => picture.calm);
  let running = false;
  let visible = true;
  let drawnAtMs = 0;
  /** @type {(() => void) | null} */
  let halt = null;

  function beginFrames() {
    /** @param {number} nowMs */
    const step = (nowMs) => {
      frame = requestAnimationFrame(step);
      if (nowMs - drawnAtMs < FRAME_MS) return;
      drawnAtMs = nowMs;
      for (const picture of pictures) picture.draw();
    };
    let frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }

  function beginCalmly() {
    const timer = setInterval(() => {
      for (const picture of calm) picture.draw();
    }, CALM_MS);
    return () => clearInterval(timer);
  }

  const stop = () => {
    if (!halt) return;
    halt();
    halt = null;
    for (const picture of pictures) picture.rest();
  };
  const update = () => {
    const wanted = running && visible && !document.hidden && !signal.aborted;
    if (!wanted) stop();
    else halt ??= still.matches ? beginCalmly() : beginFrames();
  };

  const watch = new IntersectionObserver((entries) => {
    visible = entries.at(-1)?.isIntersecting ?? true;
    update();
  });
  watch.observe(host);
  document.addEventListener("visibilitychange", update, { signal });
  const otherMotion = () => {
    stop();
    update();
  };
  still.addEventListener("change", otherMotion, { signal });
  signal.addEventListener(
    "abort",
    () => {
      watch.disconnect();
      update();
    },
    { once: true },
  );
  return (next) => {
    if (running === next) return;
    running = next;
    update();
  };
}
