// What a row says beside the words themselves: what is awaited, what went wrong, how far a function is. Pure.

import { spread } from "./json-text.js";
import { callText, outputText, seconds } from "./phrases.js";

/** @typedef {import("./messages.js").ItemView} ItemView */

/** @type {Record<string, string>} */
const WHO = { user: "You", assistant: "Model", system: "System" };
/** Of an output that is folded, so much is shown. */
const FOLDED_LINES = 6;
const FOLDED_CHARACTERS = 480;
/** What is but little longer is not worth folding. */
const SPARED_LINES = 3;
const ANNOUNCED_CHARACTERS = 200;

/**
 * @param {ItemView} item
 * @returns {string}
 */
export function whoOf({ type, role }) {
  if (type !== "message") return "Tool";
  if (!role) return "Model";
  // A server may name another: a developer's words are the system's.
  return (Object.hasOwn(WHO, role) ? WHO[role] : undefined) ?? "System";
}

/**
 * @param {ItemView} item
 * @returns {string} what stands where words are not there yet, or will not come
 */
export function placeholderOf({ role, text, status, audio_ms }) {
  if (role !== "user" || text !== "") return "";
  if (status === "in_progress") return "…";
  return audio_ms ? `${seconds(audio_ms)} of speech, no transcript` : "no transcript";
}

/**
 * @param {ItemView} item
 * @returns {string} what became of it, where it is not whole
 */
export function remarkOf({ status, heard_ms, reason }) {
  if (status === "interrupted") {
    if (heard_ms === null) return "interrupted";
    return heard_ms > 0 ? `interrupted at ${seconds(heard_ms)}` : "interrupted before it was heard";
  }
  if (status !== "failed" && status !== "incomplete") return "";
  if (!reason) return status;
  return reason === "cancelled" ? reason : `${status}: ${reason}`;
}

/**
 * @typedef {"asked" | "waiting" | "running" | "called" | "done" | "failed" | "timed_out" | "denied" | "cancelled" | "incomplete" | "interrupted"} CallWhere
 */

/** @type {Partial<Record<CallWhere, string>>} what is said of it, where that is another word */
const CALL_WORDS = {
  asked: "waits for your answer",
  waiting: "waits for the running cell",
  timed_out: "timed out",
};

/**
 * @param {ItemView} item a function call
 * @returns {CallWhere}
 */
export function callStateOf({ status, output, call }) {
  // What it has returned may say itself that it went wrong.
  if (call && !(call.state === "done" && status === "failed")) return call.state;
  if (status === "failed" || status === "incomplete" || status === "interrupted") return status;
  if (output !== null) return "done";
  // Somebody else may run it, and say so in another conversation.
  return status === "completed" ? "called" : "running";
}

/**
 * @param {CallWhere} state
 * @returns {string}
 */
export const callWord = (state) => CALL_WORDS[state] ?? state;

/**
 * @param {ItemView} item a function call
 * @returns {boolean} whether it is under way here, so that its time is worth telling
 */
export function goesOn({ call }) {
  return call?.state === "asked" || call?.state === "waiting" || call?.state === "running";
}

/** So much of a call's arguments is shown at once where somebody is to allow it; the rest before he can. */
const ARGUMENTS_CHARACTERS = 20000;
/** What would turn a line round, or not be seen in it: somebody might allow what he does not read. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** @param {string} character */
const escaped = (character) =>
  [...Array(character.length).keys()]
    .map((n) => `\\u${character.charCodeAt(n).toString(16).padStart(4, "0")}`)
    .join("");

/**
 * @param {string} json a call's arguments, as the kernel will use them
 * @returns {{ text: string, head: string, more: number }} to be read before it is allowed: spread over lines, nothing hidden in
 *   it, no number changed; head: what is shown first, and how many characters come after it
 */
export function argumentsText(json) {
  const laidOut = spread(json);
  const text =
    laidOut.trim() === "" || laidOut === "{}"
      ? "no arguments"
      : laidOut.replace(UNSEEN, (character) => (character === "\n" ? character : escaped(character)));
  const head = cut(text, ARGUMENTS_CHARACTERS);
  return { text, head, more: text.length - head.length };
}

/**
 * @param {number | null} ms
 * @returns {string}
 */
export function durationText(ms) {
  if (ms === null) return "";
  return ms < 1000 ? `${Math.round(ms)} ms` : seconds(ms);
}

/**
 * @param {string} output of a function
 * @returns {{ text: string, head: string, lines: number }} head: what is shown while it is folded, all of it where it is short
 */
export function foldOf(output) {
  const text = outputText(output);
  const lines = text.split("\n");
  const few = lines.length <= FOLDED_LINES + SPARED_LINES;
  if (few && text.length <= FOLDED_CHARACTERS * 1.5) return { text, head: text, lines: lines.length };
  const head = lines.slice(0, few ? lines.length : FOLDED_LINES).join("\n");
  return { text, head: cut(head, FOLDED_CHARACTERS), lines: lines.length };
}

/**
 * @param {string} text
 * @param {number} most characters
 * @returns {string} never half a character
 */
function cut(text, most) {
  return text.length <= most ? text : [...text.slice(0, most + 1)].slice(0, -1).join("");
}

/**
 * @param {1 | -1} rating
 * @returns {string}
 */
export const ratingText = (rating) => (rating === 1 ? "Thumbs up" : "Thumbs down");

/**
 * @param {ItemView} item
 * @returns {{ kind: "label" | "tag", text: string }[]} what was said of its turn in words
 */
export function labelsOf({ label, tags }) {
  /** @type {{ kind: "label" | "tag", text: string }[]} */
  const said = tags.map((tag) => ({ kind: "tag", text: tag }));
  return label === null ? said : [{ kind: "label", text: label }, ...said];
}

/**
 * @param {ItemView} item
 * @returns {string} what is copied of it
 */
export function copyOf(item) {
  if (item.type === "message") return item.text;
  const call = item.type === "function_call" ? callText(item.name ?? "function", item.arguments ?? "") : "";
  return [call, outputText(item.output ?? item.text)].filter(Boolean).join("\n");
}

/**
 * What is said aloud of answers that have ended since, for who does not see them.
 *
 * @param {import("./items.js").Conversation} before
 * @param {import("./items.js").Conversation} now
 * @returns {string[]}
 */
export function endedSince(before, now) {
  // What is loaded with the page was said before.
  if (before.items === now.items || before.items.size === 0) return [];
  /** @type {string[]} */
  const said = [];
  // Answers end at the end.
  for (const item_id of now.order.slice(-10)) {
    const item = now.items.get(item_id);
    const known = before.items.get(item_id);
    if (item?.call?.state === "asked" && known?.call?.state !== "asked") {
      said.push(`The model wants to run ${item.name ?? "a function"}: allow it or deny it.`);
    }
    if (
      !item ||
      item === known ||
      item.type !== "message" ||
      item.role === "user" ||
      item.role === "system"
    ) {
      continue;
    }
    if (item.status === "in_progress" || (known && known.status !== "in_progress")) continue;
    const words =
      item.text.length > ANNOUNCED_CHARACTERS ? `${cut(item.text, ANNOUNCED_CHARACTERS)}…` : item.text;
    const all = [words, remarkOf(item)].filter(Boolean).join(", ");
    if (all) said.push(`${whoOf(item)}: ${all}`);
  }
  return said;
}
