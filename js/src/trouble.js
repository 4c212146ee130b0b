// What can go wrong in the page, in words: what happened, and what to do now.

/** @typedef {import("./messages.js").ErrorView} ErrorView */

/** A reason of ours beside those that browsers name: mediaDevices and audioWorklet do not exist on such a page. */
export const INSECURE = "InsecureContext";
/** The device was there and went away. */
export const UNPLUGGED = "TrackEnded";

const MEANWHILE = "Typing works meanwhile.";

/** @type {Record<string, [title: string, message: string, next_step: string]>} */
const MICROPHONE = {
  NotAllowedError: [
    "Microphone not allowed",
    "The browser, or this host, does not let this page use the microphone.",
    "Allow it by the icon in the address bar, then press the microphone button. VS Code never allows it: open the notebook in a browser.",
  ],
  NotFoundError: [
    "No microphone found",
    "There is no microphone on this computer that the browser can see.",
    "Plug one in, then press the microphone button.",
  ],
  NotReadableError: [
    "Microphone busy",
    "The microphone is there but gives no sound: another program may hold it.",
    "Close what uses it (a call, a recorder), then press the microphone button.",
  ],
  AbortError: [
    "Microphone did not start",
    "The microphone could not be started.",
    "Plug it in again, then press the microphone button.",
  ],
  OverconstrainedError: [
    "Microphone not usable",
    "No microphone here can do what is asked of it.",
    "Choose another one in the browser's settings, then press the microphone button.",
  ],
  NotSupportedError: [
    "Microphone not usable here",
    "This browser cannot record at 24 000 Hz from this microphone.",
    "Set the device to 24 or 48 kHz, or use Chromium, Chrome or Edge.",
  ],
  [INSECURE]: [
    "No microphone on this address",
    "Browsers give the microphone to secure pages only, and this one is not.",
    "Open the notebook at http://localhost or by https.",
  ],
  [UNPLUGGED]: [
    "Microphone lost",
    "The microphone was unplugged or switched off.",
    "Plug it in again, then press the microphone button.",
  ],
};

/**
 * @param {{ name: string, message: string }} error what getUserMedia or the audio graph threw
 * @returns {ErrorView}
 */
export function microphoneTrouble({ name, message }) {
  const known = Object.hasOwn(MICROPHONE, name) ? MICROPHONE[name] : undefined;
  if (!known) {
    return {
      title: "No microphone",
      message: `The browser gave no microphone: ${message || name}.`,
      next_step: `Press the microphone button to try again. ${MEANWHILE}`,
    };
  }
  const [title, what, next] = known;
  return { title, message: what, next_step: `${next} ${MEANWHILE}` };
}

/** @type {ErrorView} */
export const KERNEL_LOST = {
  title: "Kernel gone",
  message: "The notebook's kernel was restarted, has stopped, or cannot be reached. The microphone is off.",
  next_step: "Run the cell again for a new talk. What was said stays readable here.",
};

/** @type {ErrorView} */
export const SOUND_BLOCKED = {
  title: "Sound is waiting",
  message: "The browser plays nothing on a page until you have clicked on it.",
  next_step: "Click anywhere in this panel to hear the answer.",
};

/** @type {ErrorView} */
export const NO_SOUND = {
  title: "No sound here",
  message: "This page cannot play answers: its address is not secure, or its browser lacks AudioWorklet.",
  next_step: "Open the notebook at http://localhost or by https. Answers are shown as text meanwhile.",
};

/**
 * @param {unknown} thrown anything
 * @returns {{ name: string, message: string }}
 */
export function nameAndMessage(thrown) {
  if (thrown instanceof Error || thrown instanceof DOMException) {
    return { name: thrown.name, message: thrown.message };
  }
  return { name: "Error", message: String(thrown) };
}
