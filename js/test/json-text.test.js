import { describe, expect, test } from "vitest";
import { entries, spread } from "../src/json-text.js";
import { random } from "./random.js";

const NUMBERS = '{"id": 9007199254740993, "x": 1e400, "n": [12345678901234567890, -0, 0.10, NaN, Infinity]}';

const TEXTS = ["", 'a "quote"', "\\", "{[,:]}", "\ud83d\ude00", "\ud800", "\u2028\n\t", "__proto__"];

/**
 * @param {(below: number) => number} next
 * @param {number} depth
 * @returns {unknown}
 */
function anything(next, depth) {
  const kind = next(depth > 3 ? 5 : 7);
  if (kind === 0) return TEXTS[next(TEXTS.length)];
  if (kind === 1) return next(1_000_000);
  if (kind === 2) return next(2) === 0;
  if (kind === 3) return null;
  if (kind === 4) return next(2) === 0 ? {} : [];
  const many = Array.from({ length: next(4) }, () => anything(next, depth + 1));
  return kind === 5 ? many : Object.fromEntries(many.map((one, n) => [`${TEXTS[n]}${n}`, one]));
}

describe("spread over lines", () => {
  test("it is what JavaScript would write", () => {
    const next = random(5);
    for (let n = 0; n < 500; n += 1) {
      const value = anything(next, 0);
      expect(spread(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
      expect(spread(JSON.stringify(value, null, 1))).toBe(JSON.stringify(value, null, 2));
    }
  });

  test("numbers stay as they are written", () => {
    expect(spread(NUMBERS).replaceAll(/\s+/g, "")).toBe(NUMBERS.replaceAll(" ", ""));
  });

  test("texts lose needless escapes, and what is no JSON stays as it is", () => {
    expect(spread('["\\u002fetc"]')).toBe('[\n  "/etc"\n]');
    for (const text of [
      "",
      '{"city": "Se',
      '{"a": "\\x"}',
      "no JSON 'at' \"all",
      '"',
      "1 2",
      '"a" "b"',
      "[1 [2]]",
      "nul l",
      "a b",
    ]) {
      expect(spread(text)).toBe(text);
    }
  });

  test("what is nested deep or long is no flood of blanks", () => {
    const deep = `${"[".repeat(1000)}${"1,".repeat(1000)}1${"]".repeat(1000)}`;
    expect(spread(deep).length).toBeLessThan(200_000);
    const long = JSON.stringify({ text: '"'.repeat(500_000), more: "x".repeat(500_000) });
    expect(spread(long)).toBe(JSON.stringify(JSON.parse(long), null, 2));
  });
});

test("the parts of an object are texts", () => {
  expect(entries(NUMBERS)).toEqual([
    ["id", "9007199254740993"],
    ["x", "1e400"],
    ["n", "[12345678901234567890,-0,0.10,NaN,Infinity]"],
  ]);
  expect(entries('{"a": {"b": [1, {"c": 2}]}, "": "x", "a": {}, "__proto__": 1}')).toEqual([
    ["a", "{}"],
    ["", '"x"'],
    ["__proto__", "1"],
  ]);
  expect(entries("{}")).toEqual([]);
});
