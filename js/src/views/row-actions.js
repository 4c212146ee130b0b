// What can be done with one row: play what was said, copy it, delete it on the server, rate an answer.

import { copyText } from "../clipboard.js";
import { copyOf } from "../item-phrases.js";
import { isLive } from "../store.js";
import { make, setAttribute, show } from "./dom.js";
import { icon } from "./icons.js";
import { thumbs } from "./thumbs.js";

/**
 * @typedef {import("../messages.js").ItemView} ItemView
 * @typedef {import("../page.js").Page} Page
 * @typedef {import("../store.js").State} State
 * @typedef {{ element: HTMLElement, draw: (item: ItemView, state: State) => void }} RowActions
 */

/** For so long it is said that something was copied. */
const COPIED_MS = 1500;

/**
 * @param {Page} page
 * @param {ItemView} first
 * @param {AbortSignal} signal
 * @returns {RowActions}
 */
export function rowActions(page, first, signal) {
  let item = first;
  const play = action("gip-play", "Play", "play");
  const copy = action("gip-copy", "Copy", "copy");
  const bin = action("gip-delete", "Delete", "bin");
  const copied = make("span", "gip-copied gip-unseen", { role: "status" });
  const { elements: rates, draw: drawThumbs } = thumbs(page);
  const element = make("div", "gip-actions", {}, play.element, copy.element, bin.element, ...rates, copied);
  let deleting = false;
  let drawn = page.store.get();

  play.element.addEventListener("click", () => {
    if (able(play.element)) page.replay.toggle(item.item_id);
  });
  copy.element.addEventListener("click", async () => {
    const done = await copyText(copyOf(item));
    copied.textContent = done ? "Copied" : "Not copied: the browser does not let it";
    copy.is(done ? "check" : "copy", done ? "Copied" : "Copy");
    const timer = setTimeout(() => {
      copied.textContent = "";
      copy.is("copy", "Copy");
    }, COPIED_MS);
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  });
  bin.element.addEventListener("click", async () => {
    if (!able(bin.element)) return;
    deleting = true;
    draw(item, drawn);
    // The row goes when the server has said so.
    await page.ask("delete", { item_id: item.item_id });
    deleting = false;
    draw(item, drawn);
  });

  /**
   * @param {ItemView} next
   * @param {State} state
   */
  function draw(next, state) {
    item = next;
    drawn = state;
    const { talk, local } = state;
    const there = local.kernel === "live";
    const plays = local.playing === item.item_id;
    // A response that has no item has nothing on the server either.
    const fruitless = item.type === "message" && item.role === null;
    play.is(plays ? "square" : "play", plays ? "Stop playing" : "Play");
    // One voice at a time: the answer's goes first.
    offer(play.element, plays || (there && talk?.state !== "speaking"));
    show(play.element, plays || (item.audio_ms ?? 0) > 0);
    show(copy.element, copyOf(item) !== "");
    offer(bin.element, there && !deleting && talk !== null && isLive(talk.state));
    show(bin.element, !fruitless);
    drawThumbs(next, there);
    setAttribute(element, "data-deleting", deleting ? "" : null);
  }
  return { element, draw };
}

/**
 * @param {string} className
 * @param {string} name
 * @param {import("./icons.js").IconName} picture
 */
function action(className, name, picture) {
  const element = make(
    "button",
    `${className} gip-action`,
    { "aria-label": name, title: name },
    icon(picture),
  );
  let shown = picture;
  return {
    element,
    /** @type {(picture: import("./icons.js").IconName, name: string) => void} */
    is(next, called) {
      setAttribute(element, "aria-label", called);
      setAttribute(element, "title", called);
      if (next !== shown) element.replaceChildren(icon(next));
      shown = next;
    },
  };
}

/** @param {Element} element */
const able = (element) => !element.hasAttribute("aria-disabled");

/**
 * @param {Element} element
 * @param {boolean} offered
 */
const offer = (element, offered) => setAttribute(element, "aria-disabled", offered ? null : "true");
