import { describe, expect, test } from "vitest";
import { Resampler } from "../src/resampler.js";
import { random, seeds } from "./random.js";

const RATE_HZ = 24_000;
const RATES_HZ = [8_000, 16_000, 22_050, 44_100, 44_101, 48_000, 96_000, 192_000];
/** Samples at either end where a filter meets what is not the tone. */
const EDGE = 1_200;

/**
 * @param {number} fromHz
 * @param {number} toneHz
 * @param {number} [seconds]
 */
const tone = (fromHz, toneHz, seconds = 1) =>
  Float32Array.from(
    { length: fromHz * seconds },
    (_, i) => 0.5 * Math.sin((2 * Math.PI * toneHz * i) / fromHz),
  );

/**
 * @param {number} fromHz
 * @param {Float32Array} samples
 * @param {(left: number) => number} [nextLength]
 * @returns {number[]}
 */
function resampled(fromHz, samples, nextLength = () => 128) {
  const resampler = new Resampler(fromHz, RATE_HZ);
  /** @type {number[]} */
  const all = [];
  for (let at = 0; at < samples.length; ) {
    const length = Math.min(samples.length - at, nextLength(samples.length - at));
    const made = resampler.push(samples.subarray(at, at + length));
    for (let i = 0; i < made; i += 1) all.push(/** @type {number} */ (resampler.output[i]));
    at += length;
  }
  return all;
}

/** @param {number[]} values */
const power = (values) => values.reduce((sum, value) => sum + value * value, 0) / values.length;

/**
 * The tone is looked for where the declared delay puts it, at its own amplitude: whatever differs is noise.
 *
 * @param {number} fromHz
 * @param {number} toneHz
 * @returns {number} dB
 */
function signalToNoise(fromHz, toneHz) {
  const delayS = -new Resampler(fromHz, RATE_HZ).nextS;
  const out = resampled(fromHz, tone(fromHz, toneHz)).slice(EDGE);
  const wanted = out.map((_, i) => 0.5 * Math.sin(2 * Math.PI * toneHz * ((i + EDGE) / RATE_HZ - delayS)));
  const noise = out.map((value, i) => value - /** @type {number} */ (wanted[i]));
  return 10 * Math.log10(power(wanted) / power(noise));
}

describe.each(RATES_HZ)("from %i Hz", (fromHz) => {
  const passHz = Math.min(10_000, (fromHz / 2) * (5 / 6));

  test("tones keep their frequency, amplitude and time, to 60 dB", () => {
    for (const toneHz of [100, 440, 1_000, 3_000, 5_000, 7_777, 9_999].filter((hz) => hz <= passHz)) {
      expect(signalToNoise(fromHz, toneHz), `${toneHz} Hz`).toBeGreaterThan(60);
    }
  });

  test("ten seconds are ten seconds: no sample too many, none too few", () => {
    const resampler = new Resampler(fromHz, RATE_HZ);
    const block = new Float32Array(128);
    let fed = 0;
    let made = 0;
    while (fed < 10 * fromHz) {
      const length = Math.min(128, 10 * fromHz - fed);
      made += resampler.push(block.subarray(0, length));
      fed += length;
    }
    expect(made).toBe(10 * RATE_HZ);
  });

  test("a constant stays the same constant", () => {
    const out = resampled(fromHz, new Float32Array(fromHz).fill(0.25)).slice(EDGE);
    expect(Math.max(...out.map((value) => Math.abs(value - 0.25)))).toBeLessThan(1e-6);
  });

  test("a click comes out where its time says, within a sample", () => {
    const samples = new Float32Array(fromHz / 2);
    const place = Math.floor(fromHz / 5);
    samples[place] = 1;
    const out = resampled(fromHz, samples);
    const peak = out.indexOf(Math.max(...out));
    const delayS = -new Resampler(fromHz, RATE_HZ).nextS;
    expect(delayS).toBeGreaterThan(0);
    expect(delayS).toBeLessThan(0.005);
    expect(Math.abs(peak / RATE_HZ - delayS - place / fromHz)).toBeLessThanOrEqual(1 / RATE_HZ);
  });

  test.each(seeds(4))("cut anywhere, it is the same to the bit (%i)", (seed) => {
    const next = random(seed);
    const samples = Float32Array.from({ length: 5_000 + next(3_000) }, () => next(65_536) / 32_768 - 1);
    const whole = resampled(fromHz, samples, (left) => left);
    expect(resampled(fromHz, samples, () => 1 + next(1 + next(700)))).toEqual(whole);
    expect(resampled(fromHz, samples)).toEqual(whole);
  });

  test("each block's first sample has its time", () => {
    const next = random(fromHz);
    const resampler = new Resampler(fromHz, RATE_HZ);
    const { nextS: firstS } = resampler;
    let fed = 0;
    let made = 0;
    for (let i = 0; i < 500; i += 1) {
      expect(fed / fromHz + resampler.nextS).toBeCloseTo(firstS + made / RATE_HZ, 9);
      const length = 1 + next(300);
      made += resampler.push(new Float32Array(length));
      fed += length;
    }
  });
});

test.each([44_100, 48_000, 96_000])(
  "what would fold back into the sound is kept out, from %i Hz",
  (fromHz) => {
    for (const toneHz of [12_500, 14_000, 15_500, 17_000, 20_000, 21_900]) {
      const out = resampled(fromHz, tone(fromHz, toneHz)).slice(EDGE);
      expect(10 * Math.log10(power(out) / 0.125), `${toneHz} Hz`).toBeLessThan(-75);
    }
  },
);

test("no images of speech from a telephone's rate", () => {
  const out = resampled(8_000, tone(8_000, 1_000)).slice(EDGE);
  const cosine = (/** @type {number} */ hz) =>
    out.reduce((sum, value, i) => sum + value * Math.cos((2 * Math.PI * hz * i) / RATE_HZ), 0);
  const sine = (/** @type {number} */ hz) =>
    out.reduce((sum, value, i) => sum + value * Math.sin((2 * Math.PI * hz * i) / RATE_HZ), 0);
  const level = (/** @type {number} */ hz) => (2 / out.length) * Math.hypot(cosine(hz), sine(hz));
  expect(level(1_000)).toBeCloseTo(0.5, 3);
  expect(level(7_000)).toBeLessThan(0.5e-3);
  expect(level(9_000)).toBeLessThan(0.5e-3);
});

test("what is no number is gone again after the filter's length", () => {
  const samples = new Float32Array(4_800);
  samples[100] = Number.NaN;
  samples[101] = Number.POSITIVE_INFINITY;
  const out = resampled(48_000, samples);
  expect(out.slice(0, 50).every((value) => value === 0)).toBe(true);
  expect(out.slice(150).every((value) => value === 0)).toBe(true);
});

test("a block allocates nothing: its output is the same memory", () => {
  const resampler = new Resampler(44_100, RATE_HZ);
  const { output } = resampler;
  for (let i = 0; i < 1000; i += 1) resampler.push(new Float32Array(128));
  expect(resampler.output).toBe(output);
});
