// The audio graph in a real browser: its fake microphone speaks tests/fixtures/weather_awb.wav over and over.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { AudioGraph } from "../src/audio.js";
import { nowMs } from "../src/clock.js";
import { INSECURE, UNPLUGGED } from "../src/trouble.js";

/** @type {AbortController} */
let life;
/** @type {import("../src/playback.js").PlaybackReport[]} */
let reports;
/** @type {import("../src/playback.js").FlushReport[]} */
let flushes;
/** @type {string[]} */
let sounds;
/** @type {AudioGraph} */
let audio;
/** @type {MediaStream[]} every stream that the page was given */
let streams;

beforeEach(() => {
  life = new AbortController();
  reports = [];
  flushes = [];
  sounds = [];
  streams = [];
  const { mediaDevices } = navigator;
  const ask = mediaDevices.getUserMedia.bind(mediaDevices);
  vi.spyOn(mediaDevices, "getUserMedia").mockImplementation(async (constraints) => {
    const stream = await ask(constraints);
    streams.push(stream);
    return stream;
  });
  audio = new AudioGraph({
    signal: life.signal,
    report: (report) => reports.push(report),
    flushed: (report) => flushes.push(report),
    sound: (sound) => sounds.push(sound),
  });
});

afterEach(() => {
  life.abort();
  vi.restoreAllMocks();
});

/** @returns {{ seq: number, captured_at_ms: number, buffer: ArrayBuffer, arrivedMs: number }[]} */
const noFrames = () => [];

/**
 * @param {AbortSignal} signal
 * @param {object} [options]
 * @param {boolean} [options.muted]
 * @param {(error: DOMException) => void} [options.lost]
 */
async function listen(signal, { muted = false, lost = () => {} } = {}) {
  const frames = noFrames();
  await audio.openMicrophone({
    signal,
    muted,
    lost,
    frame: (frame) => frames.push({ ...frame, arrivedMs: nowMs() }),
  });
  return frames;
}

/** @param {ArrayBuffer} buffer */
const peak = (buffer) => Math.max(...new Int16Array(buffer).map(Math.abs));

/**
 * @param {string} item_id
 * @param {number} length
 * @param {{ last?: boolean, chunk?: number }} [options]
 */
function play(item_id, length, { last = true, chunk = 2400 } = {}) {
  for (let at = 0; at < length; at += chunk) {
    const samples = Int16Array.from(
      { length: Math.min(chunk, length - at) },
      (_, i) => 6000 * Math.sin((at + i) / 9),
    );
    audio.playback.play(
      { item_id, content_index: 0, start_sample: at, last: last && at + chunk >= length },
      samples,
    );
  }
}

const ended = (/** @type {string} */ item_id) =>
  vi.waitFor(
    () => {
      const report = reports.find(({ event, item_id: id }) => event === "ended" && id === item_id);
      if (!report) throw new Error("not yet");
      return report;
    },
    { timeout: 8000, interval: 10 },
  );

describe("the microphone", () => {
  test("gives 25 frames a second of 960 samples, numbered, timed, and not silent", async () => {
    const frames = await listen(life.signal);
    await vi.waitFor(() => expect(frames.length).toBeGreaterThan(80), { timeout: 8000 });
    expect(frames.map(({ seq }) => seq)).toEqual(frames.map((_, i) => i));
    expect(new Set(frames.map(({ buffer }) => buffer.byteLength))).toEqual(new Set([1920]));
    expect(Math.max(...frames.map(({ buffer }) => peak(buffer)))).toBeGreaterThan(3000);
    const first = frames[10];
    const last = frames.at(-1);
    if (!first || !last) throw new Error("no frames");
    const rate = (last.seq - first.seq) / ((last.arrivedMs - first.arrivedMs) / 1000);
    expect(rate).toBeGreaterThan(24);
    expect(rate).toBeLessThan(26);
    // 40 ms of sound have to have passed before a frame of it can be here; the rest is what it waited for.
    for (const { captured_at_ms, arrivedMs } of frames) {
      expect(arrivedMs - captured_at_ms).toBeGreaterThan(34);
      expect(arrivedMs - captured_at_ms).toBeLessThan(500);
    }
    expect(audio.sampleRateHz).toBe(24_000);
  });

  test("is asked for with echo cancellation alone", async () => {
    await listen(life.signal);
    expect(navigator.mediaDevices.getUserMedia).toHaveBeenCalledWith({
      audio: { echoCancellation: true, noiseSuppression: false, autoGainControl: false, channelCount: 1 },
    });
  });

  test("goes on with zeros while it is muted, and with sound after", async () => {
    const frames = await listen(life.signal, { muted: true });
    await vi.waitFor(() => expect(frames.length).toBeGreaterThan(30), { timeout: 4000 });
    expect(frames.every(({ buffer }) => peak(buffer) === 0)).toBe(true);
    audio.mute(false);
    await vi.waitFor(() => expect(frames.some(({ buffer }) => peak(buffer) > 1000)).toBe(true), {
      timeout: 4000,
    });
    expect(frames.map(({ seq }) => seq)).toEqual(frames.map((_, i) => i));
  });

  test("is really let go of when its signal is aborted", async () => {
    const capture = new AbortController();
    const frames = await listen(capture.signal);
    await vi.waitFor(() => expect(frames.length).toBeGreaterThan(2));
    capture.abort();
    const count = frames.length;
    expect(streams.flatMap((stream) => stream.getTracks()).map((track) => track.readyState)).toEqual([
      "ended",
    ]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(frames).toHaveLength(count);
  });

  test("is let go of too when it comes after it is no longer wanted", async () => {
    const capture = new AbortController();
    const asked = listen(capture.signal);
    capture.abort();
    await expect(asked).rejects.toMatchObject({ name: "AbortError" });
    expect(streams.flatMap((stream) => stream.getTracks()).map((track) => track.readyState)).toEqual([
      "ended",
    ]);
  });

  test("can be opened again: numbers begin at 0", async () => {
    for (let round = 0; round < 3; round += 1) {
      const capture = new AbortController();
      const frames = await listen(capture.signal);
      await vi.waitFor(() => expect(frames.length).toBeGreaterThan(3));
      expect(frames[0]?.seq).toBe(0);
      capture.abort();
      audio.rest();
    }
  });

  test("that is refused says so by the browser's name", async () => {
    vi.mocked(navigator.mediaDevices.getUserMedia).mockRejectedValue(
      new DOMException("no", "NotAllowedError"),
    );
    await expect(listen(life.signal)).rejects.toMatchObject({ name: "NotAllowedError" });
  });

  test("that does not exist on this page says so", async () => {
    vi.spyOn(navigator, "mediaDevices", "get").mockReturnValue(/** @type {any} */ (undefined));
    await expect(listen(life.signal)).rejects.toMatchObject({ name: INSECURE });
  });

  test("that is unplugged says so", async () => {
    /** @type {DOMException[]} */
    const lost = [];
    await listen(life.signal, { lost: (error) => lost.push(error) });
    streams[0]?.getTracks()[0]?.dispatchEvent(new Event("ended"));
    expect(lost.map(({ name }) => name)).toEqual([UNPLUGGED]);
  });

  test("has a level", async () => {
    expect(audio.level("microphone")).toBe(0);
    await listen(life.signal);
    await vi.waitFor(() => expect(audio.level("microphone")).toBeGreaterThan(0.3), {
      timeout: 4000,
      interval: 20,
    });
  });
});

describe("the loudspeaker", () => {
  test("plays what comes before it is ready, and counts every sample", async () => {
    audio.wake();
    play("a", 12_345);
    play("b", 7_000);
    expect(await ended("a")).toMatchObject({ played_samples: 12_345, underruns: 0 });
    expect(await ended("b")).toMatchObject({ played_samples: 7_000, underruns: 0 });
    expect(reports.map(({ event, item_id }) => `${event} ${item_id}`)).toEqual([
      "started a",
      "position a",
      "position a",
      "ended a",
      "started b",
      "position b",
      "ended b",
    ]);
  });

  test("tells the time of it: an item takes as long as it has samples", async () => {
    const capture = new AbortController();
    await listen(capture.signal);
    await new Promise((resolve) => setTimeout(resolve, 300));
    play("a", 24_000);
    const end = await ended("a");
    const start = reports.find(({ event }) => event === "started");
    if (!start) throw new Error("never started");
    expect(Math.abs(end.at_ms - start.at_ms - 1000)).toBeLessThan(10);
    expect(Math.abs(nowMs() - end.at_ms)).toBeLessThan(200);
    expect(start.output_latency_ms).toBeGreaterThanOrEqual(0);
    expect(start.output_latency_ms).toBeLessThan(500);
    const positions = reports.filter(({ event }) => event === "position");
    expect(positions.length).toBeLessThanOrEqual(4);
    for (const { played_samples, at_ms } of positions) {
      expect(Math.abs(at_ms - start.at_ms - played_samples / 24)).toBeLessThan(10);
    }
  });

  test("falls silent at once, and tells how far each item had come", async () => {
    audio.wake();
    play("a", 4_000);
    play("b", 48_000, { last: false });
    play("c", 4_000);
    await ended("a");
    await vi.waitFor(() => expect(reports.some(({ item_id }) => item_id === "b")).toBe(true));
    const asked = performance.now();
    audio.playback.flush(7);
    await vi.waitFor(() => expect(flushes).toHaveLength(1), { interval: 1 });
    expect(performance.now() - asked).toBeLessThan(100);
    const [flushed] = flushes;
    expect(flushed?.flush).toBe(7);
    const [a, b, c] = flushed?.positions ?? [];
    expect(a).toEqual({ item_id: "a", content_index: 0, played_samples: 4_000 });
    expect(b?.item_id).toBe("b");
    expect(b?.played_samples).toBeGreaterThan(0);
    expect(b?.played_samples).toBeLessThan(24_000);
    expect(c).toEqual({ item_id: "c", content_index: 0, played_samples: 0 });
    play("b", 4_000);
    play("d", 4_000);
    await ended("d");
    expect(reports.some(({ event, item_id }) => event === "ended" && item_id === "b")).toBe(false);
    audio.playback.flush(8);
    await vi.waitFor(() => expect(flushes).toHaveLength(2));
    expect(flushes[1]?.positions).toEqual([{ item_id: "d", content_index: 0, played_samples: 4_000 }]);
  });

  test("silenced by the page, it still tells the kernel's flush where it stopped", async () => {
    audio.wake();
    play("a", 48_000);
    await vi.waitFor(() => expect(reports.length).toBeGreaterThan(0));
    audio.playback.silence();
    const told = reports.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(reports).toHaveLength(told);
    audio.playback.flush(1);
    await vi.waitFor(() => expect(flushes).toHaveLength(1));
    expect(flushes[0]?.positions[0]?.played_samples).toBeGreaterThan(0);
    expect(flushes[0]?.positions[0]?.played_samples).toBeLessThan(12_000);
  });

  test("answers a flush while its context sleeps, and wakes up for the next answer", async () => {
    audio.wake();
    play("a", 4_000);
    await ended("a");
    audio.rest();
    audio.playback.flush(2);
    await vi.waitFor(() => expect(flushes).toHaveLength(1));
    await new Promise((resolve) => setTimeout(resolve, 800));
    audio.playback.flush(3);
    await vi.waitFor(() => expect(flushes).toHaveLength(2));
    expect(Math.abs(nowMs() - (flushes[1]?.at_ms ?? 0))).toBeLessThan(200);
    audio.wake();
    play("b", 4_000);
    await ended("b");
    const start = reports.find(({ event, item_id }) => event === "started" && item_id === "b");
    expect(nowMs() - (start?.at_ms ?? 0)).toBeLessThan(400);
  });

  test("counts an underrun where sound ran out in mid-item", async () => {
    audio.wake();
    play("a", 4_000, { last: false });
    await new Promise((resolve) => setTimeout(resolve, 500));
    audio.playback.play(
      { item_id: "a", content_index: 0, start_sample: 4_000, last: true },
      new Int16Array(3_000),
    );
    expect(await ended("a")).toMatchObject({ played_samples: 7_000, underruns: 1 });
  });

  test("has a level", async () => {
    audio.wake();
    play("a", 24_000);
    await vi.waitFor(() => expect(audio.level("model")).toBeGreaterThan(0.3), {
      timeout: 2000,
      interval: 20,
    });
  });

  test("on a page that may not have one, flushes are answered and it is said", async () => {
    vi.stubGlobal("isSecureContext", false);
    audio.wake();
    expect(sounds).toEqual(["none"]);
    play("a", 4_000);
    audio.playback.flush(2);
    expect(flushes[0]).toMatchObject({
      flush: 2,
      positions: [{ item_id: "a", content_index: 0, played_samples: 0 }],
    });
    await expect(listen(life.signal)).rejects.toMatchObject({ name: INSECURE });
    vi.unstubAllGlobals();
  });
});
