// What this page can tell of itself when the kernel asks: for `gip_nb.doctor()`.

import { microphonePassedOn, thisHost } from "./hosts.js";
import { INSECURE, microphoneTrouble } from "./trouble.js";

/**
 * @typedef {import("./messages.js").PageFacts} PageFacts
 * @typedef {Omit<PageFacts, "sample_rate_hz" | "sound">} Found
 */

/** A browser that keeps one of these waiting is not waited for. */
const TOO_LONG_MS = 1000;

/**
 * @param {object} parts of the browser
 * @param {Pick<Navigator, "userAgent" | "mediaDevices" | "permissions">} [parts.navigator]
 * @param {boolean} [parts.secure]
 * @param {(() => boolean | null)} [parts.allowed] whether the host lets its frames have the microphone; null: it does not say
 * @param {import("./hosts.js").HostFacts} [parts.where]
 * @returns {Promise<Found>} never rejected
 */
export async function pageFacts({
  navigator = globalThis.navigator,
  secure = globalThis.isSecureContext,
  allowed = microphonePassedOn,
  where = thisHost(),
} = {}) {
  const [permission, microphones] = await Promise.all([
    inTime(permissionOf(navigator), /** @type {const} */ ("unknown")),
    inTime(namesOf(navigator), null),
  ]);
  const found = { ...where, secure, allowed: allowed(), permission, microphones };
  const reason = reasonFor(found);
  const here = { host: where.host, passedOn: found.allowed };
  return {
    ...found,
    trouble:
      reason === null ? null : microphoneTrouble({ name: reason, message: "" }, globalThis.location, here),
    user_agent: navigator.userAgent,
  };
}

/**
 * What the browser would say if it were asked for the microphone now.
 *
 * @param {Pick<Found, "secure" | "allowed" | "permission" | "microphones">} found
 * @returns {string | null} null: nothing speaks against it
 */
export function reasonFor({ secure, allowed, permission, microphones }) {
  if (!secure) return INSECURE;
  if (allowed === false || permission === "denied") return "NotAllowedError";
  // Before they are allowed to, pages see one nameless device of a kind at most; none is none.
  return microphones?.length === 0 ? "NotFoundError" : null;
}

/**
 * @param {Pick<Navigator, "permissions">} navigator
 * @returns {Promise<PageFacts["permission"]>}
 */
async function permissionOf({ permissions }) {
  const status = await permissions?.query({ name: "microphone" });
  return status?.state ?? "unknown";
}

/**
 * @param {Pick<Navigator, "mediaDevices">} navigator
 * @returns {Promise<string[] | null>} empty names where the browser does not tell them yet
 */
async function namesOf({ mediaDevices }) {
  const devices = await mediaDevices?.enumerateDevices();
  return devices?.filter(({ kind }) => kind === "audioinput").map(({ label }) => label) ?? null;
}

/**
 * @template T
 * @param {Promise<T>} asked
 * @param {T} otherwise where it fails, or takes too long
 * @returns {Promise<T>}
 */
async function inTime(asked, otherwise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, TOO_LONG_MS, otherwise);
  });
  try {
    return await Promise.race([asked, /** @type {Promise<T>} */ (late)]);
  } catch {
    return otherwise;
  } finally {
    clearTimeout(timer);
  }
}
