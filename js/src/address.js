// Which address of this notebook a browser would give the microphone to, and how to get there.

/** @typedef {Pick<Location, "protocol" | "hostname" | "port" | "pathname">} Address */

const ANYWHERE = "Open the notebook at http://localhost or by https.";
const OWN_WINDOW =
  "Its own address is a secure one, so what it is shown inside of is not, or the browser is too old: open the notebook in a window of its own, by https or at http://localhost, in a current browser.";
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;
/** A server's way of saying "all of mine": browsers take it for the computer they run on, and not for a secure one. */
const UNSPECIFIED = /^(0\.0\.0\.0|\[::\])$/;
/** More can stand in a URL: it shall be safe to paste into a shell. */
const PLAIN = /^(\w[\w.-]*|\[[\da-f:.]+\])$/i;
/** Local ports below this one belong to the system. */
const FIRST_FREE_PORT = 1024;

/**
 * @param {Address | undefined} page where the notebook is open
 * @returns {string} what to do, in whole sentences
 */
export function secureAddress(page) {
  if (page?.protocol === "https:") return OWN_WINDOW;
  if (page?.protocol !== "http:") return ANYWHERE;
  const { hostname, port, pathname } = page;
  if (LOOPBACK.test(hostname)) return OWN_WINDOW;
  // The query stays away: a token may stand in it.
  if (UNSPECIFIED.test(hostname)) {
    return `Open http://localhost${port && `:${port}`}${pathname} instead: it is the same server.`;
  }
  if (!PLAIN.test(hostname)) return ANYWHERE;
  const remote = port || "80";
  const local = Number(remote) < FIRST_FREE_PORT ? "8080" : remote;
  const host = hostname.replace(/^\[|\]$/g, "");
  return (
    `Open it by https. Or forward its port: run ssh -L ${local}:localhost:${remote} ${host} in a terminal here, ` +
    `then open http://localhost:${local}${pathname} in this browser.`
  );
}
