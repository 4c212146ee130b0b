import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { random } from "./random.js";

const BLOCK = 128;

/**
 * @typedef {{ seq: number, at_s: number, now_s: number, buffer: ArrayBuffer }} Posted
 * @typedef {{ port: { onmessage: () => void }, process: (inputs: Float32Array[][]) => boolean }} Processor
 */

/** @type {Posted[]} */
let posted;
/** @type {new () => Processor} */
let CaptureProcessor;

beforeEach(async () => {
  posted = [];
  vi.stubGlobal(
    "AudioWorkletProcessor",
    class {
      port = { onmessage: () => {}, postMessage: (/** @type {Posted} */ frame) => posted.push(frame) };
    },
  );
  vi.stubGlobal("registerProcessor", (/** @type {string} */ _name, /** @type {any} */ made) => {
    CaptureProcessor = made;
  });
  vi.resetModules();
  // By its address, so that the page's types are not asked about the audio thread's names.
  await import(new URL("../src/capture-processor.js", import.meta.url).href);
});

afterEach(() => vi.unstubAllGlobals());

/**
 * @param {number} rateHz of the context
 * @param {(i: number) => number} sample
 * @param {number} seconds
 * @param {number} beginS on the context's clock
 * @returns {Processor}
 */
function capture(rateHz, sample, seconds, beginS) {
  vi.stubGlobal("sampleRate", rateHz);
  vi.stubGlobal("currentTime", beginS);
  const processor = new CaptureProcessor();
  for (let at = 0; at < seconds * rateHz; at += BLOCK) {
    vi.stubGlobal("currentTime", beginS + at / rateHz);
    processor.process([[Float32Array.from({ length: BLOCK }, (_, i) => sample(at + i))]]);
  }
  return processor;
}

describe.each([24_000, 48_000, 44_100, 16_000, 8_000, 96_000])("in a context at %i Hz", (rateHz) => {
  test("25 numbered frames a second, each timed by its first sample", () => {
    capture(rateHz, () => 0, 10.01, 3);
    expect(posted.map(({ seq }) => seq)).toEqual(Array.from({ length: 250 }, (_, i) => i));
    for (const { buffer } of posted) expect(buffer.byteLength).toBe(1920);
    const [first] = posted;
    for (const { seq, at_s } of posted) expect(at_s).toBeCloseTo((first?.at_s ?? 0) + seq * 0.04, 6);
    for (const { at_s, now_s } of posted) expect(now_s - at_s).toBeLessThan(0.05);
  });

  test("clicks are told at their times, within a sample", () => {
    const next = random(rateHz);
    const places = Array.from({ length: 20 }, (_, i) => Math.floor((i + 0.2) * 0.1 * rateHz) + next(99));
    const beginS = 12.345;
    capture(rateHz, (i) => (places.includes(i) ? 0.9 : 0), 2.2, beginS);
    const heardS = posted.flatMap(({ at_s, buffer }) => {
      const samples = new Int16Array(buffer);
      const loudest = Math.max(...samples);
      return loudest < 2000 ? [] : [at_s + samples.indexOf(loudest) / 24_000];
    });
    expect(heardS).toHaveLength(places.length);
    for (const [i, place] of places.entries()) {
      expect(Math.abs((heardS[i] ?? 0) - (beginS + place / rateHz))).toBeLessThanOrEqual(1.01 / 24_000);
    }
  });
});

test("where the microphone gives nothing it is silent, and time goes on", () => {
  vi.stubGlobal("sampleRate", 24_000);
  vi.stubGlobal("currentTime", 0);
  const processor = new CaptureProcessor();
  for (let i = 0; i < 75; i += 1) expect(processor.process(i % 2 ? [[]] : [])).toBe(true);
  expect(posted).toHaveLength(10);
  expect(posted.every(({ buffer }) => new Int16Array(buffer).every((sample) => sample === 0))).toBe(true);
});

test("closed, it asks not to be called again, and posts nothing", () => {
  const processor = capture(24_000, () => 0.1, 0.01, 0);
  processor.port.onmessage();
  for (let i = 0; i < 100; i += 1) expect(processor.process([[new Float32Array(BLOCK)]])).toBe(false);
  expect(posted).toEqual([]);
});
