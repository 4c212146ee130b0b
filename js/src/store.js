// What the page knows, in one value: what the kernel said, and what only the page can know. One pure reducer, one store.

import { NO_DEVICES } from "./devices.js";
import { applyItems, EMPTY, fromSnapshot } from "./items.js";
import { USUAL } from "./preferences.js";
import { PROMPT } from "./uplink.js";

/**
 * @typedef {import("./messages.js").ErrorView} ErrorView
 * @typedef {import("./messages.js").TalkState} TalkState
 * @typedef {import("./messages.js").TalkPhase} TalkPhase
 * @typedef {import("./messages.js").KernelMessage} KernelMessage
 */

/**
 * @typedef {"kernel" | "microphone" | "line" | "sound" | "request"} TroubleSource what the page itself noticed
 * @typedef {"talk" | "budget" | "retry" | "notice"} ToldSource what the kernel said
 * @typedef {Record<TroubleSource, ErrorView | null>} Troubles
 */

/**
 * @typedef {object} Local what only the page knows
 * @property {string} page this page's id
 * @property {boolean} busy the kernel has not answered a request for a while
 * @property {"unknown" | "live" | "lost"} kernel unknown: it has not answered yet
 * @property {"off" | "asking" | "on" | "error"} microphone
 * @property {import("./uplink.js").Line} line whether the kernel takes what the microphone gives
 * @property {"ready" | "blocked" | "none"} sound blocked: the browser wants a click first
 * @property {boolean} starting Start was pressed and the kernel has not said anything since
 * @property {boolean} stopping Stop was pressed and the talk has not ended yet
 * @property {boolean | null} muteWanted Mute was pressed and the kernel has not said so yet
 * @property {"held" | "toggled" | null} pressed push to talk: the user speaks, as long as a key is held or until it is hit again
 * @property {boolean} tooShort the last press was no utterance
 * @property {boolean | null} byHandWanted push to talk was chosen, or no longer, and the kernel has not said so yet
 * @property {Record<string, unknown> | null} detection the turn detection that was in force last, for the way back to it
 * @property {import("./preferences.js").Preferences} sounds what holds in this page
 * @property {import("./devices.js").Devices} devices
 * @property {string | null} playing the item whose recording is played, beside the talk
 * @property {Troubles} troubles
 * @property {Record<ToldSource, ErrorView | null>} dismissed what the user has put away
 */

/**
 * @typedef {object} State
 * @property {TalkState | null} talk null before the first snapshot
 * @property {import("./items.js").Conversation} conversation
 * @property {Local} local
 */

/**
 * @typedef {{ kind: "local", patch: Partial<Local> }
 *   | { kind: "trouble", source: TroubleSource, error: ErrorView | null }
 *   | { kind: "dismiss", source: TroubleSource | ToldSource }} Fact
 */

/** @type {State} */
export const INITIAL = {
  talk: null,
  conversation: EMPTY,
  local: {
    page: "",
    busy: false,
    kernel: "unknown",
    microphone: "off",
    line: PROMPT,
    sound: "ready",
    starting: false,
    stopping: false,
    muteWanted: null,
    pressed: null,
    tooShort: false,
    byHandWanted: null,
    detection: null,
    sounds: USUAL,
    devices: NO_DEVICES,
    playing: null,
    troubles: { kernel: null, microphone: null, line: null, sound: null, request: null },
    dismissed: { talk: null, budget: null, retry: null, notice: null },
  },
};

/**
 * @param {State} state
 * @param {KernelMessage | Fact} action what it does not know changes nothing
 * @returns {State}
 */
export function reduce(state, action) {
  switch (action.kind) {
    case "snapshot":
      return {
        talk: action.talk,
        conversation: fromSnapshot(action.items),
        local: settle({ ...state.local, kernel: "live" }, state.talk, action.talk),
      };
    case "talk": {
      // A patch before the first snapshot is part of that snapshot.
      if (!state.talk) return state;
      const talk = { ...state.talk, ...action.patch };
      return { ...state, talk, local: settle(state.local, state.talk, talk, "state" in action.patch) };
    }
    case "items":
      return { ...state, conversation: applyItems(state.conversation, action) };
    case "local":
      return { ...state, local: { ...state.local, ...action.patch } };
    case "trouble":
      return withTrouble(state, action.source, action.error);
    case "dismiss":
      return dismiss(state, action.source);
    default:
      return state;
  }
}

/**
 * What was pressed is settled once the kernel speaks of it.
 *
 * @param {Local} local
 * @param {TalkState | null} before
 * @param {TalkState} talk
 * @param {boolean} [stated] whether the kernel said what the state is
 * @returns {Local}
 */
function settle(local, before, talk, stated = false) {
  return {
    ...local,
    starting: local.starting && !stated && !isLive(talk.state),
    stopping: local.stopping && isLive(talk.state),
    muteWanted: local.muteWanted === talk.muted ? null : local.muteWanted,
    pressed: mayBePressed(talk, local) ? local.pressed : null,
    tooShort: local.tooShort && talk.state === "listening",
    detection: talk.settings.turn_detection ?? local.detection,
    dismissed: {
      talk: same(before?.error ?? null, talk.error) ? local.dismissed.talk : null,
      budget: same(before?.budget ?? null, talk.budget) ? local.dismissed.budget : null,
      retry: same(before?.retry ?? null, talk.retry) ? local.dismissed.retry : null,
      notice: same(before?.notice ?? null, talk.notice) ? local.dismissed.notice : null,
    },
  };
}

/**
 * @param {State} state
 * @param {TroubleSource | ToldSource} source
 * @returns {State}
 */
function dismiss(state, source) {
  if (source !== "talk" && source !== "budget" && source !== "retry" && source !== "notice")
    return withTrouble(state, source, null);
  const view = (source === "talk" ? state.talk?.error : state.talk?.[source]) ?? null;
  const dismissed = { ...state.local.dismissed, [source]: view };
  return { ...state, local: { ...state.local, dismissed } };
}

/**
 * @param {State} state
 * @param {TroubleSource} source
 * @param {ErrorView | null} error
 * @returns {State}
 */
function withTrouble(state, source, error) {
  return { ...state, local: { ...state.local, troubles: { ...state.local.troubles, [source]: error } } };
}

/**
 * @param {ErrorView | null} one
 * @param {ErrorView | null} other
 */
function same(one, other) {
  return (
    one === other ||
    (one?.title === other?.title && one?.message === other?.message && one?.next_step === other?.next_step)
  );
}

/** @param {TalkPhase} state */
export function isLive(state) {
  return state !== "idle" && state !== "closed" && state !== "error";
}

/**
 * What the widget shows itself as: the kernel's state, and before it what was just pressed.
 *
 * @param {State} state
 * @returns {TalkPhase | "waiting"} waiting: nothing is known of the kernel yet
 */
export function phaseOf({ talk, local }) {
  if (local.kernel === "lost") return "closed";
  if (!talk) return "waiting";
  if (local.starting && (local.stopping || !isLive(talk.state))) return "connecting";
  if (local.stopping && isLive(talk.state)) return "closed";
  if (local.pressed && isLive(talk.state) && !isOnItsWay(talk.state)) return "hearing";
  if (talk.state === "listening" || talk.state === "hearing" || talk.state === "muted") {
    if (isMuted({ talk, local })) return "muted";
    return talk.state === "muted" ? "listening" : talk.state;
  }
  return talk.state;
}

/** @param {TalkPhase} state */
function isOnItsWay(state) {
  return state === "connecting" || state === "reconnecting";
}

/**
 * @param {Pick<State, "talk" | "local">} state
 * @returns {boolean} whether the user says with a key where a turn ends
 */
export function isByHand({ talk, local }) {
  return local.byHandWanted ?? talk?.turn_detection === "none";
}

/**
 * @param {TalkState} talk
 * @param {Local} local
 * @returns {boolean} whether a key that was pressed here still counts
 */
function mayBePressed(talk, local) {
  if (!isByHand({ talk, local })) return false;
  if (!isLive(talk.state)) return local.starting;
  return talk.audio_page === local.page || talk.audio_page === null;
}

/**
 * @param {Pick<State, "talk" | "local">} state
 * @returns {boolean}
 */
export function isMuted({ talk, local }) {
  return local.muteWanted ?? talk?.muted ?? false;
}

/**
 * @param {Pick<State, "talk" | "local">} state
 * @returns {boolean} whether this page hears and speaks
 */
export function isHere({ talk, local }) {
  return talk !== null && talk.audio_page === local.page;
}

/**
 * @param {Pick<State, "talk" | "local">} state
 * @returns {boolean} whether the talk goes on, and not in this page
 */
export function isElsewhere({ talk, local }) {
  if (!talk || local.kernel !== "live" || !isLive(talk.state) || talk.state === "connecting") return false;
  return talk.audio_page !== local.page;
}

/**
 * @param {Pick<State, "talk" | "local">} state
 * @returns {boolean} whether what the user says waits in this page, since the kernel takes nothing
 */
export function isHeldUp(state) {
  const { local, talk } = state;
  return local.line.held && local.kernel === "live" && talk !== null && isLive(talk.state) && isHere(state);
}

/**
 * @param {State} state
 * @returns {{ source: TroubleSource | ToldSource, error: ErrorView }[]} what to show, the gravest first, nothing twice
 */
export function troublesOf({ talk, local }) {
  /** @type {(source: ToldSource, view: ErrorView | null | undefined) => ErrorView | null} */
  const undismissed = (source, view) => (view && !same(view, local.dismissed[source]) ? view : null);
  /** @type {{ source: TroubleSource | ToldSource, error: ErrorView | null }[]} */
  const all = [
    { source: "kernel", error: local.troubles.kernel },
    { source: "talk", error: undismissed("talk", talk?.error) },
    { source: "request", error: local.troubles.request },
    { source: "microphone", error: local.troubles.microphone },
    { source: "line", error: local.troubles.line },
    { source: "sound", error: local.troubles.sound },
    { source: "budget", error: undismissed("budget", talk?.budget) },
    { source: "retry", error: undismissed("retry", talk?.retry) },
    // What it warned of is there: the one that says so has its advice.
    { source: "notice", error: local.troubles.line ? null : undismissed("notice", talk?.notice) },
  ];
  /** @type {{ source: TroubleSource | ToldSource, error: ErrorView }[]} */
  const shown = [];
  for (const { source, error } of all) {
    if (error && !shown.some((other) => same(other.error, error))) shown.push({ source, error });
  }
  return shown;
}

/**
 * @typedef {object} Store
 * @property {() => State} get
 * @property {(action: KernelMessage | Fact) => void} dispatch
 * @property {(listener: () => void, signal: AbortSignal) => void} subscribe until the signal is aborted
 */

/** @returns {Store} */
export function createStore() {
  let state = INITIAL;
  /** @type {Set<() => void>} */
  const listeners = new Set();
  return {
    get: () => state,
    dispatch(action) {
      const next = reduce(state, action);
      if (next === state) return;
      state = next;
      for (const listener of listeners) listener();
    },
    subscribe(listener, signal) {
      listeners.add(listener);
      signal.addEventListener("abort", () => listeners.delete(listener), { once: true });
    },
  };
}
