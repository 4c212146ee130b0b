// Tabs: one panel is shown, and only that one is drawn.

import { make, setAttribute, setText, show } from "./dom.js";

/**
 * @typedef {import("../store.js").State} State
 * @typedef {object} Panel
 * @property {string} name in the tab, and for the tests
 * @property {HTMLElement} element
 * @property {(state: State) => void} draw called while it is shown, and when it comes to be
 * @property {(state: State) => string} [count] a figure beside the name; empty: none
 * @property {(shown: boolean) => void} [shown] told when it comes or goes
 */

let sets = 0;

/**
 * @param {Panel[]} panels
 * @returns {{ element: HTMLElement, draw: (state: State) => void }}
 */
export function tabs(panels) {
  sets += 1;
  const entries = panels.map((panel) => {
    const key = panel.name.toLowerCase();
    const id = `gip-${key}-${sets}`;
    const count = make("span", "gip-tab-count");
    const tab = make(
      "button",
      `gip-tab-${key} gip-tab`,
      { role: "tab", id: `${id}-tab`, "aria-controls": id },
      panel.name,
      count,
    );
    const element = make(
      "div",
      `gip-panel-${key} gip-panel`,
      { role: "tabpanel", id, "aria-labelledby": `${id}-tab` },
      panel.element,
    );
    return { panel, tab, count, element };
  });
  const list = make(
    "div",
    "gip-tabs",
    { role: "tablist", "aria-label": "What to see" },
    ...entries.map(({ tab }) => tab),
  );
  const element = make("div", "gip-tabbed", {}, list, ...entries.map((entry) => entry.element));

  let chosen = 0;
  /** @type {State | null} */
  let drawn = null;

  /** @param {number} next */
  function choose(next) {
    const before = chosen;
    chosen = next;
    entries.forEach(({ tab, element: body }, index) => {
      setAttribute(tab, "aria-selected", String(index === chosen));
      setAttribute(tab, "tabindex", index === chosen ? "0" : "-1");
      show(body, index === chosen);
    });
    if (before !== chosen) entries[before]?.panel.shown?.(false);
    entries[chosen]?.panel.shown?.(true);
    if (drawn) entries[chosen]?.panel.draw(drawn);
  }

  entries.forEach(({ tab }, index) => {
    tab.addEventListener("click", () => choose(index));
  });
  list.addEventListener("keydown", ({ key }) => {
    const last = entries.length - 1;
    const next = {
      ArrowRight: chosen === last ? 0 : chosen + 1,
      ArrowLeft: chosen === 0 ? last : chosen - 1,
      Home: 0,
      End: last,
    }[key];
    if (next === undefined) return;
    choose(next);
    entries[next]?.tab.focus();
  });
  choose(0);

  return {
    element,
    draw(state) {
      drawn = state;
      for (const { panel, count } of entries) setText(count, panel.count?.(state) ?? "");
      entries[chosen]?.panel.draw(state);
    },
  };
}
