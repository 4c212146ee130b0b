// A sound file that is dropped onto the widget, or chosen, is sent.

import { setAttribute } from "./dom.js";

/** The Jupyter server ends the connection with a page that sends it more than 10 MiB at once. */
const MOST_BYTES = 9_000_000;

/**
 * @param {import("../page.js").Page} page
 * @param {File} file
 */
export function sendSoundFile(page, file) {
  const problem = problemWith(file);
  page.complain(problem);
  if (!problem) page.sendSound(file);
}

/**
 * What can be known before the kernel has looked into it.
 *
 * @param {Pick<File, "name" | "size" | "type">} file
 * @returns {import("../messages.js").ErrorView | null}
 */
export function problemWith({ name, size, type }) {
  if (!type.startsWith("audio/") && !/\.wave?$/i.test(name)) {
    return {
      title: "Not a sound file",
      message: `${name} is no WAV file.`,
      next_step: "Send a WAV file; ffmpeg -i INPUT OUTPUT.wav makes one of any other sound.",
    };
  }
  if (size > MOST_BYTES) {
    return {
      title: "File too large",
      message: `${name} has ${(size / 1e6).toFixed(1)} MB: from the page at most ${MOST_BYTES / 1e6} MB can be sent.`,
      next_step: "Send it from a cell, session.ask(Path('file.wav')), or make it smaller: 24 000 Hz, mono.",
    };
  }
  return null;
}

/**
 * @param {HTMLElement} root
 * @param {import("../page.js").Page} page
 */
export function takeDrops(root, page) {
  let inside = 0;
  const mark = () => setAttribute(root, "data-dropping", inside > 0 ? "" : null);
  /** @param {DragEvent} event */
  const brings = ({ dataTransfer }) => dataTransfer?.types.includes("Files") === true;

  root.addEventListener("dragenter", (event) => {
    if (!brings(event)) return;
    inside += 1;
    mark();
  });
  root.addEventListener("dragleave", (event) => {
    if (!brings(event)) return;
    inside = Math.max(0, inside - 1);
    mark();
  });
  root.addEventListener("dragover", (event) => {
    if (!brings(event)) return;
    // Else the browser opens the file in place of the notebook.
    event.preventDefault();
    event.stopPropagation();
    if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
  });
  root.addEventListener("drop", (event) => {
    if (!brings(event)) return;
    event.preventDefault();
    event.stopPropagation();
    inside = 0;
    mark();
    const [file] = event.dataTransfer?.files ?? [];
    if (file) sendSoundFile(page, file);
  });
}
