import { expect, test } from "vitest";
import { Acks } from "../src/acks.js";
import { random, seeds } from "./random.js";

test("nothing received is -1; a gap holds it back until it is filled", () => {
  const acks = new Acks();
  expect(acks.acked).toBe(-1);
  for (const [seq, acked] of /** @type {const} */ ([
    [0, 0],
    [1, 1],
    [3, 1],
    [4, 1],
    [2, 4],
    [2, 4],
    [5, 5],
  ])) {
    acks.take(seq);
    expect(acks.acked).toBe(acked);
  }
  expect(acks.ahead.size).toBe(0);
});

test("a number that is sent again changes nothing; after a reset all begin anew", () => {
  const acks = new Acks();
  for (const seq of [0, 1, 2, 5, 0, 1, 5]) acks.take(seq);
  expect(acks.acked).toBe(2);
  expect(acks.ahead.size).toBe(1);
  acks.reset();
  expect(acks.acked).toBe(-1);
  acks.take(1);
  acks.take(0);
  expect(acks.acked).toBe(1);
});

test.each(seeds(10))("in any order, all of them end at the last (%i)", (seed) => {
  const next = random(seed);
  const rest = Array.from({ length: 50 }, (_, i) => i + 1);
  const acks = new Acks();
  acks.take(0);
  while (rest.length) acks.take(/** @type {number} */ (rest.splice(next(rest.length), 1)[0]));
  expect(acks.acked).toBe(50);
});
