// The events tab in a real browser, in the whole widget; the kernel's pages are played by the test.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { userEvent } from "vitest/browser";
import { ASK_AGAIN_MS } from "../src/comm.js";
import { mounted } from "./mounted.js";
import { eventPage, eventRow, talk } from "./views-of.js";

/**
 * @typedef {import("../src/event-rows.js").EventRow} EventRow
 * @typedef {{ filter: import("../src/event-rows.js").EventFilter, unfolded: number[], first: number | null, count: number,
 *   around: number | null }} Asked
 */

const LOG = "1763826000000123456";
const HOSTILE = '<img src=x onerror="globalThis.hit = 1">';

/** @type {import("./fake-model.js").FakeModel} */
let model;
/** @type {AbortController} */
let life;
/** @type {HTMLElement} */
let place;
/** @type {EventRow[]} the list that the kernel has */
let listed;
/** @type {(asked: Asked) => Partial<import("../src/event-rows.js").EventPage>} */
let also;
/** How many requests were answered. */
let answered = 0;

beforeEach(() => {
  ({ model, life, place } = mounted());
  listed = [];
  also = () => ({});
  answered = 0;
  model.say({
    kind: "snapshot",
    page: model.page,
    talk: talk({ state: "closed", event_count: 1 }),
    items: [],
  });
});

afterEach(() => {
  life.abort();
  place.remove();
  vi.restoreAllMocks();
});

/** @param {string} name */
function one(name) {
  const found = place.querySelector(`[data-testid="${name}"]`);
  if (!(found instanceof HTMLElement)) throw new Error(`there is no ${name}`);
  return found;
}

const rows = () => [...place.querySelectorAll(".gip-log-row")].map((row) => /** @type {HTMLElement} */ (row));
const texts = () => rows().map((row) => row.querySelector(".gip-log-type")?.textContent);
const asked = () =>
  model
    .of("request")
    .filter(({ verb }) => verb === "events")
    .map(({ args }) => /** @type {Asked} */ (args));
const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));

/** Plays the kernel: answers what was asked and has no answer yet. */
function answer() {
  for (const { request, verb, args } of model.of("request").slice(answered)) {
    answered += 1;
    /** @type {Record<string, unknown>} */
    let value = {};
    if (verb === "events") {
      const { first, count } = /** @type {Asked} */ (args);
      const from = first ?? Math.max(0, listed.length - count);
      value = {
        ...eventPage(listed.slice(from, from + count), {
          first: from,
          events: listed.length,
          total: listed.length,
          settled: Math.max(0, listed.length - 1),
        }),
        ...also(/** @type {Asked} */ (args)),
      };
    } else if (verb === "event") {
      const row = listed.find(({ n }) => n === args.n);
      const { n, type, direction, elapsed_ms } = /** @type {EventRow} */ (row);
      value = {
        log: LOG,
        n,
        type,
        direction,
        elapsed_ms,
        wire_bytes: 6630,
        json: `{ "n": ${n}, "${HOSTILE}": 1 }`,
      };
    }
    model.say({ kind: "reply", page: model.page, request, ok: true, error: null, value });
  }
}

/** Answers until `check` holds. @param {() => void} check */
const until = (check) =>
  vi.waitFor(() => {
    answer();
    check();
  });

/** @param {EventRow[]} rows_ */
async function opened(rows_) {
  listed = rows_;
  one("gip-tab-events").click();
  await until(() => expect(rows().length).toBeGreaterThan(0));
}

const many = (/** @type {number} */ count) =>
  Array.from({ length: count }, (_, n) => eventRow(n, { type: `event.${n}` }));

test("an answer that was dropped on its way is asked for again", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    one("gip-tab-events").click();
    await frame();
    expect(asked()).toHaveLength(1);
    vi.advanceTimersByTime(ASK_AGAIN_MS);
    expect(asked()).toHaveLength(2);
  } finally {
    vi.useRealTimers();
  }
  listed = many(2);
  await until(() => expect(texts()).toEqual(["event.0", "event.1"]));
});

describe("being seen", () => {
  test("nothing is asked while the tab is hidden; shown, it asks for the end of the list", async () => {
    await frame();
    expect(asked()).toEqual([]);
    await opened(many(3));
    expect(asked()[0]).toMatchObject({
      first: null,
      filter: { text: "", directions: ["sent", "received"], errors: false },
      unfolded: [],
    });
    expect(texts()).toEqual(["event.0", "event.1", "event.2"]);
    one("gip-tab-conversation").click();
    const before = asked().length;
    model.say({ kind: "talk", page: null, patch: { state: "listening", event_count: 9 } });
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(asked().length).toBe(before);
  });

  test("while the talk goes on it is asked for again, at most four times a second, and afterwards not", async () => {
    await opened(many(3));
    model.say({ kind: "talk", page: null, patch: { state: "listening" } });
    await until(() => expect(asked().length).toBeGreaterThan(1));
    const before = asked().length;
    const end = performance.now() + 1000;
    while (performance.now() < end) {
      answer();
      await frame();
    }
    expect(asked().length - before).toBeGreaterThan(1);
    expect(asked().length - before).toBeLessThanOrEqual(4);
    model.say({ kind: "talk", page: null, patch: { state: "closed" } });
    await frame();
    answer();
    await frame();
    const after = asked().length;
    await new Promise((resolve) => setTimeout(resolve, 600));
    answer();
    expect(asked().length).toBeLessThanOrEqual(after + 1);
  });
});

describe("a long list", () => {
  test("has only the rows in sight in the page, wherever it is scrolled to", async () => {
    await opened(many(50_000));
    const list = one("gip-log-list");
    expect(list.getAttribute("aria-rowcount")).toBe("50000");
    expect(texts().at(-1)).toBe("event.49999");
    for (const top of [0, 240, 600_000, 12_345, 1_199_000]) {
      list.scrollTop = top;
      await until(() => expect(texts()).toContain(`event.${Math.ceil(top / 24)}`));
      expect(rows().length).toBeLessThan(40);
      const indexes = rows().map((row) => Number(row.getAttribute("aria-rowindex")));
      expect(indexes).toEqual([...indexes].sort((a, b) => a - b));
      for (const { count } of asked()) expect(count).toBeLessThan(200);
    }
  });

  test("follows its end until somebody scrolls up; the button goes back", async () => {
    await opened(many(100));
    const list = one("gip-log-list");
    const follow = one("gip-log-follow");
    const grow = async (/** @type {number} */ count) => {
      listed = many(count);
      model.say({ kind: "talk", page: null, patch: { event_count: count } });
      await until(() => expect(list.getAttribute("aria-rowcount")).toBe(String(count)));
    };
    await grow(120);
    expect(texts()).toContain("event.119");
    expect(follow.getAttribute("aria-pressed")).toBe("true");
    list.scrollTop = 240;
    await until(() => expect(follow.getAttribute("aria-pressed")).toBe("false"));
    await grow(140);
    expect(list.scrollTop).toBe(240);
    follow.click();
    await until(() => expect(texts()).toContain("event.139"));
    expect(list.scrollTop).toBe(140 * 24 - list.clientHeight);
  });
});

describe("rows", () => {
  test("say when, which way, what, how many and how much; errors by a word too", async () => {
    await opened([
      eventRow(0, {
        type: "input_audio_buffer.append",
        direction: "sent",
        count: 61,
        audio_ms: 2440,
        elapsed_ms: 5210,
      }),
      eventRow(61, { type: "error", failures: 1, note: "response_cancel_not_active" }),
      eventRow(62, { type: "response.done", failures: 1, note: "failed" }),
    ]);
    const [run, error, failed] = rows();
    expect(run?.textContent).toBe("00:04.21↑sentinput_audio_buffer.append× 61 · 2.44 s");
    expect(run?.getAttribute("aria-expanded")).toBe("false");
    expect(error?.textContent).toContain("↓receivederror");
    expect(failed?.textContent).toContain("response.done, error");
    const red = getComputedStyle(/** @type {Element} */ (error?.querySelector(".gip-log-type"))).color;
    expect(red).toBe("rgb(185, 43, 43)");
    expect(error?.getBoundingClientRect().height).toBe(24);
  });

  test("a run unfolds and folds again, by click and by keys", async () => {
    const head = eventRow(4, { type: "a.delta", count: 3 });
    const folded = [eventRow(3, { type: "first" }), head, eventRow(7, { type: "last" })];
    const inside = [4, 5, 6].map((n) => eventRow(n, { type: "a.delta", inside: 4 }));
    await opened(folded);
    also = ({ unfolded, around }) => {
      listed = unfolded.includes(4) ? folded.toSpliced(1, 1, { ...head, unfolded: true }, ...inside) : folded;
      const found = { total: listed.length, settled: listed.length - 1, events: 5, searched: 5 };
      return { ...found, first: 0, rows: listed, around: around === 4 ? 1 : null };
    };
    rows()[1]?.click();
    await until(() => expect(texts()).toEqual(["first", "a.delta", "a.delta", "a.delta", "a.delta", "last"]));
    expect(rows().map((row) => row.getAttribute("aria-level"))).toEqual(["1", "1", "2", "2", "2", "1"]);
    expect(rows()[1]?.getAttribute("aria-expanded")).toBe("true");
    const list = one("gip-log-list");
    list.focus();
    await userEvent.keyboard("{ArrowDown}{ArrowDown}");
    expect(list.getAttribute("aria-activedescendant")).toBe(rows()[3]?.id);
    // From within a run, back to its row.
    await userEvent.keyboard("{ArrowLeft}");
    await until(() => expect(texts()).toEqual(["first", "a.delta", "last"]));
    expect(list.getAttribute("aria-activedescendant")).toBe(rows()[1]?.id);
    await userEvent.keyboard(" ");
    await until(() => expect(rows()).toHaveLength(6));
    await userEvent.keyboard("{Enter}");
    await until(() => expect(rows()).toHaveLength(3));
  });

  test("an event opens, follows the keys, is copied, and closes with Escape", async () => {
    await opened(many(5));
    one("gip-log-list").focus();
    await userEvent.keyboard("{Home}{Enter}");
    await until(() => expect(one("gip-log-detail").hidden).toBe(false));
    expect(one("gip-log-json").textContent).toBe(`{ "n": 0, "${HOSTILE}": 1 }`);
    expect(one("gip-log-facts").textContent).toBe("received · 00:00.00 · 6.6 kB · row 0");
    expect(rows()[0]?.getAttribute("aria-selected")).toBe("true");
    await userEvent.keyboard("{ArrowDown}");
    await until(() => expect(one("gip-log-json").textContent).toContain('"n": 1'));
    const write = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
    one("gip-log-copy").click();
    await vi.waitFor(() => expect(one("gip-log-copy").textContent).toBe("Copied"));
    expect(write).toHaveBeenCalledWith(`{ "n": 1, "${HOSTILE}": 1 }`);
    write.mockRejectedValue(new Error("not here"));
    vi.spyOn(document, "execCommand").mockReturnValue(false);
    one("gip-log-copy").click();
    await vi.waitFor(() => expect(one("gip-log-copy").textContent).toBe("Press Ctrl+C"));
    expect(getSelection()?.toString()).toContain('"n": 1');
    one("gip-log-list").focus();
    await userEvent.keyboard("{Escape}");
    expect(one("gip-log-detail").hidden).toBe(true);
    expect(document.activeElement).toBe(one("gip-log-list"));
  });

  test("nothing of an event becomes markup", async () => {
    await opened([eventRow(0, { type: HOSTILE, note: HOSTILE, failures: 1 })]);
    rows()[0]?.click();
    await until(() => expect(one("gip-log-detail").hidden).toBe(false));
    expect(place.querySelector("img")).toBeNull();
    expect(rows()[0]?.textContent).toContain(HOSTILE);
    expect(one("gip-log-title").textContent).toBe(HOSTILE);
    expect("hit" in globalThis).toBe(false);
  });
});

describe("the filter", () => {
  test("asks for words once they are typed, for directions and for errors at once", async () => {
    await opened(many(5));
    await userEvent.type(one("gip-log-text"), "Weather ");
    await until(() => expect(asked().at(-1)?.filter.text).toBe("Weather"));
    expect(new Set(asked().map(({ filter }) => filter.text))).toEqual(new Set(["", "Weather"]));
    one("gip-log-sent").click();
    await until(() => expect(asked().at(-1)?.filter.directions).toEqual(["received"]));
    one("gip-log-local").click();
    one("gip-log-errors").click();
    await until(() =>
      expect(asked().at(-1)?.filter).toEqual({
        text: "Weather",
        directions: ["received", "local"],
        errors: true,
      }),
    );
    expect(one("gip-log-errors").getAttribute("aria-pressed")).toBe("true");
    await until(() => expect(one("gip-log-spoken").textContent).toBe("5 of 5 events"));
  });

  test("that nothing passes says so, and lets go of all of it", async () => {
    await opened(many(5));
    also = ({ filter }) => (filter.text ? { total: 0, settled: 0, matched: 0, rows: [] } : {});
    await userEvent.type(one("gip-log-text"), "nothing");
    await until(() => expect(one("gip-log-empty").hidden).toBe(false));
    expect(one("gip-log-none").textContent).toBe("No event matches");
    expect(rows()).toEqual([]);
    one("gip-log-all").click();
    await until(() => expect(rows()).toHaveLength(5));
    expect(asked().at(-1)?.filter).toEqual({
      text: "",
      directions: ["sent", "received", "local"],
      errors: false,
    });
  });

  test("an opened event stays in sight, wherever the new list has it", async () => {
    await opened(many(500));
    one("gip-log-list").focus();
    await userEvent.keyboard("{Home}{ArrowDown}");
    await until(() => expect(texts()).toContain("event.1"));
    await userEvent.keyboard("{Enter}");
    await until(() => expect(one("gip-log-detail").hidden).toBe(false));
    also = ({ filter, around }) =>
      filter.directions.length === 3 ? { around: around === 1 ? 400 : null } : {};
    one("gip-log-local").click();
    await until(() => expect(texts()).toContain("event.400"));
    one("gip-log-only").click();
    await until(() => expect(asked().at(-1)?.filter.text).toBe("type:event.1"));
  });
});

test("another session's log is another list", async () => {
  await opened(many(100));
  one("gip-log-list").focus();
  await userEvent.keyboard("{Home}");
  await until(() => expect(texts()).toContain("event.0"));
  await userEvent.keyboard("{Enter}");
  await until(() => expect(one("gip-log-detail").hidden).toBe(false));
  also = () => ({ log: "2" });
  listed = many(2);
  model.say({ kind: "talk", page: null, patch: { event_count: 0 } });
  await until(() => expect(texts()).toEqual(["event.0", "event.1"]));
  expect(one("gip-log-detail").hidden).toBe(true);
  expect(one("gip-log-follow").getAttribute("aria-pressed")).toBe("true");
});

test("the last of it: nothing is asked any more when the view has gone", async () => {
  await opened(many(3));
  model.say({ kind: "talk", page: null, patch: { state: "listening" } });
  await until(() => expect(asked().length).toBeGreaterThan(1));
  life.abort();
  const before = asked().length;
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(asked().length).toBe(before);
});
