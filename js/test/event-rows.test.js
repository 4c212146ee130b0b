import { describe, expect, test } from "vitest";
import { amountText, audioText, clockText, Rows, sizeText, summaryText, visible } from "../src/event-rows.js";
import { random, seeds } from "./random.js";
import { eventPage, eventRow } from "./views-of.js";

/** @typedef {import("../src/event-rows.js").EventRow} EventRow */

test.each([
  [0, "00:00.00"],
  [4210, "00:04.21"],
  [4219.9, "00:04.21"],
  [3_599_999, "59:59.99"],
  [3_661_020, "1:01:01.02"],
  [-520, "−00:00.52"],
  [-4, "00:00.00"],
])("%d ms since the connection is %s", (ms, text) => {
  expect(clockText(ms)).toBe(text);
});

test.each([
  [40, "40 ms"],
  [999.4, "999 ms"],
  [2440, "2.44 s"],
])("%d ms of sound is %s", (ms, text) => {
  expect(audioText(ms)).toBe(text);
});

test("how many and how much", () => {
  expect(amountText(eventRow(1, { count: 61, audio_ms: 2440 }))).toBe("× 61 · 2.44 s");
  expect(amountText(eventRow(1, { count: 1234 }))).toBe("× 1,234");
  expect(amountText(eventRow(1, { audio_ms: 40 }))).toBe("40 ms");
  expect(amountText(eventRow(1))).toBe("");
  expect(amountText(eventRow(1, { failures: 1 }))).toBe("");
  expect(amountText(eventRow(1, { count: 2, failures: 1 }))).toBe("× 2 · 1 error");
  expect(amountText(eventRow(1, { count: 3, failures: 2 }))).toBe("× 3 · 2 errors");
});

test("sizes", () => {
  expect(sizeText(220)).toBe("220 bytes");
  expect(sizeText(6_630)).toBe("6.6 kB");
});

describe("the summary says what is listed and what is not", () => {
  const counts = { sent: 60, received: 40, local: 42 };
  /** @type {import("../src/event-rows.js").EventFilter} */
  const plain = { text: "", directions: ["sent", "received"], errors: false };
  const page = (/** @type {Partial<import("../src/event-rows.js").EventPage>} */ rest) =>
    eventPage([], { events: 1422, searched: 1422, counts, ...rest });

  test.each(
    /** @type {[Partial<import("../src/event-rows.js").EventPage>, Partial<typeof plain>, string][]} */ ([
      [{ matched: 1380 }, {}, "1,380 events · 42 local hidden"],
      [{ matched: 1422 }, { directions: ["sent", "received", "local"] }, "1,422 events"],
      [{ matched: 1, events: 1, searched: 1, counts: { ...counts, local: 0 } }, {}, "1 of 1 events"],
      [{ matched: 7 }, { text: "seoul" }, "7 of 1,422 events"],
      [{ matched: 2 }, { errors: true }, "2 of 1,422 events"],
      [{ matched: 60 }, { directions: ["sent"] }, "60 of 1,422 events"],
      [{ searched: 512 }, { text: "seoul" }, "Looked at 512 of 1,422 events…"],
    ]),
  )("%#", (told, filter, text) => {
    expect(summaryText(page(told), { ...plain, ...filter })).toBe(text);
  });
});

describe("visible", () => {
  test("is what is in sight, and some more, and never beyond the list", () => {
    expect(visible(0, 336, 24, 50_000, 8)).toEqual({ first: 0, end: 22 });
    expect(visible(240, 336, 24, 50_000, 8)).toEqual({ first: 2, end: 32 });
    expect(visible(1_199_664, 336, 24, 50_000, 8)).toEqual({ first: 49_978, end: 50_000 });
    expect(visible(0, 336, 24, 3, 8)).toEqual({ first: 0, end: 3 });
    expect(visible(0, 0, 24, 0, 8)).toEqual({ first: 0, end: 0 });
    // Scrolled beyond a list that became shorter.
    expect(visible(9000, 336, 24, 10, 8)).toEqual({ first: 10, end: 10 });
  });

  test("is bounded, wherever it stands", () => {
    for (const seed of seeds(50)) {
      const below = random(seed);
      const { first, end } = visible(below(2_000_000), 336, 24, 50_000, 8);
      expect(end - first).toBeLessThanOrEqual(336 / 24 + 1 + 16);
      expect(first).toBeGreaterThanOrEqual(0);
      expect(end).toBeLessThanOrEqual(50_000);
    }
  });
});

describe("Rows", () => {
  const of = (/** @type {number} */ from, /** @type {number} */ to) =>
    Array.from({ length: to - from }, (_, index) => eventRow(from + index));

  test("asks for what is not at hand, and for what may have changed", () => {
    const rows = new Rows();
    expect(rows.missing({ first: 0, end: 3 }, "a")).toEqual({ first: 0, end: 3 });
    rows.put(eventPage(of(0, 10), { events: 10, searched: 10, total: 10, settled: 9 }), "a");
    expect(rows.missing({ first: 0, end: 10 }, "a")).toBeNull();
    expect(rows.missing({ first: 5, end: 12 }, "a")).toEqual({ first: 10, end: 12 });
    // Two more events: the last row may have become a run of them.
    rows.put(eventPage([], { events: 12, searched: 12, total: 10, settled: 9 }), "a");
    expect(rows.missing({ first: 0, end: 10 }, "a")).toEqual({ first: 9, end: 10 });
    expect(rows.get(9)?.n).toBe(9);
  });

  test("what another list had is drawn until its own rows come, and not longer", () => {
    const rows = new Rows();
    rows.put(eventPage(of(0, 10), { total: 10, settled: 9 }), "a");
    expect(rows.missing({ first: 0, end: 10 }, "b")).toEqual({ first: 0, end: 10 });
    expect(rows.get(3)?.n).toBe(3);
    rows.put(eventPage(of(7, 8), { total: 1, settled: 0 }), "b");
    expect(rows.get(0)?.n).toBe(7);
    expect(rows.get(3)).toBeUndefined();
  });

  test("keeps a bounded number, those near what was asked for last", () => {
    const rows = new Rows();
    for (let first = 0; first < 50_000; first += 100) {
      rows.put(eventPage(of(first, first + 100), { first, total: 50_000, settled: 49_999 }), "a");
    }
    const kept = Array.from({ length: 50_000 }, (_, place) => rows.get(place)).filter((row) => row);
    expect(kept.length).toBeLessThan(2500);
    expect(rows.get(49_950)?.n).toBe(49_950);
    rows.clear();
    expect(rows.total).toBe(0);
    expect(rows.get(49_950)).toBeUndefined();
  });
});
