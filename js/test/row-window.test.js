import { describe, expect, test } from "vitest";
import { earlier, later, MOST_ROWS, placeAt, windowOf } from "../src/row-window.js";

const order = (/** @type {number} */ n) => Array.from({ length: n }, (_, i) => `i${i}`);

describe("the rows that are in the page", () => {
  test("are all of a short talk, and the newest of a long one", () => {
    expect(windowOf([], null)).toEqual({ start: 0, end: 0 });
    expect(windowOf(order(7), null)).toEqual({ start: 0, end: 7 });
    expect(windowOf(order(2000), null)).toEqual({ start: 2000 - MOST_ROWS, end: 2000 });
  });

  test("stay while newer ones come, older ones go, or the first is deleted", () => {
    const long = order(2000);
    const place = placeAt(long, 500);
    expect(windowOf([...long, "new"], place)).toEqual({ start: 500, end: 500 + MOST_ROWS });
    expect(windowOf(long.slice(10), place)).toEqual({ start: 490, end: 490 + MOST_ROWS });
    expect(windowOf(long.toSpliced(500, 1), place)).toEqual({ start: 500, end: 500 + MOST_ROWS });
  });

  test("are never more than so many, and all can be come to, both ways", () => {
    const long = order(1234);
    /** @type {Set<string>} */
    const seen = new Set();
    let { start, end } = windowOf(long, null);
    let steps = 0;
    while (start > 0) {
      for (const id of long.slice(start, end)) seen.add(id);
      ({ start, end } = windowOf(long, earlier(long, start)));
      expect(end - start).toBe(MOST_ROWS);
      steps += 1;
    }
    for (const id of long.slice(start, end)) seen.add(id);
    expect(seen.size).toBe(1234);
    while (end < long.length) {
      ({ start, end } = windowOf(long, later(long, start)));
      steps -= 1;
    }
    expect(steps).toBe(0);
    expect({ start, end }).toEqual(windowOf(long, null));
  });

  test("of a talk that was short when one scrolled up grow to their limit", () => {
    const place = placeAt(order(50), 0);
    expect(windowOf(order(120), place)).toEqual({ start: 0, end: 120 });
    expect(windowOf(order(900), place)).toEqual({ start: 0, end: MOST_ROWS });
  });
});
