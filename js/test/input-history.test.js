import { describe, expect, test } from "vitest";
import { InputHistory, stepOf } from "../src/input-history.js";

describe("what was sent before", () => {
  test("comes back, the newest first, and the draft after it", () => {
    const history = new InputHistory();
    for (const text of ["one", "two", "two", "three"]) history.add(text);
    expect(history.move(1, "a draft")).toBeNull();
    expect(history.move(-1, "a draft")).toBe("three");
    expect(history.move(-1, "three")).toBe("two");
    expect(history.move(-1, "two")).toBe("one");
    expect(history.move(-1, "one")).toBeNull();
    expect(history.move(1, "one")).toBe("two");
    expect(history.move(1, "two")).toBe("three");
    expect(history.move(1, "three")).toBe("a draft");
  });

  test("what is changed in it is kept until something is sent, and the past is not rewritten", () => {
    const history = new InputHistory();
    history.add("one");
    history.add("two");
    history.move(-1, "draft");
    history.move(-1, "two, changed");
    expect(history.move(1, "one")).toBe("two, changed");
    expect(history.move(1, "two, changed")).toBe("draft");
    history.add("three");
    expect(history.move(-1, "")).toBe("three");
    expect(history.move(-1, "three")).toBe("two");
  });

  test("is bounded, and nothing where nothing was sent", () => {
    const history = new InputHistory();
    expect(history.move(-1, "draft")).toBeNull();
    for (let n = 0; n < 1000; n += 1) history.add(`${n}`);
    let steps = 0;
    while (history.move(-1, "") !== null) steps += 1;
    expect(steps).toBe(100);
  });
});

test.each([
  ["ArrowUp", "one line", 3, -1],
  ["ArrowUp", "", 0, -1],
  ["ArrowUp", "two\nlines", 6, 0],
  ["ArrowUp", "two\nlines", 2, -1],
  ["ArrowUp", "\nlines", 0, -1],
  ["ArrowDown", "two\nlines", 2, 0],
  ["ArrowDown", "two\nlines", 6, 1],
  ["ArrowLeft", "one", 0, 0],
])("%s in %j at %i: %i", (key, value, at, step) => {
  expect(stepOf(key, { value, selectionStart: at, selectionEnd: at })).toBe(step);
});

test("what is selected is left to the arrows", () => {
  expect(stepOf("ArrowUp", { value: "one", selectionStart: 0, selectionEnd: 3 })).toBe(0);
});
