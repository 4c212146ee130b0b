import { describe, expect, test } from "vitest";
import { fromSnapshot } from "../src/items.js";
import {
  callText,
  clockText,
  costOf,
  costText,
  hintOf,
  isDeaf,
  labelOf,
  outputText,
  reconnectingText,
  seconds,
  talkButtonOf,
} from "../src/phrases.js";
import { INITIAL } from "../src/store.js";
import { item, talk } from "./views-of.js";

/**
 * @param {Partial<import("../src/messages.js").TalkState>} [said]
 * @param {Partial<import("../src/store.js").Local>} [local]
 * @returns {import("../src/store.js").State}
 */
const state = (said = {}, local = {}) => ({
  ...INITIAL,
  talk: talk({ audio_page: INITIAL.local.page, ...said }),
  local: { ...INITIAL.local, kernel: "live", microphone: "on", ...local },
});

const PHASES = /** @type {const} */ ([
  "idle",
  "connecting",
  "listening",
  "hearing",
  "thinking",
  "speaking",
  "muted",
  "reconnecting",
  "closed",
  "error",
]);

test.each(PHASES)("%s has a word, a hint and a name for the button", (phase) => {
  const said = { state: phase, muted: phase === "muted" };
  expect(labelOf(state(said))).toMatch(/^\w/);
  expect(hintOf(state(said))).toMatch(/[.…]$/);
  expect(talkButtonOf(state(said)).name).toMatch(/^\w/);
});

test.each([
  ["idle", "start"],
  ["closed", "start"],
  ["error", "start"],
  ["connecting", null],
  ["reconnecting", null],
  ["listening", null],
  ["hearing", null],
  ["muted", null],
  ["thinking", "interrupt"],
  ["speaking", "interrupt"],
])("a press while %s: %s", (phase, action) => {
  expect(talkButtonOf(state({ state: /** @type {any} */ (phase) })).action).toBe(action);
});

describe("a call that the answer waits for", () => {
  const CALL = { state: "running", since_ms: 0, until_ms: null, traceback: null };
  /** @param {Record<string, import("../src/messages.js").CallView["state"]>} calls by name, in order */
  const waiting = (calls) => {
    const items = Object.entries(calls).map(([name, where]) =>
      item(`item_${name}`, { type: "function_call", name, call: { ...CALL, state: where } }),
    );
    return { ...state({ state: "thinking" }), conversation: fromSnapshot(items) };
  };

  test("is named, and whoever is asked about one is told first", () => {
    expect(hintOf(waiting({ look: "done" }))).toBe("The answer is on its way.");
    expect(hintOf(waiting({ look: "running" }))).toBe("look runs.");
    expect(hintOf(waiting({ look: "waiting" }))).toContain("waits for the cell");
    const asked = waiting({ look: "running", drop: "asked", see: "running" });
    expect(labelOf(asked)).toBe("Asking you");
    expect(hintOf(asked)).toContain("May drop run?");
  });

  test("has a name that is made no key of, and not too long a one", () => {
    const hint = hintOf(waiting({ ["`K`".repeat(50)]: "running" }));
    expect(hint).not.toContain("`");
    expect(hint.length).toBeLessThan(50);
  });

  test("is not told while somebody speaks", () => {
    const spoken = { ...waiting({ look: "asked" }), talk: talk({ state: "hearing" }) };
    expect(labelOf(spoken)).not.toBe("Asking you");
  });
});

describe("no microphone", () => {
  test("is said, and a press turns it on", () => {
    for (const microphone of /** @type {const} */ (["off", "error"])) {
      const deaf = state({ state: "listening" }, { microphone });
      expect(isDeaf(deaf)).toBe(true);
      expect(labelOf(deaf)).toBe("Connected");
      expect(hintOf(deaf)).toContain("microphone is off");
      expect(talkButtonOf(deaf).action).toBe("microphone");
    }
  });

  test("is asked for", () => {
    const asking = state({ state: "listening" }, { microphone: "asking" });
    expect(labelOf(asking)).toContain("microphone");
    expect(hintOf(asking)).toContain("Allow");
    expect(talkButtonOf(asking).action).toBeNull();
  });
});

test("with a kernel that is gone nothing can be pressed", () => {
  const gone = state({ state: "speaking" }, { kernel: "lost" });
  expect(labelOf(gone)).toBe("Disconnected");
  expect(hintOf(gone)).toContain("Run the cell again");
  expect(talkButtonOf(gone).action).toBeNull();
  expect(talkButtonOf({ ...INITIAL }).action).toBeNull();
});

describe("push to talk", () => {
  const byHand = /** @type {const} */ ({ turn_detection: "none" });

  test.each(PHASES)("%s has a hint, with keys where they work", (phase) => {
    for (const keys of [false, true]) {
      expect(hintOf(state({ ...byHand, state: phase }), keys)).toMatch(/[.…]$/);
    }
    expect(hintOf(state({ ...byHand, state: phase }))).not.toContain("`");
  });

  test("is a button that is held, whatever else goes on, and opens the microphone itself", () => {
    for (const phase of /** @type {const} */ (["listening", "hearing", "thinking", "speaking"])) {
      const off = state({ ...byHand, state: phase }, { microphone: "off" });
      expect(talkButtonOf(off)).toEqual({ action: "talk", name: "Hold to talk" });
      expect(isDeaf(off)).toBe(false);
    }
    expect(talkButtonOf(state({ ...byHand, state: "idle" })).action).toBe("start");
  });

  test("says what helps: what to hold, what to let go, and that it was too short", () => {
    const listening = { ...byHand, state: /** @type {const} */ ("listening") };
    expect(labelOf(state(listening))).toBe("Hold to talk");
    expect(hintOf(state(listening), true)).toContain("`Space`");
    expect(hintOf(state(listening, { pressed: "held" }))).toBe("Let go to send.");
    expect(hintOf(state(listening, { pressed: "toggled" }), true)).toContain("`K`");
    expect(hintOf(state(listening, { tooShort: true }))).toContain("too short");
  });
});

test.each([
  [0, "00:00"],
  [84_900, "01:24"],
  [3_723_000, "1:02:03"],
  [360_000_000, "100:00:00"],
  [-5, "00:00"],
])("%s ms on the clock: %s", (ms, text) => {
  expect(clockText(ms)).toBe(text);
});

test.each([
  [0, "$0.000"],
  [0.0004, "< $0.001"],
  [0.0123, "$0.012"],
  [1.005, "$1.00"],
  [12.345, "$12.35"],
])("%s dollars: %s", (usd, text) => {
  expect(costText(usd)).toBe(text);
});

describe("what the bar says of the cost", () => {
  const real = { rehearsal: false, requests: 2 };

  test("a figure, and at which prices", () => {
    const { text, title } = costOf(talk({ ...real, cost_usd: 0.0123 }));
    expect(text).toBe("$0.012");
    expect(title).toBe("so far, at list prices or your own");
  });

  test("that it is a bound, and why", () => {
    const bound = { ...real, cost_is_upper_bound: true, cost_note: "an upper bound: nobody said why" };
    const { text, title } = costOf(talk({ ...bound, cost_usd: 0.5 }));
    expect(text).toBe("≤ $0.500");
    expect(title).toBe("so far, at list prices or your own; an upper bound: nobody said why");
    expect(costOf(talk({ ...bound, cost_usd: 0.0001 })).text).toBe("≤ $0.001");
  });

  test("that nobody knows it, why, and what to do", () => {
    const { text, title } = costOf(talk({ ...real, cost_note: "no price is known for 'my/model'" }));
    expect(text).toBe("cost unknown");
    expect(title).toBe("no price is known for 'my/model'; talk(prices=…) takes your own");
  });

  test("nothing before the first answer, nor of the practice server, unless it was given a price", () => {
    expect(costOf(talk({ rehearsal: false })).text).toBe("");
    expect(costOf(talk({ requests: 3 })).text).toBe("");
    expect(costOf(talk({ requests: 3, cost_usd: 0.25 })).text).toBe("$0.250");
  });
});

test.each([
  ["get_weather", '{"city": "Seoul", "days": 2}', 'get_weather(city="Seoul", days=2)'],
  ["now", "", "now()"],
  ["now", "{}", "now()"],
  ["find", '{"city": "Se', 'find({"city": "Se)'],
  ["find", "[1]", "find([1])"],
  ["find", "null", "find(null)"],
  ["say", '{"text": "</code><script>"}', 'say(text="</code><script>")'],
])("%s(%s)", (name, json, shown) => {
  expect(callText(name, json)).toBe(shown);
});

test("long JSON is spread over lines, all else stays as it is", () => {
  const rows = JSON.stringify({ rows: Array.from({ length: 20 }, (_, i) => i + 1000) });
  expect(outputText(rows).split("\n").length).toBeGreaterThan(20);
  expect(outputText('{"a": 1}')).toBe('{"a": 1}');
  const prose = "no JSON at all, ".repeat(20);
  expect(outputText(prose)).toBe(prose);
});

test("seconds", () => {
  expect(seconds(2440)).toBe("2.4 s");
  expect(seconds(618, 2)).toBe("0.62 s");
});

describe("while the connection is lost", () => {
  const view = { attempt: 2, attempts: 10, due_at_ms: 14_000, message: "code 1012" };

  test.each([
    [10_000, "The connection was lost; trying again in 4 s, attempt 2 of 10."],
    [13_001, "The connection was lost; trying again in 1 s, attempt 2 of 10."],
    [99_000, "The connection was lost; trying again in 0 s, attempt 2 of 10."],
  ])("at %s ms: %s", (now, text) => {
    expect(reconnectingText(view, now)).toBe(text);
  });

  test("an attempt that is being made has no seconds, and the first one no number", () => {
    expect(reconnectingText({ ...view, due_at_ms: null }, 0)).toMatch(/trying again, attempt 2 of 10…$/);
    expect(reconnectingText({ ...view, attempt: 1, due_at_ms: null }, 0)).toMatch(/trying again…$/);
    expect(reconnectingText(null, 0)).toMatch(/trying again\.$/);
  });
});
