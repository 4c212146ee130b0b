// What this browser is to do with sound: which microphone, how its sound is treated, how loud answers are. Kept in the browser.

/**
 * @typedef {object} Preferences
 * @property {string} microphone its deviceId; empty: the system's default
 * @property {boolean} echoCancellation
 * @property {boolean} noiseSuppression
 * @property {boolean} autoGainControl
 * @property {number} volumePercent of answers, 0 to 100
 */

/**
 * Echo cancellation keeps the signal as it is; the other two change it, and the model hears the difference.
 *
 * @type {Preferences}
 */
export const USUAL = {
  microphone: "",
  echoCancellation: true,
  noiseSuppression: false,
  autoGainControl: false,
  volumePercent: 100,
};

const KEY = "gip-sound";

/**
 * @param {string | null} text as it was kept; whatever is none of ours is left out
 * @returns {Preferences}
 */
export function preferencesFrom(text) {
  /** @type {unknown} */
  let kept;
  try {
    kept = JSON.parse(text ?? "");
  } catch {
    return USUAL;
  }
  if (typeof kept !== "object" || kept === null) return USUAL;
  const known = Object.entries(kept).filter(
    ([key, value]) =>
      Object.hasOwn(USUAL, key) && typeof value === typeof USUAL[/** @type {keyof Preferences} */ (key)],
  );
  const found = /** @type {Preferences} */ ({ ...USUAL, ...Object.fromEntries(known) });
  return { ...found, volumePercent: Math.min(100, Math.max(0, found.volumePercent)) };
}

/** @returns {Preferences} */
export function remembered() {
  try {
    return preferencesFrom(localStorage.getItem(KEY));
  } catch {
    // A host that keeps nothing, or hides what it keeps.
    return USUAL;
  }
}

/** @param {Partial<Preferences>} patch what the user has chosen; what is remembered of the rest stays */
export function remember(patch) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...remembered(), ...patch }));
  } catch {
    // Then it holds for as long as the page does.
  }
}

/**
 * @param {Preferences} preferences
 * @returns {MediaStreamConstraints} for getUserMedia
 */
export function constraintsOf({ microphone, echoCancellation, noiseSuppression, autoGainControl }) {
  return {
    audio: {
      echoCancellation,
      noiseSuppression,
      autoGainControl,
      channelCount: 1,
      ...(microphone === "" ? {} : { deviceId: { exact: microphone } }),
    },
  };
}

/**
 * @param {number} volumePercent
 * @returns {number} the factor: its square, since the ear takes half of the pressure for more than half as loud
 */
export function gainOf(volumePercent) {
  return (volumePercent / 100) ** 2;
}

/**
 * @param {Preferences} one
 * @param {Preferences} other
 * @returns {boolean} whether both ask for the same sound of the same microphone
 */
export function isSameCapture(one, other) {
  return JSON.stringify(constraintsOf(one)) === JSON.stringify(constraintsOf(other));
}
