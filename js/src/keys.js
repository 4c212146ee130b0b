// The widget's keys: which key an event is, and where it is not for us. Pure, but for what it asks of an element.

/** @typedef {"Space" | "K" | "M" | "Q" | "Esc" | "?"} Key */

/** What the keys do, in the order in which they are listed. @type {[keys: Key[], words: string][]} */
export const KEYS = [
  [["Space"], "Hold and speak, with push to talk. Else as a press on the large button."],
  [["K"], "Begin to speak, and again to send, with push to talk."],
  [["Esc"], "Interrupt the answer."],
  [["M"], "Mute and unmute."],
  [["Q"], "End the talk."],
  [["?"], "Show these keys."],
];

/** By place, where the layout has no Latin letters there. @type {Record<string, Key>} */
const CODES = { Space: "Space", KeyK: "K", KeyM: "M", KeyQ: "Q", Escape: "Esc" };
/** @type {Record<string, Key>} */
const NAMES = { " ": "Space", k: "K", m: "M", q: "Q", escape: "Esc", "?": "?" };
const ASCII = /^[ -~]$/;

const TYPED_IN = "input, textarea, select, [contenteditable]:not([contenteditable='false'])";
const ROLES = [
  "button",
  "checkbox",
  "menuitem",
  "option",
  "radio",
  "row",
  "slider",
  "switch",
  "tab",
  "treeitem",
];
const PRESSED = ["a[href]", "audio", "button", "summary", "video", ...ROLES.map((role) => `[role=${role}]`)];

/**
 * @param {Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "altKey" | "metaKey" | "shiftKey" | "isComposing">} event
 * @returns {Key | null} one of ours, whatever the layout: the K of a Korean keyboard is a K
 */
export function keyOf({ key, code, ctrlKey, altKey, metaKey, shiftKey, isComposing }) {
  if (ctrlKey || altKey || metaKey || isComposing) return null;
  const isNamed = ASCII.test(key) || key === "Escape";
  const found = (isNamed ? NAMES[key.toLowerCase()] : CODES[code]) ?? null;
  return shiftKey && found !== "?" ? null : found;
}

/**
 * @param {Element} target
 * @returns {boolean} whether keys are text there, or choose something
 */
export function isTypedIn(target) {
  return target.closest(TYPED_IN) !== null;
}

/**
 * @param {Element} target
 * @returns {boolean} whether Space presses it
 */
export function isPressedBySpace(target) {
  return target.closest(PRESSED.join(", ")) !== null;
}
