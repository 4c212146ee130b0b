// Typing instead of speaking: works with no microphone, and starts a talk where there is none.

import { make, setAttribute } from "./dom.js";

/**
 * @typedef {import("../page.js").Page} Page
 * @typedef {import("../store.js").State} State
 */

/**
 * @param {Page} page
 * @returns {{ element: HTMLElement, draw: (state: State) => void }}
 */
export function composer(page) {
  const field = make("textarea", "gip-text", {
    rows: "1",
    placeholder: "Type instead of speaking",
    "aria-label": "Message",
    autocomplete: "off",
    dir: "auto",
  });
  const button = make("button", "gip-send gip-button", {}, "Send");
  const element = make("form", "gip-composer", {}, field, button);
  button.type = "submit";

  // A kernel that has not answered yet will: what is typed meanwhile waits for it in the comm.
  const ready = () => field.value.trim() !== "" && page.store.get().local.kernel !== "lost";
  const update = () => setAttribute(button, "aria-disabled", ready() ? null : "true");

  field.addEventListener("input", update);
  field.addEventListener("keydown", (event) => {
    // While an input method composes (Korean, Japanese), Enter ends the word and not the message.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    element.requestSubmit();
  });
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!ready()) return;
    const text = field.value.trim();
    field.value = "";
    update();
    field.focus();
    if (await page.say(text)) return;
    // Not sent: it is given back, unless something else is being typed by now.
    if (field.value === "") field.value = text;
    update();
  });

  return { element, draw: update };
}
