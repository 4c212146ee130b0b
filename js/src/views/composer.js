// Typing instead of speaking, or sending a sound file: works with no microphone, and starts a talk where there is none.

import { InputHistory, stepOf } from "../input-history.js";
import { make, setAttribute } from "./dom.js";
import { sendSoundFile } from "./drop.js";
import { icon } from "./icons.js";

/**
 * @typedef {import("../page.js").Page} Page
 * @typedef {import("../store.js").State} State
 */

/**
 * @param {Page} page
 * @param {AbortSignal} signal
 * @returns {{ element: HTMLElement, draw: (state: State) => void }}
 */
export function composer(page, signal) {
  const field = make("textarea", "gip-text", {
    rows: "1",
    placeholder: "Type instead of speaking",
    "aria-label": "Message",
    autocomplete: "off",
    dir: "auto",
  });
  const button = make("button", "gip-send gip-button", {}, "Send");
  const name = "Send a sound file";
  const pick = make("button", "gip-pick gip-button", { "aria-label": name, title: name }, icon("file"));
  const files = make("input", "gip-files", {
    type: "file",
    accept: ".wav,audio/wav,audio/x-wav",
    "aria-label": name,
    hidden: "",
  });
  const element = make("form", "gip-composer", {}, field, pick, files, button);
  button.type = "submit";
  const history = new InputHistory();

  // A kernel that has not answered yet will: what is typed meanwhile waits for it in the comm.
  const there = () => page.store.get().local.kernel !== "lost";
  const ready = () => field.value.trim() !== "" && there();
  const update = () => {
    setAttribute(button, "aria-disabled", ready() ? null : "true");
    setAttribute(pick, "aria-disabled", there() ? null : "true");
  };

  /** @param {string} text */
  const write = (text) => {
    field.value = text;
    field.setSelectionRange(text.length, text.length);
    update();
  };

  field.addEventListener("input", update);
  field.addEventListener("keydown", (event) => {
    // While an input method composes (Korean, Japanese), Enter ends the word and not the message; arrows choose.
    if (event.isComposing || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") {
      event.preventDefault();
      element.requestSubmit();
      return;
    }
    const step = stepOf(event.key, field);
    const text = step === 0 ? null : history.move(step, field.value);
    if (text === null) return;
    event.preventDefault();
    write(text);
  });
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!ready()) return;
    const text = field.value.trim();
    history.add(text);
    write("");
    field.focus();
    if (await page.say(text)) return;
    // Not sent: it is given back, unless something else is being typed by now.
    if (field.value === "" && !signal.aborted) write(text);
  });
  pick.addEventListener("click", () => {
    if (there()) files.click();
  });
  files.addEventListener("change", () => {
    const [file] = files.files ?? [];
    // Else the same file, chosen again, is no change.
    if (file) sendSoundFile(page, file);
    files.value = "";
  });

  return { element, draw: update };
}
