import { afterEach, describe, expect, test, vi } from "vitest";
import {
  constraintsOf,
  gainOf,
  isSameCapture,
  preferencesFrom,
  remember,
  remembered,
  USUAL,
} from "../src/preferences.js";

afterEach(() => vi.unstubAllGlobals());

describe("what is kept", () => {
  test.each([null, "", "{", "7", "null", "[]", '"x"', "{}"])("%s is the usual", (text) => {
    expect(preferencesFrom(text)).toEqual(USUAL);
  });

  test("what is none of ours, or of another type, is left out", () => {
    const kept = { microphone: "abc", volumePercent: "loud", autoGainControl: true, toString: 1, x: 2 };
    expect(preferencesFrom(JSON.stringify(kept))).toEqual({
      ...USUAL,
      microphone: "abc",
      autoGainControl: true,
    });
  });

  test.each([
    [-5, 0],
    [50, 50],
    [1e9, 100],
  ])("a volume of %s is %s", (kept, volumePercent) => {
    expect(preferencesFrom(JSON.stringify({ volumePercent: kept })).volumePercent).toBe(volumePercent);
  });

  test("is what the user has chosen, one after the other", () => {
    const kept = new Map();
    vi.stubGlobal("localStorage", {
      getItem: (/** @type {string} */ key) => kept.get(key) ?? null,
      setItem: (/** @type {string} */ key, /** @type {string} */ value) => kept.set(key, value),
    });
    expect(remembered()).toEqual(USUAL);
    remember({ volumePercent: 40 });
    remember({ microphone: "abc" });
    expect(remembered()).toEqual({ ...USUAL, volumePercent: 40, microphone: "abc" });
  });

  test("where a host keeps nothing, it is the usual", () => {
    vi.stubGlobal("localStorage", undefined);
    remember({ volumePercent: 40 });
    expect(remembered()).toEqual(USUAL);
  });
});

test("the microphone is asked for as preferred", () => {
  expect(constraintsOf(USUAL)).toEqual({
    audio: { echoCancellation: true, noiseSuppression: false, autoGainControl: false, channelCount: 1 },
  });
  expect(constraintsOf({ ...USUAL, microphone: "abc", noiseSuppression: true })).toEqual({
    audio: {
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: false,
      channelCount: 1,
      deviceId: { exact: "abc" },
    },
  });
});

test("the volume is no reason to open the microphone again", () => {
  expect(isSameCapture(USUAL, { ...USUAL, volumePercent: 3 })).toBe(true);
  expect(isSameCapture(USUAL, { ...USUAL, echoCancellation: false })).toBe(false);
  expect(isSameCapture(USUAL, { ...USUAL, microphone: "abc" })).toBe(false);
});

test("half of the way is a quarter of the pressure", () => {
  expect([0, 50, 100].map(gainOf)).toEqual([0, 0.25, 1]);
});
