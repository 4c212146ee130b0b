// Thumbs up and down for an answer: a rating of its turn, in the kernel's log. And what is seen of it, and of labels that code
// gave, in a row that nobody points at.

import { labelsOf, ratingText } from "../item-phrases.js";
import { make, setAttribute, show } from "./dom.js";
import { icon } from "./icons.js";

/**
 * @typedef {import("../messages.js").ItemView} ItemView
 * @typedef {import("../page.js").Page} Page
 */

/** @type {{ rating: 1 | -1, className: string, picture: import("./icons.js").IconName }[]} */
const THUMBS = [
  { rating: 1, className: "gip-thumb-up", picture: "thumb-up" },
  { rating: -1, className: "gip-thumb-down", picture: "thumb-down" },
];

/**
 * Two buttons; the pressed one takes the rating back.
 *
 * @param {Page} page
 */
export function thumbs(page) {
  /** @type {ItemView | null} */
  let item = null;
  const buttons = THUMBS.map(({ rating, className, picture }) => {
    const button = make(
      "button",
      `${className} gip-action`,
      { "aria-label": ratingText(rating) },
      icon(picture),
    );
    button.addEventListener("click", () => {
      if (!item || button.hasAttribute("aria-disabled")) return;
      // Which it is the kernel says, to all pages.
      page.ask("label", { item_id: item.item_id, rating: item.rating === rating ? 0 : rating });
    });
    return { rating, button };
  });
  return {
    elements: buttons.map(({ button }) => button),
    /**
     * @param {ItemView} next
     * @param {boolean} there whether the kernel can be asked
     */
    draw(next, there) {
      item = next;
      const answers = next.type === "message" && next.role !== "user" && next.role !== "system";
      for (const { rating, button } of buttons) {
        show(button, answers && next.turn !== null);
        setAttribute(button, "aria-pressed", String(next.rating === rating));
        setAttribute(button, "aria-disabled", there ? null : "true");
        setAttribute(button, "title", `${ratingText(rating)} for turn ${next.turn}`);
      }
    },
  };
}

/**
 * What a row shows of its turn's rating and labels. Made where there is something, since most rows have none.
 *
 * @param {HTMLElement} row
 * @returns {(item: ItemView) => void} draws it
 */
export function verdict(row) {
  /** @type {HTMLElement | null} */
  let rated = null;
  /** @type {HTMLElement | null} */
  let labels = null;
  /** @type {1 | -1 | null} */
  let drawn = null;
  return (item) => {
    const { rating } = item;
    if (rating !== drawn) {
      rated?.remove();
      rated = null;
      drawn = rating;
    }
    if (rating !== null && !rated) {
      const picture = rating === 1 ? "thumb-up" : "thumb-down";
      const named = { role: "img", "aria-label": ratingText(rating), "data-rating": String(rating) };
      rated = make("span", "gip-rated", named, icon(picture));
      row.append(rated);
    }
    const said = labelsOf(item);
    if (said.length === 0) {
      labels?.remove();
      labels = null;
      return;
    }
    if (!labels) {
      labels = make("div", "gip-labels", { role: "group" });
      row.append(labels);
    }
    setAttribute(labels, "aria-label", `Labels of turn ${item.turn}`);
    labels.replaceChildren(
      // Of a long one the end is not seen.
      ...said.map(({ kind, text }) =>
        make("span", "gip-label", { "data-kind": kind, dir: "auto", title: text }, text),
      ),
    );
  };
}
