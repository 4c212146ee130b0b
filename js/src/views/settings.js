// The session's settings, each changed in place.

import { make } from "./dom.js";

/**
 * @param {import("../page.js").Page} _page
 * @param {AbortSignal} _signal
 * @returns {import("./tabs.js").Panel}
 */
export function settings(_page, _signal) {
  return { name: "Settings", element: make("div", "gip-settings"), draw() {} };
}
