// What is waited for ends the wait by being there. How long it may take says more about the machine than about the page: a second,
// vitest's own limit, is too short on one that runs other tests at the same time.

import { vi } from "vitest";

const WAITS_MS = 10_000;
const waitFor = vi.waitFor.bind(vi);

vi.waitFor = (callback, options) => {
  const given = typeof options === "number" ? { timeout: options } : options;
  return waitFor(callback, { timeout: WAITS_MS, ...given });
};
