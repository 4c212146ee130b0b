import { describe, expect, test } from "vitest";
import { ContextClock, nowMs } from "../src/clock.js";
import { random } from "./random.js";

describe("ContextClock", () => {
  test("knows nothing at first", () => {
    expect(new ContextClock().toPageMs(1)).toBeNaN();
  });

  test("late messages do not move it, a prompt one does", () => {
    const clock = new ContextClock();
    const next = random(3);
    for (let i = 0; i < 50; i += 1) clock.observe(i * 0.04, 5000 + i * 40 + 2 + next(60));
    clock.observe(2, 5000 + 2000 + 1);
    expect(clock.toPageMs(3)).toBeCloseTo(8001, 6);
  });

  test("follows a drifting clock", () => {
    const clock = new ContextClock();
    for (let i = 0; i < 2000; i += 1) clock.observe(i * 0.04, i * 40 * 1.0001);
    expect(Math.abs(clock.toPageMs(80) - 80_000 * 1.0001)).toBeLessThan(1);
  });

  test("follows an audio thread that stalled, in a second and a half", () => {
    const clock = new ContextClock();
    for (let i = 0; i < 100; i += 1) clock.observe(i * 0.04, i * 40);
    for (let i = 100; i < 138; i += 1) clock.observe(i * 0.04, i * 40 + 300);
    expect(clock.toPageMs(6)).toBeCloseTo(6300, 6);
  });

  test("begins anew after a reset", () => {
    const clock = new ContextClock();
    clock.observe(1, 1000);
    clock.reset();
    clock.observe(1, 9000);
    expect(clock.toPageMs(2)).toBe(10_000);
  });
});

test("nowMs is the time of day", () => {
  expect(Math.abs(nowMs() - Date.now())).toBeLessThan(1000);
});
