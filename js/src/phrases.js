// The state in words: what is going on, and what helps now.

import { awaitedCall } from "./items.js";
import { isByHand, isElsewhere, isHeldUp, isHere, isLive, phaseOf } from "./store.js";

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
  if (isHeldUp(state) && (phase === "listening" || phase === "hearing")) return "Not heard yet";
  if (phase === "listening" && state.local.microphone === "asking") return "Waiting for the microphone";
  if (isDeaf(state)) return "Connected";
  if (phase === "listening" && isByHand(state)) return "Hold to talk";
  if (phase === "thinking" && awaitedCall(state.conversation)?.call?.state === "asked") return "Asking you";
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
 * @returns {boolean} whether the server listens and this page gives it nothing to hear; a key would open the microphone
 */
export function isDeaf(state) {
  return phaseOf(state) === "listening" && !isElsewhere(state) && isSilent(state) && !isByHand(state);
}

/** @param {State} state */
function isSilent({ local }) {
  return local.microphone === "off" || local.microphone === "error";
}

/**
 * @param {State} state
 * @param {boolean} [keys] whether the view has the focus: then its keys help
 * @returns {string} one short line; keys stand between backticks
 */
export function hintOf(state, keys = false) {
  const { local } = state;
  const phase = phaseOf(state);
  if (isHeldUp(state)) return heldHint(local.line);
  if (local.busy && local.kernel === "live") return "The kernel is busy: this waits for the cell that runs.";
  if (isElsewhere(state)) return "Press to hear it and speak here.";
  if (needsClick(state)) return "The browser wants a click before it records or plays.";
  if (local.microphone === "asking" && (phase === "connecting" || phase === "listening")) {
    return "Allow the microphone if the browser asks.";
  }
  return isByHand(state) ? hintByHand(state, phase, keys) : hintOfPhase(state, phase, keys);
}

/**
 * @param {import("./uplink.js").Line} line
 * @returns {string}
 */
function heldHint({ keptMs, lostMs }) {
  const kept = `${seconds(keptMs, 0)} of what you said is kept here, and sent when the kernel takes it`;
  return lostMs > 0 ? `${kept}; ${seconds(lostMs, 0)} before it are lost.` : `${kept}.`;
}

/**
 * @param {State} state
 * @param {Phase} phase
 * @param {boolean} keys
 * @returns {string}
 */
function hintByHand(state, phase, keys) {
  const { pressed, tooShort } = state.local;
  switch (phase) {
    case "idle":
      return keys ? "Hold `Space` and speak, or type below." : "Hold the button and speak, or type below.";
    case "connecting":
      return pressed ? "Opening the session; you are heard already." : "Opening the session…";
    case "listening":
      if (tooShort) return "That was too short: hold it while you speak.";
      return keys ? "Hold `Space`, or hit `K`, and speak." : "Press, speak, and let go.";
    case "hearing":
      if (!pressed) return "Your code, or another window, ends the turn.";
      if (pressed === "held") return "Let go to send.";
      return keys ? "Press `K` again to send." : "Press the button to send.";
    case "speaking":
      return keys ? "Hold `Space` to speak over it." : "Hold the button to speak over it.";
    default:
      return hintOfPhase(state, phase, keys);
  }
}

/**
 * @param {State} state
 * @param {Phase} phase
 * @param {boolean} keys
 * @returns {string}
 */
function hintOfPhase(state, phase, keys) {
  switch (phase) {
    case "waiting":
      return "If this stays, run the cell again.";
    case "idle":
      return keys ? "Press `Space` to talk, or type below." : "Press to talk, or type below.";
    case "connecting":
      return "Opening the session…";
    case "listening":
      if (isSilent(state)) return "The microphone is off. Press to turn it on, or type below.";
      return keys ? "A pause ends your turn. `M` mutes." : "Speak; a pause ends your turn.";
    case "hearing":
      return "Pause when you are done.";
    case "thinking":
      return callHint(state) ?? (keys ? "On its way. `Esc` stops it." : "The answer is on its way.");
    case "speaking":
      if (isSilent(state)) return keys ? "Press `Esc` to interrupt." : "Press to interrupt.";
      return keys ? "Speak over it, or press `Esc`." : "Speak over it or press to interrupt.";
    case "muted":
      return keys ? "Nobody hears you. `M` unmutes." : "Nobody hears you. Unmute, or type below.";
    case "reconnecting":
      return reconnectingText(state.talk?.reconnecting, Date.now());
    case "closed":
      if (state.local.kernel === "lost") return "Run the cell again.";
      return keys ? "Press `Space` for a new talk." : "Press for a new talk.";
    default:
      return keys ? "Press `Space` to try again." : "Press to try again.";
  }
}

/** So much of a function's name is said in a hint. */
const NAME_CHARACTERS = 32;

/**
 * @param {State} state
 * @returns {string | null} which function the answer waits for, and why
 */
function callHint({ conversation }) {
  const item = awaitedCall(conversation);
  if (!item) return null;
  // Backticks would make a key of it.
  const whole = (item.name ?? "a function").replaceAll("`", "");
  const name = whole.length > NAME_CHARACTERS ? `${whole.slice(0, NAME_CHARACTERS)}…` : whole;
  if (item.call?.state === "asked") return `May ${name} run? Answer in the conversation.`;
  if (item.call?.state === "waiting") return `${name} waits for the cell that runs.`;
  return `${name} runs.`;
}

/**
 * @param {import("./messages.js").ReconnectingView | null | undefined} view
 * @param {number} nowMs Unix time
 * @returns {string} where coming back is
 */
export function reconnectingText(view, nowMs) {
  if (!view) return "The connection was lost; trying again.";
  const { attempt, attempts, due_at_ms } = view;
  const which = attempt === 1 ? "" : `, attempt ${attempt} of ${attempts}`;
  if (due_at_ms === null) return `The connection was lost; trying again${which}…`;
  // Two clocks that differ must not make it negative.
  const left = Math.max(0, Math.ceil((due_at_ms - nowMs) / 1000));
  return `The connection was lost; trying again in ${left} s${which}.`;
}

/**
 * What a press on the large button does now, and what it is called.
 *
 * @param {State} state
 * @returns {{ action: "start" | "talk" | "interrupt" | "microphone" | "take" | "wake" | null, name: string }}
 */
export function talkButtonOf(state) {
  const phase = phaseOf(state);
  if (state.local.kernel !== "live") return { action: null, name: labelOf(state) };
  if (isElsewhere(state)) return { action: "take", name: "Take over here" };
  if (needsClick(state)) return { action: "wake", name: "Go on here" };
  if (state.talk && isLive(phase === "waiting" ? "idle" : phase) && isByHand(state)) {
    return { action: "talk", name: state.local.pressed === "toggled" ? "Send" : "Hold to talk" };
  }
  if (phase === "thinking" || phase === "speaking") return { action: "interrupt", name: "Interrupt" };
  if (phase === "connecting" || phase === "reconnecting") return { action: null, name: labelOf(state) };
  if (!state.talk || phase === "closed" || !isLive(state.talk.state)) {
    return { action: "start", name: "Start talking" };
  }
  if (isSilent(state)) return { action: "microphone", name: "Turn the microphone on" };
  return { action: null, name: labelOf(state) };
}

/**
 * @param {number} ms
 * @returns {string} as a clock shows it: 01:24, 1:02:03
 */
export function clockText(ms) {
  const whole = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${two(minutes)}:${two(rest)}`;
}

/**
 * @param {number} usd
 * @returns {string} three digits as long as it is small change
 */
export function costText(usd) {
  if (usd > 0 && usd < 0.001) return "< $0.001";
  return `$${usd.toFixed(usd < 1 ? 3 : 2)}`;
}

/**
 * What the bar says of the log on disk: whoever speaks here is to know that it is kept.
 *
 * @param {import("./messages.js").LogView} log
 * @param {import("./messages.js").TalkPhase} state
 * @returns {{ text: string, title: string }}
 */
export function logOf({ folder, stopped }, state) {
  if (stopped) {
    return {
      text: "recording stopped",
      title: `No longer written to disk. What was until then is in ${folder}`,
    };
  }
  if (state === "idle") {
    return {
      text: "will be recorded",
      title: `From Start on this talk, its sound included, is written to ${folder}`,
    };
  }
  if (state === "closed" || state === "error") {
    return { text: "recorded", title: `This talk, its sound included, is in ${folder}` };
  }
  return {
    text: "recording",
    title: `This talk, its sound included, is written to disk as it goes: ${folder}`,
  };
}

/**
 * What the bar says of the cost.
 *
 * @param {import("./messages.js").TalkState} talk
 * @returns {{ text: string, title: string }} an empty text: nothing to say
 */
export function costOf({ cost_usd, cost_is_upper_bound, cost_note, requests, rehearsal }) {
  if (cost_usd === null) {
    // The practice server has no price, and needs none.
    if (requests === 0 || rehearsal) return { text: "", title: "" };
    return {
      text: "cost unknown",
      title: `${cost_note ?? "no price is known"}; talk(prices=…) takes your own`,
    };
  }
  const notes = ["so far, at list prices or your own", ...(cost_note === null ? [] : [cost_note])];
  const text = cost_is_upper_bound ? `≤ ${costText(cost_usd).replace("< ", "")}` : costText(cost_usd);
  return { text, title: notes.join("; ") };
}

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
