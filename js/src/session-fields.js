// The session's settings as a form has them: what is in force, what is sent for a change of it, and what became of that. Pure.

/**
 * @typedef {import("./messages.js").SettingsView} SettingsView
 * @typedef {import("./messages.js").TurnDetection} TurnDetection
 * @typedef {Record<string, unknown>} Fields a part of the API's session, in GA's shape
 * @typedef {Record<string, unknown>} Detection the API's object
 */

/**
 * @typedef {object} Fate what became of a change
 * @property {"none" | "sending" | "taken" | "next" | "ignored" | "refused"} kind
 * @property {string} text
 */

/** The API's; a server may know others. */
export const VOICES = [
  ...["alloy", "ash", "ballad", "cedar", "coral"],
  ...["echo", "marin", "sage", "shimmer", "verse"],
];
export const TRANSCRIPTION_MODELS = ["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"];
export const EAGERNESS = ["auto", "low", "medium", "high"];

/** What the API does where nothing is said. @type {Record<TurnDetection, Detection>} */
const USUAL = {
  server_vad: {
    threshold: 0.5,
    prefix_padding_ms: 300,
    silence_duration_ms: 500,
    create_response: true,
    interrupt_response: true,
  },
  semantic_vad: { eagerness: "auto", create_response: true, interrupt_response: true },
  none: {},
};

/**
 * @param {Detection | null} detection
 * @returns {TurnDetection}
 */
export function detectionName(detection) {
  if (detection === null) return "none";
  return detection.type === "semantic_vad" ? "semantic_vad" : "server_vad";
}

/**
 * @param {Detection | null} detection
 * @param {string} name of one of its settings
 * @returns {{ value: unknown, told: boolean }} told: by the server, or by whoever asked for it; else it is the API's usual
 */
export function detectionValue(detection, name) {
  const value = detection?.[name] ?? undefined;
  return { value: value ?? USUAL[detectionName(detection)][name], told: value !== undefined };
}

/**
 * @param {Detection | null} detection
 * @param {TurnDetection} name
 * @returns {Detection | null} of another kind; what both kinds have stays
 */
export function detectionOfKind(detection, name) {
  if (name === "none") return null;
  const kept = Object.entries(detection ?? {}).filter(([key]) => key.endsWith("_response"));
  return { ...Object.fromEntries(kept), type: name };
}

/**
 * Servers take turn detection as a whole.
 *
 * @param {Detection | null} detection
 * @param {string} name
 * @param {unknown} value
 * @returns {Detection}
 */
export function detectionWith(detection, name, value) {
  const told = Object.entries(detection ?? {}).filter(([, inner]) => inner !== null);
  return { type: "server_vad", ...Object.fromEntries(told), [name]: value };
}

/** @type {(voice: string) => Fields} empty: the server's own */
export const voiceFields = (voice) => ({ audio: { output: { voice: voice || null } } });

/** @type {(detection: Detection | null) => Fields} */
export const detectionFields = (detection) => ({ audio: { input: { turn_detection: detection } } });

/** @type {(transcription: Record<string, unknown> | null) => Fields} */
export const transcriptionFields = (transcription) => ({ audio: { input: { transcription } } });

/** @type {Fate} */
export const NO_FATE = { kind: "none", text: "" };
/** @type {Fate} */
export const SENDING = { kind: "sending", text: "Sending…" };

/**
 * @param {Record<string, unknown> | null} value the kernel's answer to an update
 * @returns {Fate}
 */
export function fateOf(value) {
  const ignored = Array.isArray(value?.ignored) ? value.ignored.map(String) : [];
  if (ignored.length > 0) return { kind: "ignored", text: `The server ignores it: ${ignored.join("; ")}.` };
  if (value?.next === true) return { kind: "next", text: "For the next session" };
  return { kind: "taken", text: "Taken" };
}

/**
 * @param {import("./messages.js").ErrorView} error
 * @returns {Fate}
 */
export function refusal({ message, next_step }) {
  return { kind: "refused", text: `Refused: ${message} ${next_step}` };
}
