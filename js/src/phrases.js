// The state in words: what is going on, and what helps now.

import { isElsewhere, isHere, isLive, phaseOf } from "./store.js";

/** @typedef {import("./store.js").State} State */
/** @typedef {ReturnType<typeof phaseOf>} Phase */

/** @type {Record<Phase, string>} */
const LABELS = {
  waiting: "Waiting for the kernel",
  idle: "Ready",
  connecting: "Connecting",
  listening: "Listening",
  hearing: "Hearing you",
  thinking: "Thinking",
  speaking: "Speaking",
  muted: "Muted",
  reconnecting: "Reconnecting",
  closed: "Ended",
  error: "Stopped",
};

/**
 * @param {State} state
 * @returns {string}
 */
export function labelOf(state) {
  if (state.local.kernel === "lost") return "Disconnected";
  const phase = phaseOf(state);
  if (isElsewhere(state)) return state.talk?.audio_page ? "In another window" : "Nobody hears this";
  if (needsClick(state)) return "Click to go on";
  if (phase === "listening" && state.local.microphone === "asking") return "Waiting for the microphone";
  if (isDeaf(state)) return "Connected";
  return LABELS[phase];
}

/**
 * @param {State} state
 * @returns {boolean} whether the browser neither records nor plays before a click, as after a reload
 */
export function needsClick(state) {
  return state.local.sound === "blocked" && state.local.kernel === "live" && isHere(state);
}

/**
 * @param {State} state
 * @returns {boolean} whether the server listens and this page gives it nothing to hear
 */
export function isDeaf(state) {
  const { microphone } = state.local;
  return (
    phaseOf(state) === "listening" && !isElsewhere(state) && (microphone === "off" || microphone === "error")
  );
}

/**
 * @param {State} state
 * @returns {string} one short line
 */
export function hintOf(state) {
  const { local, talk } = state;
  const phase = phaseOf(state);
  const silent = local.microphone === "off" || local.microphone === "error";
  if (local.busy && local.kernel === "live") return "The kernel is busy: this waits for the cell that runs.";
  if (isElsewhere(state)) return "Press to hear it and speak here.";
  if (needsClick(state)) return "The browser wants a click before it records or plays.";
  switch (phase) {
    case "waiting":
      return "If this stays, run the cell again.";
    case "idle":
      return "Press to talk, or type below.";
    case "connecting":
      return local.microphone === "asking"
        ? "Allow the microphone if the browser asks."
        : "Opening the session…";
    case "listening":
      if (local.microphone === "asking") return "Allow the microphone if the browser asks.";
      if (silent) return "The microphone is off. Press to turn it on, or type below.";
      return talk?.turn_detection === "none"
        ? "Speak; your code commits the turn."
        : "Speak; a pause ends your turn.";
    case "hearing":
      return talk?.turn_detection === "none" ? "Your code commits the turn." : "Pause when you are done.";
    case "thinking":
      return "The answer is on its way.";
    case "speaking":
      return silent || talk?.turn_detection === "none"
        ? "Press to interrupt."
        : "Speak over it or press to interrupt.";
    case "muted":
      return "Nobody hears you. Unmute, or type below.";
    case "reconnecting":
      return "The connection was lost; trying again.";
    case "closed":
      return local.kernel === "lost" ? "Run the cell again." : "Press for a new talk.";
    default:
      return "Press to try again.";
  }
}

/**
 * What a press on the large button does now, and what it is called.
 *
 * @param {State} state
 * @returns {{ action: "start" | "interrupt" | "microphone" | "take" | "wake" | null, name: string }}
 */
export function talkButtonOf(state) {
  const phase = phaseOf(state);
  if (state.local.kernel !== "live") return { action: null, name: labelOf(state) };
  if (isElsewhere(state)) return { action: "take", name: "Take over here" };
  if (needsClick(state)) return { action: "wake", name: "Go on here" };
  if (phase === "thinking" || phase === "speaking") return { action: "interrupt", name: "Interrupt" };
  if (phase === "connecting" || phase === "reconnecting") return { action: null, name: labelOf(state) };
  if (!state.talk || !isLive(state.talk.state)) return { action: "start", name: "Start talking" };
  const silent = state.local.microphone === "off" || state.local.microphone === "error";
  if (silent) return { action: "microphone", name: "Turn the microphone on" };
  return { action: null, name: labelOf(state) };
}

/** @type {Record<import("./messages.js").TurnDetection, string>} */
export const TURN_DETECTION = {
  server_vad: "voice activity",
  semantic_vad: "semantic turns",
  none: "manual turns",
};

/**
 * @param {number} ms
 * @param {number} [digits]
 * @returns {string} in seconds
 */
export function seconds(ms, digits = 1) {
  return `${(ms / 1000).toFixed(digits)} s`;
}

/**
 * A function call as one would write it: `get_weather(city="Seoul")`.
 *
 * @param {string} name
 * @param {string} json its arguments as the model sent them; may be cut off in mid-stream
 * @returns {string}
 */
export function callText(name, json) {
  /** @type {unknown} */
  let values;
  try {
    values = JSON.parse(json || "{}");
  } catch {
    return `${name}(${json})`;
  }
  if (typeof values !== "object" || values === null || Array.isArray(values)) return `${name}(${json})`;
  const parts = Object.entries(values).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return `${name}(${parts.join(", ")})`;
}

/**
 * A function's output, spread over lines where it is JSON that is worth it.
 *
 * @param {string} output
 * @returns {string}
 */
export function outputText(output) {
  if (output.length < 80) return output;
  try {
    const value = JSON.parse(output);
    return typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : output;
  } catch {
    return output;
  }
}
