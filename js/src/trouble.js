// What can go wrong in the page, in words: what happened, and what to do now.

import { secureAddress } from "./address.js";
import { microphonePassedOn, refusalOf, thisHost } from "./hosts.js";
import { FRAME_MS, KEPT_FRAMES } from "./uplink.js";

/**
 * @typedef {import("./address.js").Address} Address
 * @typedef {import("./messages.js").ErrorView} ErrorView
 */

/** A reason of ours beside those that browsers name: mediaDevices and audioWorklet do not exist on such a page. */
export const INSECURE = "InsecureContext";
/** The device was there and went away. */
export const UNPLUGGED = "TrackEnded";
/** The device is there and open, and what it gives is silence: the system, the browser or a switch of its own mutes it. */
export const MUTED = "TrackMuted";
/** The browser has ended the audio context. */
export const CLOSED = "ContextClosed";
/** The page's host does not let our audio code in. */
export const NO_WORKLET = "WorkletNotLoaded";

/** Of the microphone's sound, where the kernel takes nothing. */
const KEPT_S = (KEPT_FRAMES * FRAME_MS) / 1000;
const MEANWHILE = "Typing works meanwhile.";

/** What browsers of another time or make say for it. @type {Record<string, string>} */
const OTHER_NAMES = {
  ConstraintNotSatisfiedError: "OverconstrainedError",
  DevicesNotFoundError: "NotFoundError",
  PermissionDeniedError: "NotAllowedError",
  PermissionDismissedError: "NotAllowedError",
  SecurityError: "NotAllowedError",
  SourceUnavailableError: "NotReadableError",
  // Firefox, for a device that another program holds.
  AbortError: "NotReadableError",
  TrackStartError: "NotReadableError",
};

/** @param {string} name */
const usualName = (name) =>
  Object.hasOwn(OTHER_NAMES, name) ? /** @type {string} */ (OTHER_NAMES[name]) : name;

/** @type {Record<string, [title: string, message: string, next_step: string]>} */
const MICROPHONE = {
  NotAllowedError: [
    "Microphone not allowed",
    "The browser does not let this page use the microphone.",
    "Allow it by the icon in the address bar, then press the microphone button.",
  ],
  NotFoundError: [
    "No microphone found",
    "There is no microphone on this computer that the browser can see.",
    "Plug one in, or switch it on in the system's settings, then press the microphone button.",
  ],
  NotReadableError: [
    "Microphone busy",
    "The microphone is there but gives no sound: another program may hold it.",
    "Close what uses it (a call, a recorder) or plug it in again, then press the microphone button.",
  ],
  OverconstrainedError: [
    "Microphone not usable",
    "No microphone here can do what is asked of it.",
    "Choose another one in Settings, then press the microphone button.",
  ],
  NotSupportedError: [
    "Microphone not usable here",
    "This browser lets no page record from this microphone at a rate that it knows.",
    "Set the device to 48 kHz in the system's settings, or choose another one, then press the microphone button.",
  ],
  InvalidStateError: [
    "Microphone not given",
    "The browser gives the microphone to the page in front only.",
    "Come back to this page, then press the microphone button.",
  ],
  [UNPLUGGED]: [
    "Microphone lost",
    "The microphone was unplugged or switched off, or is no longer allowed.",
    "Plug it in again and press the microphone button, or choose another one in Settings.",
  ],
  [MUTED]: [
    "Microphone silent",
    "The microphone is open, but the system, the browser or a switch on the device mutes it.",
    "Unmute it there: this goes away by itself.",
  ],
  [CLOSED]: [
    "Sound stopped",
    "The browser has shut down the sound of this page, and the microphone with it.",
    "Press the microphone button.",
  ],
  [NO_WORKLET]: [
    "No microphone here",
    "This page does not let the audio code load: its host forbids it, or the browser is too old.",
    "Open the notebook in JupyterLab, in a current browser.",
  ],
};

/** Chromium's words for a microphone that the page may have and the browser itself may not. */
const BY_SYSTEM = /denied by system/i;

/**
 * @param {{ name: string, message: string }} error what getUserMedia or the audio graph threw
 * @param {Address} [page] where this is
 * @param {{ host: import("./hosts.js").Host, passedOn: boolean | null }} [here] in which host, and whether that passes it on
 * @returns {ErrorView}
 */
export function microphoneTrouble(
  { name, message },
  page = globalThis.location,
  here = { ...thisHost(), passedOn: microphonePassedOn() },
) {
  if (name === INSECURE) {
    return {
      title: "No microphone on this address",
      message: "Browsers give the microphone to secure pages only, and this one is not.",
      next_step: `${secureAddress(page)} ${MEANWHILE}`,
    };
  }
  if (BY_SYSTEM.test(message)) {
    return {
      title: "Microphone not allowed",
      message: "The operating system does not let this browser use the microphone.",
      next_step: `Allow it in the system's privacy settings, then press the microphone button. ${MEANWHILE}`,
    };
  }
  const usual = usualName(name);
  const known = Object.hasOwn(MICROPHONE, usual) ? MICROPHONE[usual] : undefined;
  if (!known) {
    return {
      title: "No microphone",
      message: `The browser gave no microphone: ${message || name}.`,
      next_step: `Press the microphone button to try again. ${MEANWHILE}`,
    };
  }
  const [title, what, next] = known;
  const refusal = usual === "NotAllowedError" ? refusalOf(here.host, here.passedOn) : null;
  if (refusal) return { title, message: refusal.message, next_step: `${refusal.next_step} ${MEANWHILE}` };
  return { title, message: what, next_step: `${next} ${MEANWHILE}` };
}

/** What says that it is this one device that does not work: another one may. */
const OF_DEVICE = [
  "NotFoundError",
  "NotReadableError",
  "NotSupportedError",
  "OverconstrainedError",
  UNPLUGGED,
];

/**
 * @param {string} name of what getUserMedia or the audio graph threw
 * @returns {boolean} whether another microphone may work
 */
export function isOfDevice(name) {
  return OF_DEVICE.includes(usualName(name));
}

/**
 * @param {string} name why the chosen microphone is not heard
 * @param {string} device what it is called; empty: not known
 * @returns {ErrorView}
 */
export function fallenBack(name, device) {
  const chosen = device || "The microphone that you chose";
  const why =
    name === UNPLUGGED ? "went away" : usualName(name) === "NotReadableError" ? "is busy" : "is not there";
  return {
    title: "Another microphone",
    message: `${chosen} ${why}: the system's default is used now.`,
    next_step: "Choose one in Settings when it is there.",
  };
}

/** @type {ErrorView} */
export const KERNEL_LOST = {
  title: "Kernel gone",
  message: "The notebook's kernel was restarted, has stopped, or cannot be reached. The microphone is off.",
  next_step: "Run the cell again for a new talk. What was said stays readable here.",
};

/**
 * The microphone is open and the kernel takes nothing of it.
 *
 * @param {ErrorView | null} notice what the kernel has said of how it takes messages
 * @param {boolean} online whether the browser has a network
 * @returns {ErrorView}
 */
export function heldUp(notice, online) {
  const kept = `What you say is kept in this page, the last ${KEPT_S} s of it, and sent as soon as the kernel takes it.`;
  if (!online) {
    return {
      title: "Offline",
      message: `This computer has no network, and the kernel is not reached. ${kept}`,
      next_step: "Wait, or connect the network again; the talk goes on by itself.",
    };
  }
  return {
    title: "You are not heard yet",
    message: `The kernel takes nothing from this page: a cell holds it up, or the way to it is broken. ${kept}`,
    next_step: notice?.next_step ?? HELD_UP_STEP,
  };
}

const HELD_UP_STEP =
  "Wait for the cell to end, or stop it by the square button. If no cell runs, look at the network, or restart the kernel.";

/**
 * @param {number} lostMs
 * @returns {ErrorView}
 */
export function lostSound(lostMs) {
  return {
    title: "Not all was heard",
    message: `${(lostMs / 1000).toFixed(1)} s of what you said are lost: the kernel took nothing for longer than the ${KEPT_S} s that are kept here.`,
    next_step: "Say it again.",
  };
}

/** @type {ErrorView} */
export const SOUND_BLOCKED = {
  title: "Sound is waiting",
  message: "The browser keeps a page's sound off, its microphone too, until you have clicked on it.",
  next_step: "Click anywhere in this panel to hear the answer.",
};

/** @type {ErrorView} */
export const NO_SOUND = {
  title: "No sound here",
  message: "This page cannot play answers: its browser has no sound for pages, or made none now.",
  next_step: "Open the notebook in a current browser. Answers are shown as text meanwhile.",
};

/**
 * @param {string} name of a file that was chosen or dropped
 * @returns {ErrorView}
 */
export function unreadable(name) {
  return {
    title: "File not readable",
    message: `${name} could not be read: it is a folder, was moved, or may not be read by this browser.`,
    next_step: "Choose a WAV file that is there.",
  };
}

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
