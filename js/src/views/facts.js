// The line of facts: model, dialect, rehearsal, how a turn ends, and a few figures.

import { costOf, logOf, seconds } from "../phrases.js";
import { make, setAttribute, setText, show } from "./dom.js";
import { elapsed } from "./elapsed.js";
import { turns } from "./turns.js";

/** @typedef {import("../store.js").State} State */

const REHEARSAL =
  "This is the embedded practice server, not a model: it answers by simple rules, needs no key and costs nothing. " +
  "Set GIP_API_KEY, or name a model in talk(), to speak to a real one.";

let badges = 0;

/** @returns {HTMLElement} a badge that explains itself on hover and on focus */
function rehearsalBadge() {
  badges += 1;
  const explanation = make(
    "span",
    "gip-tooltip",
    { role: "tooltip", id: `gip-rehearsal-${badges}` },
    REHEARSAL,
  );
  const badge = make(
    "button",
    "gip-badge-rehearsal gip-chip",
    { "aria-describedby": explanation.id },
    "rehearsal",
  );
  return make("span", "gip-explained", {}, badge, explanation);
}

/**
 * @param {number} count
 * @param {string} noun
 */
const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/**
 * @param {import("../page.js").Page} page
 * @param {AbortSignal} signal
 * @returns {{ element: HTMLElement, draw: (state: State) => void }}
 */
export function facts(page, signal) {
  const model = make("span", "gip-model gip-chip");
  const dialect = make("span", "gip-dialect gip-chip", { title: "the dialect of the Realtime protocol" });
  const rehearsal = rehearsalBadge();
  const choice = turns(page);
  const time = elapsed(signal);
  const firstSound = make("span", "gip-first-sound", {
    title: "from the end of your speech to the first sound of the answer, last turn",
  });
  const requests = make("span", "gip-requests", {
    title: "finished responses; each is billed as one request",
  });
  const cost = make("span", "gip-cost");
  const session = make("span", "gip-session-id", { title: "session id" });
  const figures = make("span", "gip-figures", {}, time.element, firstSound, requests, cost, session);
  const log = make("span", "gip-disk-log gip-chip");
  const chips = make("span", "gip-chips", {}, model, dialect, rehearsal, log);
  const element = make("div", "gip-facts", {}, choice.element, chips, figures);

  return {
    element,
    draw(state) {
      const { talk } = state;
      show(element, talk !== null);
      if (!talk) return;
      // "rehearsal" twice, side by side, says nothing more.
      show(model, talk.model !== "" && !(talk.rehearsal && talk.model === "rehearsal"));
      setText(model, talk.model);
      setAttribute(model, "title", talk.model);
      show(dialect, talk.dialect !== "" && talk.dialect !== "auto");
      setText(dialect, talk.dialect === "ga" ? "GA" : talk.dialect);
      show(rehearsal, talk.rehearsal);
      show(log, talk.log !== null);
      if (talk.log !== null) {
        const { text, title } = logOf(talk.log, talk.state);
        setText(log, text);
        setAttribute(log, "title", title);
        setAttribute(log, "data-running", String(text === "recording"));
      }
      choice.draw(state);
      time.draw(state);
      show(firstSound, talk.first_sound_ms !== null);
      if (talk.first_sound_ms !== null) setText(firstSound, `first sound ${seconds(talk.first_sound_ms, 2)}`);
      show(requests, talk.requests > 0);
      setText(requests, counted(talk.requests, "request"));
      const { text, title } = costOf(talk);
      show(cost, text !== "");
      setText(cost, text);
      setAttribute(cost, "title", title);
      show(session, talk.session_id !== null);
      setText(session, talk.session_id ?? "");
      setAttribute(session, "title", `session id: ${talk.session_id ?? ""}`);
    },
  };
}
