import { expect, test } from "vitest";
import { OutputClock } from "../src/output-clock.js";
import { random, seeds } from "./random.js";

const ORIGIN_MS = 1_763_000_000_000;

/**
 * @param {number} contextTime
 * @param {number} performanceTime
 */
const pair = (contextTime, performanceTime) => ({
  getOutputTimestamp: () => ({ contextTime, performanceTime }),
});

test("knows nothing before the first sound, and says so", () => {
  const clock = new OutputClock();
  clock.observe(pair(0, 0), ORIGIN_MS);
  clock.observe({ getOutputTimestamp: () => ({}) }, ORIGIN_MS);
  expect(clock.toPageMs(1)).toBeNaN();
});

test.each(seeds(10))("callbacks that come early or late do not move it (%i)", (seed) => {
  const next = random(seed);
  const clock = new OutputClock();
  for (let n = 1; n <= 60; n += 1) {
    const late = next(10) === 0 ? next(80) : next(5) - 2;
    clock.observe(pair(n * 0.04, 500 + n * 40 + late), ORIGIN_MS);
  }
  expect(Math.abs(clock.toPageMs(2) - (ORIGIN_MS + 2500))).toBeLessThan(4);
});

test("a device that stalled is followed at once, and for good", () => {
  const clock = new OutputClock();
  for (let n = 1; n <= 40; n += 1) clock.observe(pair(n * 0.04, n * 40), 0);
  expect(clock.toPageMs(2)).toBe(2000);
  for (let n = 41; n <= 45; n += 1) clock.observe(pair(n * 0.04, n * 40 + 60), 0);
  expect(clock.toPageMs(2)).toBeCloseTo(2060, 6);
});

test("a pair that stays the same counts once, and after a sleep all is new", () => {
  const clock = new OutputClock();
  clock.observe(pair(1, 1000), 0);
  for (let n = 0; n < 10; n += 1) clock.observe(pair(2, 2900), 0);
  clock.observe(pair(3, 3000), 0);
  expect(clock.toPageMs(4)).toBe(4000);
  clock.reset();
  clock.observe(pair(5, 9000), 0);
  expect(clock.toPageMs(5)).toBe(9000);
});
