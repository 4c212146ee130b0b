import { afterEach, expect, test, vi } from "vitest";
import { pageFacts, reasonFor } from "../src/page-facts.js";
import { INSECURE } from "../src/trouble.js";

const where = { host: /** @type {const} */ ("jupyterlab"), host_version: "4.6.6" };
const device = (/** @type {string} */ label, kind = "audioinput") => ({ kind, label });

afterEach(() => {
  vi.useRealTimers();
});

/**
 * @param {object} [says] what the browser says
 * @param {unknown} [says.state]
 * @param {() => Promise<unknown>} [says.devices]
 * @param {() => Promise<unknown>} [says.query]
 * @returns {any}
 */
function browser({ state = "granted", devices = async () => [device("Built-in")], query } = {}) {
  return {
    userAgent: "a browser",
    mediaDevices: { enumerateDevices: devices },
    permissions: { query: query ?? (async () => ({ state })) },
  };
}

test("a page that has all it needs", async () => {
  const devices = async () => [device("Built-in"), device("Speaker", "audiooutput"), device("")];
  const navigator = browser({ devices });
  expect(await pageFacts({ navigator, secure: true, allowed: () => true, where })).toEqual({
    ...where,
    secure: true,
    allowed: true,
    permission: "granted",
    microphones: ["Built-in", ""],
    trouble: null,
    user_agent: "a browser",
  });
});

test("a page that is not secure has neither devices nor permissions", async () => {
  const navigator = /** @type {any} */ ({ userAgent: "a browser" });
  const found = await pageFacts({ navigator, secure: false, allowed: () => null, where });
  expect(found).toMatchObject({ secure: false, permission: "unknown", microphones: null });
  expect(found.trouble?.title).toBe("No microphone on this address");
});

test("what fails, and what keeps one waiting, is not known", async () => {
  const failing = browser({
    devices: () => Promise.reject(new TypeError("no")),
    query: () => Promise.reject(new TypeError("no such name")),
  });
  const unknown = { permission: "unknown", microphones: null, trouble: null };
  expect(await pageFacts({ navigator: failing, secure: true, allowed: () => null, where })).toMatchObject(
    unknown,
  );
  vi.useFakeTimers();
  const never = () => new Promise(() => {});
  const slow = browser({ devices: never, query: never });
  const asked = pageFacts({ navigator: slow, secure: true, allowed: () => null, where });
  await vi.advanceTimersByTimeAsync(1000);
  expect(await asked).toMatchObject(unknown);
});

test("a host that passes no microphone on is named", async () => {
  const vscode = { host: /** @type {const} */ ("vscode"), host_version: null };
  const navigator = browser({ state: "denied" });
  const { trouble } = await pageFacts({ navigator, secure: true, allowed: () => false, where: vscode });
  expect(trouble?.message).toContain("VS Code gives no notebook");
});

const FINE = { secure: true, allowed: null, permission: /** @type {const} */ ("prompt"), microphones: [""] };

test.each([
  [{}, null],
  [{ permission: /** @type {const} */ ("unknown"), microphones: null }, null],
  [{ secure: false, microphones: null }, INSECURE],
  [{ allowed: false }, "NotAllowedError"],
  [{ permission: /** @type {const} */ ("denied"), microphones: [] }, "NotAllowedError"],
  [{ microphones: [] }, "NotFoundError"],
])("%j: %s", (found, reason) => {
  expect(reasonFor({ ...FINE, ...found })).toBe(reason);
});
