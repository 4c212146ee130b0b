// The instructions: a long text, applied on purpose, by the button or by Ctrl+Enter, and not by leaving the field.

import { make, setAttribute, show } from "./dom.js";
import { row } from "./form.js";

/**
 * @param {import("../change.js").Change<string>} change
 * @param {AbortSignal} signal
 * @returns {{ element: HTMLElement, draw: (told: string) => void }}
 */
export function instructionsRow(change, signal) {
  const field = make("textarea", "gip-instructions gip-input", {
    rows: "3",
    placeholder: "the server's own",
    dir: "auto",
    "aria-keyshortcuts": "Control+Enter",
  });
  const apply = make("button", "gip-apply gip-button", { title: "Ctrl+Enter" }, "Apply");
  const revert = make("button", "gip-revert gip-button", {}, "Revert");
  const { element, tell } = row(
    "Instructions",
    field,
    [field, make("div", "gip-setting-verbs", {}, apply, revert)],
    signal,
  );
  let told = "";
  /** What the field was given to show last. */
  let shown = "";

  const isEdited = () => field.value !== shown;
  const mark = () => {
    setAttribute(apply, "aria-disabled", isEdited() ? null : "true");
    show(revert, isEdited());
  };
  /** @param {string} text */
  const write = (text) => {
    shown = text;
    if (field.value !== text) field.value = text;
    mark();
  };
  const send = () => {
    if (!isEdited()) return;
    const text = field.value;
    shown = text;
    mark();
    change.ask(text, (fate) => {
      tell(fate);
      // What was refused is not lost: it can be mended, or put away.
      if (fate.kind === "refused" && field.value === text) {
        shown = told;
        mark();
      }
    });
  };

  field.addEventListener("input", mark);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    // JupyterLab would run the cell.
    event.stopPropagation();
    send();
  });
  apply.addEventListener("click", send);
  revert.addEventListener("click", () => {
    write(told);
    field.focus();
  });
  mark();

  return {
    element,
    draw(text) {
      told = text;
      if (!isEdited()) write(change.over(text));
    },
  };
}
