// A text that is folded: a function's output where it is long, its traceback until it is asked for.

import { foldOf } from "../item-phrases.js";
import { growText, make, setAttribute, setText, show } from "./dom.js";

/** A function's output, folded where it is long. */
export function folded() {
  const words = document.createTextNode("");
  const body = make(
    "pre",
    "gip-output",
    { dir: "auto", tabindex: "0", role: "group", "aria-label": "output" },
    words,
  );
  const button = make("button", "gip-unfold", { "aria-expanded": "false" });
  let open = false;
  /** @type {string | null | undefined} */
  let drawn;

  /** @param {string | null} output null: there is none yet */
  function draw(output) {
    if (output === drawn) return;
    drawn = output;
    show(body, output !== null);
    if (output === null) {
      show(button, false);
      return;
    }
    const { text, head, lines } = foldOf(output);
    growText(words, open ? text : head);
    show(button, head !== text);
    setText(button, open ? "Show less" : lines > 1 ? `Show all ${lines} lines` : "Show all");
    setAttribute(button, "aria-expanded", String(open));
  }
  button.addEventListener("click", () => {
    open = !open;
    const output = drawn ?? null;
    drawn = undefined;
    draw(output);
  });
  draw(null);
  return { elements: [body, button], draw };
}

/** Where a function raised: there for who wants it. */
export function traceback() {
  const body = make("pre", "gip-traceback gip-output", {
    dir: "ltr",
    tabindex: "0",
    role: "group",
    "aria-label": "traceback",
  });
  const button = make("button", "gip-unfold", { "aria-expanded": "false" }, "Show traceback");
  let open = false;
  let there = false;

  function lay() {
    show(body, there && open);
    show(button, there);
    setText(button, open ? "Hide traceback" : "Show traceback");
    setAttribute(button, "aria-expanded", String(open));
  }
  button.addEventListener("click", () => {
    open = !open;
    lay();
  });
  lay();
  return {
    elements: [button, body],
    /** @param {string | null} text */
    draw(text) {
      there = text !== null;
      setText(body, text ?? "");
      lay();
    },
  };
}
