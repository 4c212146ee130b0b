// The settings: what holds in this page, and what the server has of the session; each changed in place.

import { make } from "./dom.js";
import { pageSettings } from "./settings-page.js";
import { sessionSettings } from "./settings-session.js";

/**
 * @param {import("../page.js").Page} page
 * @param {AbortSignal} signal
 * @returns {import("./tabs.js").Panel}
 */
export function settings(page, signal) {
  const parts = [pageSettings(page, signal), sessionSettings(page, signal)];
  return {
    name: "Settings",
    element: make("div", "gip-settings", {}, ...parts.map(({ element }) => element)),
    draw(state) {
      for (const part of parts) part.draw(state);
    },
    shown(isShown) {
      if (isShown) page.lookForDevices();
    },
  };
}
