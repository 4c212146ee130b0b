import { describe, expect, test } from "vitest";
import { loudness, toFloat, toInt16 } from "../src/pcm.js";

describe("toInt16", () => {
  /** @param {number[]} values */
  const converted = (values) => {
    const target = new Int16Array(values.length);
    toInt16(Float32Array.from(values), 0, target, 0, values.length);
    return [...target];
  };

  test("full scale, silence and what is between", () => {
    expect(converted([0, 0.5, -0.5, -1])).toEqual([0, 16384, -16384, -32768]);
  });

  test("clips what is outside, and makes silence of what is no number", () => {
    expect(
      converted([1, 1.5, 100, -1.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]),
    ).toEqual([32767, 32767, 32767, -32768, 32767, -32768, 0]);
  });

  test("takes what is asked for, writes it from the offset and nowhere else", () => {
    const target = Int16Array.of(7, 7, 7, 7);
    toInt16(Float32Array.of(0.5, 0.25, -0.25, 0.5), 1, target, 1, 2);
    expect([...target]).toEqual([7, 8192, -8192, 7]);
  });

  test("every int16 comes back as it was", () => {
    const all = Int16Array.from({ length: 65536 }, (_, i) => i - 32768);
    const float = new Float32Array(all.length);
    toFloat(all, 0, float, 0, all.length);
    const back = new Int16Array(all.length);
    toInt16(float, 0, back, 0, all.length);
    expect(back).toEqual(all);
  });
});

describe("loudness", () => {
  test("runs from silence to loud speech, and never beyond", () => {
    const tone = (/** @type {number} */ peak) =>
      Float32Array.from({ length: 480 }, (_, i) => peak * Math.sin(i / 4));
    const levels = [0, 0.001, 0.01, 0.1, 1].map((peak) => loudness(tone(peak)));
    expect(levels[0]).toBe(0);
    expect(levels.at(-1)).toBe(1);
    expect(levels).toEqual(levels.toSorted((a, b) => a - b));
    expect(levels[2]).toBeGreaterThan(0);
    expect(levels[3]).toBeLessThan(1);
  });
});
