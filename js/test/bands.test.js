import { expect, test } from "vitest";
import { edgesHz, measureBands } from "../src/bands.js";

const RATE_HZ = 24_000;
const BINS = 512;
const BANDS = 8;

/**
 * @param {number} hz
 * @param {number} db
 * @returns {number[]} the levels of one tone in silence
 */
function tone(hz, db) {
  const decibels = new Float32Array(BINS).fill(-120);
  decibels[Math.round(hz / (RATE_HZ / 2 / BINS))] = db;
  const levels = Array.from({ length: BANDS }, () => Number.NaN);
  measureBands(decibels, RATE_HZ, levels);
  return levels;
}

test("bands are as many notes wide, from a low voice's tone to where speech is told apart", () => {
  const edges = edgesHz(BANDS);
  expect(edges).toHaveLength(BANDS + 1);
  expect(edges[0]).toBe(100);
  expect(edges[BANDS]).toBeCloseTo(4000);
  const ratios = edges.slice(1).map((edge, n) => edge / Number(edges[n]));
  for (const ratio of ratios) expect(ratio).toBeCloseTo(Number(ratios[0]));
});

test.each([150, 300, 1200, 3500])("a tone of %d Hz is in its own band and no other", (hz) => {
  const levels = tone(hz, -40);
  const edges = edgesHz(BANDS);
  const own = edges.findIndex((edge, n) => hz >= edge && hz < Number(edges[n + 1]));
  expect(levels[own]).toBeGreaterThan(0.5);
  expect(levels.filter((level) => level > 0)).toHaveLength(1);
});

test("a level is between silence and the loudest that is shown", () => {
  expect(tone(1000, 0).every((level) => level === 0 || level === 1)).toBe(true);
  expect(tone(1000, -120).every((level) => level === 0)).toBe(true);
  expect(Math.max(...tone(1000, -60))).toBeGreaterThan(Math.max(...tone(1000, -70)));
});

test("an analyser that has nothing yet gives silence", () => {
  const levels = [Number.NaN, Number.NaN];
  measureBands(new Float32Array(BINS).fill(Number.NEGATIVE_INFINITY), RATE_HZ, levels);
  expect(levels).toEqual([0, 0]);
});
