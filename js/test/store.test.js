import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createStore, INITIAL, isByHand, isMuted, phaseOf, reduce, troublesOf } from "../src/store.js";
import { item, REFUSED, talk } from "./views-of.js";

/**
 * @typedef {import("../src/store.js").State} State
 * @typedef {Parameters<typeof reduce>[1]} Action
 */

/**
 * @param {...Action} actions
 * @returns {State}
 */
const replay = (...actions) => actions.reduce(reduce, INITIAL);

/**
 * @param {Partial<import("../src/messages.js").TalkState>} [rest]
 * @returns {Action}
 */
const snapshot = (rest) => ({ kind: "snapshot", page: "p", rev: 0, at_ms: 0, talk: talk(rest), items: [] });

/**
 * @param {Partial<import("../src/messages.js").TalkState>} patch
 * @returns {Action}
 */
const patch = (patch) => ({ kind: "talk", page: null, rev: 1, patch });

/**
 * @param {Partial<import("../src/store.js").Local>} patch
 * @returns {Action}
 */
const local = (patch) => ({ kind: "local", patch });

describe("what the kernel says", () => {
  test("is nothing before the first snapshot", () => {
    expect(phaseOf(INITIAL)).toBe("waiting");
    expect(replay(patch({ state: "speaking" }))).toEqual(INITIAL);
  });

  test("a snapshot is everything, and later ones replace it", () => {
    const state = replay(
      { kind: "snapshot", page: "p", rev: 0, at_ms: 0, talk: talk({ requests: 3 }), items: [item("a")] },
      { kind: "snapshot", page: "p", rev: 0, at_ms: 0, talk: talk(), items: [item("b")] },
    );
    expect(state.talk?.requests).toBe(0);
    expect(state.conversation.order).toEqual(["b"]);
    expect(state.local.kernel).toBe("live");
  });

  test("a patch changes what it names", () => {
    const state = replay(snapshot({ requests: 2 }), patch({ state: "listening", session_id: "s" }));
    expect(state.talk).toEqual(talk({ requests: 2, state: "listening", session_id: "s" }));
  });

  test("every message of the fixture is understood, unknown kinds change nothing", () => {
    const fixture = JSON.parse(
      readFileSync(new URL("../../tests/fixtures/comm_messages.json", import.meta.url), "utf8"),
    );
    /** @type {State} */
    const state = fixture.kernel_to_page.reduce(reduce, INITIAL);
    expect(state.talk?.requests).toBe(4);
    expect(state.conversation.order).toEqual([
      "item_u1",
      "item_f1",
      // Calls in each state that they can be in.
      ...["item_f2", "item_f3", "item_f4", "item_f5", "item_f6", "item_f7", "item_f8", "item_f9"],
      "item_o1",
      "item_m1",
      "item_u2",
      "item_m2",
      "item_m4",
      "item_s1",
    ]);
    expect(state.conversation.items.get("item_m2")?.text).toBe("The sales table has 1,204 rows");
    expect(reduce(state, /** @type {any} */ ({ kind: "from a later version", page: null }))).toBe(state);
  });

  test("nothing that comes in is changed", () => {
    /** @type {Action[]} */
    const actions = [
      snapshot(),
      patch({ muted: true }),
      { kind: "items", page: null, rev: 1, put: [item("a")], text: [], drop: [] },
    ];
    const copy = structuredClone(actions);
    replay(...actions);
    expect(actions).toEqual(copy);
    expect(INITIAL.conversation.items.size).toBe(0);
  });
});

describe("what was pressed shows at once", () => {
  const starting = local({ starting: true });

  test("Start is connecting until the kernel says what is", () => {
    expect(phaseOf(replay(snapshot(), starting))).toBe("connecting");
    expect(phaseOf(replay(snapshot(), starting, patch({ event_count: 4 })))).toBe("connecting");
    expect(phaseOf(replay(snapshot(), starting, snapshot()))).toBe("connecting");
    expect(phaseOf(replay(snapshot(), starting, patch({ state: "listening" })))).toBe("listening");
    expect(phaseOf(replay(snapshot(), starting, patch({ state: "error" })))).toBe("error");
  });

  test("Start after a talk that ended", () => {
    expect(phaseOf(replay(snapshot({ state: "closed" }), starting))).toBe("connecting");
  });

  test("Mute counts before the kernel has heard of it, and the kernel's word after", () => {
    const listening = snapshot({ state: "listening" });
    expect(phaseOf(replay(listening, local({ muteWanted: true })))).toBe("muted");
    expect(phaseOf(replay(snapshot({ state: "muted", muted: true }), local({ muteWanted: false })))).toBe(
      "listening",
    );
    const settled = replay(listening, local({ muteWanted: true }), patch({ muted: true, state: "muted" }));
    expect(settled.local.muteWanted).toBeNull();
    expect(isMuted(reduce(settled, patch({ muted: false, state: "listening" })))).toBe(false);
  });

  test("muted does not hide that the model speaks", () => {
    expect(phaseOf(replay(snapshot({ state: "speaking", muted: true })))).toBe("speaking");
  });

  test("Stop counts before the talk has ended, and a Start after it", () => {
    const stopped = replay(snapshot({ state: "speaking" }), local({ stopping: true }));
    expect(phaseOf(stopped)).toBe("closed");
    expect(phaseOf(reduce(stopped, starting))).toBe("connecting");
    const ended = reduce(stopped, patch({ state: "closed" }));
    expect(ended.local.stopping).toBe(false);
    expect(phaseOf(reduce(ended, patch({ state: "listening" })))).toBe("listening");
  });

  test("a key that is held is heard, until the talk, the sound or the choice is another", () => {
    const listening = snapshot({ state: "speaking", turn_detection: "none", audio_page: "" });
    const held = replay(listening, local({ pressed: "held" }));
    expect(phaseOf(held)).toBe("hearing");
    expect(reduce(held, patch({ state: "hearing" })).local.pressed).toBe("held");
    for (const gone of /** @type {const} */ ([
      { state: "closed" },
      { audio_page: "another" },
      { turn_detection: "server_vad" },
    ])) {
      expect(reduce(held, patch(gone)).local.pressed).toBeNull();
    }
    const opening = replay(snapshot({ turn_detection: "none" }), starting, local({ pressed: "held" }));
    expect(phaseOf(reduce(opening, patch({ event_count: 1 })))).toBe("connecting");
    expect(phaseOf(reduce(opening, patch({ state: "listening" })))).toBe("hearing");
  });

  test("what was chosen holds, and the turn detection of before is kept", () => {
    const vad = { type: "server_vad", silence_duration_ms: 700 };
    const settings = { ...talk().settings, turn_detection: vad };
    const chosen = replay(snapshot({ settings }), local({ byHandWanted: true }));
    expect(isByHand(chosen)).toBe(true);
    const told = reduce(chosen, patch({ turn_detection: "none", settings: talk().settings }));
    expect(told.local.detection).toEqual(vad);
    expect(isByHand(reduce(told, local({ byHandWanted: null })))).toBe(true);
  });

  test("a press that was too short is told until something happens", () => {
    const short = replay(snapshot({ state: "listening" }), local({ tooShort: true }));
    expect(reduce(short, patch({ event_count: 3 })).local.tooShort).toBe(true);
    expect(reduce(short, patch({ state: "thinking" })).local.tooShort).toBe(false);
  });

  test("a kernel that is gone ends it all", () => {
    expect(phaseOf(replay(snapshot({ state: "speaking" }), local({ kernel: "lost" })))).toBe("closed");
  });
});

describe("trouble", () => {
  const mic = { title: "No microphone", message: "none", next_step: "plug one in" };

  test("is shown once, the gravest first", () => {
    const state = replay(
      snapshot({ error: REFUSED }),
      { kind: "trouble", source: "microphone", error: mic },
      { kind: "trouble", source: "request", error: { ...REFUSED } },
    );
    expect(troublesOf(state).map(({ source }) => source)).toEqual(["talk", "microphone"]);
  });

  test("can be put away, and comes back when it happens again", () => {
    const put = replay(snapshot({ error: REFUSED }), { kind: "dismiss", source: "talk" });
    expect(troublesOf(put)).toEqual([]);
    expect(troublesOf(reduce(put, patch({ event_count: 9 })))).toEqual([]);
    expect(troublesOf(reduce(put, snapshot({ error: { ...REFUSED } })))).toEqual([]);
    const again = [patch({ error: null }), patch({ error: REFUSED })].reduce(reduce, put);
    expect(troublesOf(again)).toHaveLength(1);
    expect(troublesOf(reduce(put, patch({ error: mic })))).toHaveLength(1);
  });

  test("a budget is told beside an error, once where both say the same, and goes when it is raised", () => {
    const spent = { title: "Stopped by its budget", message: "$1 of $1", next_step: "raise it" };
    const state = replay(snapshot({ budget: spent }), patch({ error: { ...spent } }));
    expect(troublesOf(state)).toEqual([{ source: "talk", error: spent }]);
    const put = [
      { kind: "dismiss", source: "talk" },
      { kind: "dismiss", source: "budget" },
    ].reduce((before, action) => reduce(before, /** @type {Action} */ (action)), state);
    expect(troublesOf(put)).toEqual([]);
    const raised = reduce(put, patch({ error: null, budget: null }));
    expect(troublesOf(reduce(raised, patch({ budget: spent })))).toEqual([
      { source: "budget", error: spent },
    ]);
  });

  test("what is asked again is told, can be put away, and the next one is told anew", () => {
    const first = { title: "Rate limited, asking again in 3 s", message: "slow down", next_step: "" };
    const state = reduce(replay(snapshot()), patch({ retry: first }));
    expect(troublesOf(state)).toEqual([{ source: "retry", error: first }]);
    const put = reduce(state, { kind: "dismiss", source: "retry" });
    expect(troublesOf(put)).toEqual([]);
    const over = reduce(put, patch({ retry: null }));
    expect(troublesOf(over)).toEqual([]);
    expect(troublesOf(reduce(over, patch({ retry: first })))).toHaveLength(1);
  });

  test("of the page goes when it is put away or over", () => {
    const state = replay({ kind: "trouble", source: "microphone", error: mic });
    expect(troublesOf(reduce(state, { kind: "dismiss", source: "microphone" }))).toEqual([]);
    expect(troublesOf(reduce(state, { kind: "trouble", source: "microphone", error: null }))).toEqual([]);
  });
});

test("a store tells its listeners of changes, until they leave", () => {
  const store = createStore();
  const life = new AbortController();
  let told = 0;
  store.subscribe(() => {
    told += 1;
  }, life.signal);
  store.dispatch(snapshot());
  store.dispatch(/** @type {any} */ ({ kind: "unknown", page: null }));
  expect(told).toBe(1);
  life.abort();
  store.dispatch(patch({ muted: true }));
  expect(told).toBe(1);
  expect(store.get().talk?.muted).toBe(true);
});
