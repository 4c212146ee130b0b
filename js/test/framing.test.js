import { describe, expect, test } from "vitest";
import { FRAME_SAMPLES, Framer } from "../src/framing.js";
import { random, seeds } from "./random.js";

const RATE_HZ = 24_000;

/**
 * @param {Float32Array} samples
 * @param {(left: number) => number} nextLength
 * @returns {import("../src/framing.js").Frame[]}
 */
function framesOf(samples, nextLength) {
  /** @type {import("../src/framing.js").Frame[]} */
  const frames = [];
  const framer = new Framer(RATE_HZ, (frame) => frames.push(frame));
  for (let at = 0; at < samples.length; ) {
    const length = nextLength(samples.length - at);
    // A block is longer than what counts of it, as a resampler's output is.
    framer.push(samples.subarray(at, at + length + 7), length, 10 + at / RATE_HZ);
    at += length;
  }
  return frames;
}

const ramp = (/** @type {number} */ length) =>
  Float32Array.from({ length }, (_, i) => ((i % 30000) - 15000) / 32768);

describe("Framer", () => {
  test("gives 40 ms frames, numbered from 0, without a sample lost or twice", () => {
    const frames = framesOf(ramp(128 * 75), () => 128);
    expect(frames.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const joined = frames.flatMap(({ samples }) => [...samples]);
    expect(joined).toEqual(Array.from({ length: 9600 }, (_, i) => i - 15000));
  });

  test("each frame owns its memory", () => {
    const [first, second] = framesOf(ramp(2 * FRAME_SAMPLES), () => 128);
    expect(first?.samples.buffer).not.toBe(second?.samples.buffer);
    expect(first?.samples.byteLength).toBe(1920);
  });

  test("tells the time of the first sample, in mid-block too", () => {
    const frames = framesOf(ramp(128 * 30), () => 128);
    for (const { seq, at_s } of frames) expect(at_s).toBeCloseTo(10 + (seq * FRAME_SAMPLES) / RATE_HZ, 9);
  });

  test.each(seeds(20))("however the sound is cut, the frames are the same (%i)", (seed) => {
    const next = random(seed);
    const samples = ramp(FRAME_SAMPLES * 3 + next(FRAME_SAMPLES));
    const cut = framesOf(samples, (left) => Math.min(left, 1 + next(2000)));
    const whole = framesOf(samples, (left) => left);
    expect(cut.map(({ seq, samples: pcm }) => [seq, [...pcm]])).toEqual(
      whole.map(({ seq, samples: pcm }) => [seq, [...pcm]]),
    );
    for (const [i, frame] of cut.entries()) expect(frame.at_s).toBeCloseTo(whole[i]?.at_s ?? 0, 9);
  });
});
