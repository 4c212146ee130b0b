// The event log: every event both ways, as it passed.

import { make } from "./dom.js";

/**
 * @param {import("../page.js").Page} _page
 * @param {AbortSignal} _signal
 * @returns {import("./tabs.js").Panel}
 */
export function events(_page, _signal) {
  return {
    name: "Events",
    element: make("div", "gip-log"),
    draw() {},
    count: ({ talk }) => (talk?.event_count ? talk.event_count.toLocaleString("en") : ""),
  };
}
