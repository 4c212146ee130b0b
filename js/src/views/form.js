// Rows of a form: a label, its control, and beside it what became of the last change.

import { make, setAttribute, setText, show } from "./dom.js";

/**
 * @typedef {import("../session-fields.js").Fate} Fate
 * @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control
 */

/** What went well need not be read for ever. */
const TAKEN_MS = 4000;

let ids = 0;

/** @returns {string} an id that is nobody else's on this page */
export function newId() {
  ids += 1;
  return `gip-field-${ids}`;
}

/**
 * @param {AbortSignal} signal the view's
 * @returns {{ element: HTMLElement, tell: (fate: Fate) => void }}
 */
export function fateLine(signal) {
  const element = make("span", "gip-fate", { role: "status", dir: "auto", "data-fate": "none" });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @param {Fate} fate */
  const tell = ({ kind, text }) => {
    clearTimeout(timer);
    setAttribute(element, "data-fate", kind);
    setText(element, text);
    if (kind === "taken") timer = setTimeout(() => tell({ kind: "none", text: "" }), TAKEN_MS);
  };
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return { element, tell };
}

/**
 * @typedef {object} Row
 * @property {HTMLElement} element
 * @property {(fate: Fate) => void} tell
 * @property {(words: string) => void} note a line under the control; empty: none
 */

/**
 * @param {string} words the label
 * @param {Control | null} control that it labels; null: `content` is a group of controls, which it names
 * @param {Node[]} content
 * @param {AbortSignal} signal
 * @returns {Row}
 */
export function row(words, control, content, signal) {
  const fate = fateLine(signal);
  const note = make("p", "gip-setting-note", { id: newId() });
  note.hidden = true;
  const field = make("div", "gip-setting-field", {}, ...content, fate.element, note);
  const id = newId();
  const label = control
    ? make("label", "gip-setting-label", { for: id }, words)
    : make("span", "gip-setting-label", { id }, words);
  if (control) control.id = id;
  else {
    field.setAttribute("role", "group");
    field.setAttribute("aria-labelledby", id);
  }
  return {
    element: make("div", "gip-setting", {}, label, field),
    tell: fate.tell,
    note(text) {
      setText(note, text);
      show(note, text !== "");
      if (control) setAttribute(control, "aria-describedby", text === "" ? null : note.id);
    },
  };
}

/**
 * Shows what holds in a control, and leaves alone what the user is changing in it at this moment.
 *
 * @template {Control} C
 * @param {C} control
 * @param {(control: C) => void} changed the user has made up their mind
 * @returns {(write: (control: C) => void) => void} shows what holds
 */
export function editable(control, changed) {
  let edited = false;
  control.addEventListener("input", () => {
    edited = true;
  });
  control.addEventListener("change", () => {
    edited = false;
    changed(control);
  });
  return (write) => {
    if (!edited || !control.matches(":focus")) write(control);
  };
}

/**
 * @param {string} name test id
 * @param {[value: string, words: string][]} options
 */
export function choice(name, options) {
  const select = make("select", `${name} gip-input`);
  select.append(...options.map(([value, words]) => make("option", "", { value }, words)));
  return select;
}

/**
 * @param {string} name
 * @param {string} words beside the box
 * @returns {{ element: HTMLLabelElement, box: HTMLInputElement }}
 */
export function tick(name, words) {
  const box = make("input", name, { type: "checkbox" });
  return { element: make("label", "gip-tick", {}, box, words), box };
}

/**
 * @param {string} name
 * @param {{ min: number, max: number, step: number }} range
 * @param {(value: number) => string} format
 */
export function slider(name, { min, max, step }, format) {
  const input = make("input", `${name} gip-slider`, {
    type: "range",
    min: String(min),
    max: String(max),
    step: String(step),
  });
  const figure = make("output", "gip-figure");
  const follow = () => {
    setText(figure, format(input.valueAsNumber));
    setAttribute(input, "aria-valuetext", format(input.valueAsNumber));
  };
  input.addEventListener("input", follow);
  return {
    input,
    figure,
    /** @param {number} value */
    write(value) {
      // A server may have more than the slider goes.
      input.max = String(Math.max(max, value));
      input.min = String(Math.min(min, value));
      input.value = String(value);
      follow();
    },
  };
}

/**
 * @param {string} name
 * @param {string} legend
 * @returns {{ element: HTMLFieldSetElement, about: HTMLElement }}
 */
export function section(name, legend) {
  const about = make("p", "gip-settings-about");
  return {
    element: make("fieldset", name, {}, make("legend", "gip-settings-legend", {}, legend), about),
    about,
  };
}

/**
 * A field with suggestions; anything else can be typed too.
 *
 * @param {string} name
 * @param {string[]} suggestions
 * @param {string} placeholder
 * @returns {{ input: HTMLInputElement, list: HTMLDataListElement }}
 */
export function suggesting(name, suggestions, placeholder) {
  const list = make("datalist", "", { id: newId() });
  list.append(...suggestions.map((value) => make("option", "", { value })));
  const input = make("input", `${name} gip-input`, {
    type: "text",
    list: list.id,
    placeholder,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
  });
  return { input, list };
}
