// The audio graph in a real browser: its fake microphone speaks tests/fixtures/weather_awb.wav over and over.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { AudioGraph } from "../src/audio.js";
import { nowMs } from "../src/clock.js";
import { CLOSED, INSECURE, NO_WORKLET, UNPLUGGED } from "../src/trouble.js";

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
/** @type {AudioContext[]} every context that the page made */
let contexts;
/** Whether a context at this rate takes a microphone: Firefox's do at the device's own rate only. */
let takes = (/** @type {number} */ _rateHz) => true;
/** Whether a context may run, without a click or at all. */
let lets = () => true;
/** @type {((context: AudioContext) => AudioNode) | null} what stands in for the microphone's sound */
let instead = null;

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
  contexts = [];
  vi.stubGlobal(
    "AudioContext",
    class extends AudioContext {
      /** @param {AudioContextOptions} [options] */
      constructor(options) {
        super(options);
        contexts.push(this);
        if (!lets()) this.suspend();
      }

      /** @override */
      resume() {
        return lets() ? super.resume() : new Promise(() => {});
      }
    },
  );
  takes = () => true;
  lets = () => true;
  instead = null;
  const join = AudioContext.prototype.createMediaStreamSource;
  vi.spyOn(AudioContext.prototype, "createMediaStreamSource").mockImplementation(
    /** @this {AudioContext} */ function (stream) {
      if (takes(this.sampleRate)) {
        const source = join.call(this, stream);
        return instead ? Object.assign(instead(this), { mediaStream: stream }) : source;
      }
      throw new DOMException("different sample-rate is currently not supported", "NotSupportedError");
    },
  );
  audio = graph();
});

afterEach(() => {
  life.abort();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const graph = (signal = life.signal) =>
  new AudioGraph({
    signal,
    report: (report) => reports.push(report),
    flushed: (report) => flushes.push(report),
    sound: (sound) => sounds.push(sound),
  });

const own = (/** @type {number} */ rateHz) => rateHz !== 24_000;

/** @param {string} type of the event by which the browser takes it that the user agrees */
function click(type) {
  lets = () => true;
  const active = /** @type {UserActivation} */ ({ isActive: true, hasBeenActive: true });
  vi.spyOn(navigator, "userActivation", "get").mockReturnValue(active);
  document.dispatchEvent(new Event(type));
}

const tracks = () => streams.flatMap((stream) => stream.getTracks()).map((track) => track.readyState);
const rates = () => contexts.filter(({ state }) => state !== "closed").map(({ sampleRate }) => sampleRate);
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @returns {{ seq: number, captured_at_ms: number, buffer: ArrayBuffer, arrivedMs: number }[]} */
const noFrames = () => [];

/**
 * @param {AbortSignal} signal
 * @param {object} [options]
 * @param {AudioGraph} [options.ears]
 * @param {boolean} [options.muted]
 * @param {(error: DOMException) => void} [options.lost]
 * @param {(silent: boolean) => void} [options.silenced]
 */
async function listen(signal, { ears = audio, muted = false, lost = () => {}, silenced = () => {} } = {}) {
  const frames = noFrames();
  await ears.openMicrophone({
    signal,
    muted,
    lost,
    silenced,
    frame: (frame) => frames.push({ ...frame, arrivedMs: nowMs() }),
  });
  return frames;
}

/** @param {ReturnType<typeof noFrames>} frames */
const samplesOf = (frames) => Float32Array.from(frames.flatMap(({ buffer }) => [...new Int16Array(buffer)]));

/**
 * Where in one capture the sound of another is, 100 ms to either side of where its time says, and how alike they are there.
 *
 * @param {ReturnType<typeof noFrames>} ordinary all of it
 * @param {ReturnType<typeof noFrames>} native a part
 * @returns {{ lateMs: number, gain: number, correlation: number }} lateMs: by its time, against where its sound was found
 */
function compared(ordinary, native) {
  const [all, part] = [samplesOf(ordinary), samplesOf(native)];
  const apartMs = (native[0]?.captured_at_ms ?? Number.NaN) - (ordinary[0]?.captured_at_ms ?? Number.NaN);
  let best = { correlation: 0, gain: 0, lateMs: Number.NaN };
  for (let late = -2_400; late <= 2_400; late += 1) {
    const at = Math.round(apartMs * 24) - late;
    let [product, one, other] = [0, 0, 0];
    for (let i = 0; i < part.length; i += 3) {
      const [x, y] = [/** @type {number} */ (all[at + i]), /** @type {number} */ (part[i])];
      product += x * y;
      one += x * x;
      other += y * y;
    }
    const correlation = product / Math.sqrt(one * other || 1);
    if (correlation > best.correlation) best = { correlation, gain: product / one, lateMs: late / 24 };
  }
  return best;
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
    // A busy machine may let some go by; what the worklet makes is counted exactly in capture-processor.test.js.
    expect(rate).toBeGreaterThan(23);
    expect(rate).toBeLessThan(27);
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
    expect(tracks()).toEqual(["ended"]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(frames).toHaveLength(count);
  });

  test("is let go of too when it comes after it is no longer wanted", async () => {
    const capture = new AbortController();
    const asked = listen(capture.signal);
    capture.abort();
    await expect(asked).rejects.toMatchObject({ name: "AbortError" });
    await vi.waitFor(() => expect(tracks()).toEqual(["ended"]));
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

  test("that the system mutes says so, and when it is over", async () => {
    /** @type {boolean[]} */
    const told = [];
    const capture = new AbortController();
    await listen(capture.signal, { silenced: (silent) => told.push(silent) });
    expect(told).toEqual([]);
    const track = streams[0]?.getTracks()[0];
    for (const type of ["mute", "mute", "unmute", "unmute", "mute"]) track?.dispatchEvent(new Event(type));
    expect(told).toEqual([true, false, true]);
    capture.abort();
    expect(told).toEqual([true, false, true, false]);
    track?.dispatchEvent(new Event("mute"));
    expect(told).toHaveLength(4);
  });

  test("that the system has muted before says so at once", async () => {
    vi.spyOn(MediaStreamTrack.prototype, "muted", "get").mockReturnValue(true);
    /** @type {boolean[]} */
    const told = [];
    await listen(life.signal, { silenced: (silent) => told.push(silent) });
    expect(told).toEqual([true]);
  });

  test("whose context the browser closes says so, and can be opened again", async () => {
    /** @type {DOMException[]} */
    const lost = [];
    const capture = new AbortController();
    await listen(capture.signal, { lost: (error) => lost.push(error) });
    await contexts[0]?.close();
    await vi.waitFor(() => expect(lost.map(({ name }) => name)).toEqual([CLOSED]));
    capture.abort();
    const frames = await listen(life.signal);
    await vi.waitFor(() => expect(frames.length).toBeGreaterThan(3));
    play("a", 4_000);
    await ended("a");
    expect(rates()).toEqual([24_000]);
  });

  test("muted while it is still being opened, it gives zeros", async () => {
    const opening = listen(life.signal);
    audio.mute(true);
    const frames = await opening;
    await vi.waitFor(() => expect(frames.length).toBeGreaterThan(25), { timeout: 4000 });
    expect(frames.every(({ buffer }) => peak(buffer) === 0)).toBe(true);
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

describe("a microphone that the 24 kHz context refuses", () => {
  beforeEach(() => {
    takes = own;
  });

  test("is captured at its own rate: 25 frames a second of 960 samples, numbered, timed, and not silent", async () => {
    const frames = await listen(life.signal);
    expect(audio.sampleRateHz).toBeGreaterThan(40_000);
    await vi.waitFor(() => expect(frames.length).toBeGreaterThan(80), { timeout: 8000 });
    expect(frames.map(({ seq }) => seq)).toEqual(frames.map((_, i) => i));
    expect(new Set(frames.map(({ buffer }) => buffer.byteLength))).toEqual(new Set([1920]));
    const first = frames[10];
    const last = frames.at(-1);
    if (!first || !last) throw new Error("no frames");
    const rate = (last.seq - first.seq) / ((last.captured_at_ms - first.captured_at_ms) / 1000);
    expect(rate).toBeGreaterThan(20);
    expect(rate).toBeLessThan(30);
    for (const { captured_at_ms, arrivedMs } of frames) {
      expect(arrivedMs - captured_at_ms).toBeGreaterThan(34);
      expect(arrivedMs - captured_at_ms).toBeLessThan(500);
    }
    expect(rates()).toEqual([24_000, audio.sampleRateHz]);
    expect(sounds).toEqual(["ready"]);
    await vi.waitFor(() => expect(audio.level("microphone")).toBeGreaterThan(0.3), {
      timeout: 4000,
      interval: 20,
    });
  });

  test("is the same sound as the ordinary way's", async () => {
    takes = () => true;
    const ordinary = await listen(life.signal);
    takes = own;
    const native = await listen(life.signal, { ears: graph() });
    await vi.waitFor(() => expect(native.length).toBeGreaterThan(95), { timeout: 8000 });
    const parts = Array.from({ length: 16 }, (_, i) => native.slice(10 + 5 * i, 15 + 5 * i));
    const spoken = parts.filter((part) => Math.max(...part.map(({ buffer }) => peak(buffer))) > 3000);
    const found = spoken.map((part) => compared(ordinary, part));
    // A machine that is busy drops samples of the one or the other now and then.
    const alike = found.filter(({ correlation }) => correlation > 0.99);
    expect(alike.length).toBeGreaterThan(spoken.length / 4);
    for (const { gain, lateMs } of alike) {
      expect(Math.abs(gain - 1)).toBeLessThan(0.05);
      // Before each context Chromium has a queue for 100 ms of sound, and after a stall it stays as full as it got.
      expect(Math.abs(lateMs)).toBeLessThan(100);
    }
  });

  test.each([false, true])("a click is told at its time (refused: %s)", async (refused) => {
    takes = refused ? own : () => true;
    /** @type {AudioBufferSourceNode | undefined} */
    let clicks;
    instead = (context) => {
      const { sampleRate } = context;
      const buffer = new AudioBuffer({ length: sampleRate / 4, sampleRate });
      buffer.getChannelData(0)[0] = 0.9;
      clicks = new AudioBufferSourceNode(context, { buffer, loop: true });
      return clicks;
    };
    const frames = await listen(life.signal);
    const context = /** @type {AudioContext} */ (clicks?.context);
    expect(context.sampleRate === 24_000).toBe(!refused);
    const firstS = context.currentTime + 0.3;
    clicks?.start(firstS);
    /** @type {{ atS: number, offsetMs: number }[]} what the page can know of the context's clock by looking at it often */
    const looks = [];
    for (let i = 0; i < 600; i += 1) {
      await pause(5);
      looks.push({ atS: context.currentTime, offsetMs: nowMs() - context.currentTime * 1000 });
    }
    const heard = frames.filter(({ buffer }) => peak(buffer) > 5_000);
    expect(heard.length).toBeGreaterThan(5);
    const errorsMs = heard.map(({ captured_at_ms, buffer }, i) => {
      const clickS = firstS + i / 4;
      const near = looks.filter(({ atS }) => Math.abs(atS - clickS) < 0.3).map(({ offsetMs }) => offsetMs);
      const heardMs = captured_at_ms + new Int16Array(buffer).indexOf(peak(buffer)) / 24;
      return Math.abs(heardMs - (Math.min(...near) + clickS * 1000));
    });
    // Not all of them: where the audio thread stalls, its clock and the page's part for a second.
    expect(errorsMs.toSorted((x, y) => x - y)[Math.floor(errorsMs.length / 2)]).toBeLessThan(40);
  });

  test("answers are played meanwhile, by the context at 24 kHz", async () => {
    const frames = await listen(life.signal);
    play("a", 12_000);
    expect(await ended("a")).toMatchObject({ played_samples: 12_000, underruns: 0 });
    const start = reports.find(({ event }) => event === "started");
    expect(Math.abs(nowMs() - (start?.at_ms ?? 0) - 500)).toBeLessThan(200);
    expect(frames.length).toBeGreaterThan(5);
  });

  test("its context is closed with it, and the next one is made inside the click", async () => {
    const capture = new AbortController();
    await listen(capture.signal);
    const refusals = () => contexts[0] && vi.mocked(contexts[0].createMediaStreamSource).mock.contexts;
    const offered = refusals()?.filter((context) => context === contexts[0]).length;
    expect(offered).toBe(1);
    capture.abort();
    await vi.waitFor(() => expect(rates()).toEqual([24_000]));
    expect(audio.sampleRateHz).toBe(24_000);
    const opening = listen(life.signal);
    expect(rates()).toHaveLength(2);
    const frames = await opening;
    await vi.waitFor(() => expect(frames.length).toBeGreaterThan(3));
    expect(refusals()?.filter((context) => context === contexts[0]).length).toBe(1);
    expect(rates()).toHaveLength(2);
  });

  test("a browser that hides the device's rate is offered the usual ones", async () => {
    takes = (rateHz) => rateHz === 48_000;
    const frames = await listen(life.signal);
    await vi.waitFor(() => expect(frames.length).toBeGreaterThan(3));
    await vi.waitFor(() => expect(rates()).toEqual([24_000, 48_000]));
    expect(audio.sampleRateHz).toBe(48_000);
  });

  test("one that no context takes says so, and nothing stays open", async () => {
    takes = () => false;
    await expect(listen(life.signal)).rejects.toMatchObject({ name: "NotSupportedError" });
    expect(tracks()).toEqual(["ended"]);
    await vi.waitFor(() => expect(rates()).toEqual([24_000]));
  });
});

describe.each([false, true])("where sound wants a click first (refused: %s)", (refused) => {
  beforeEach(() => {
    if (refused) takes = own;
  });

  test("that is said in half a second, no frame comes, and a click sets all of it going", async () => {
    lets = () => false;
    const frames = await listen(life.signal);
    play("a", 4_000);
    await vi.waitFor(() => expect(sounds).toEqual(["blocked"]), { timeout: 800 });
    await pause(300);
    expect(frames).toEqual([]);
    expect(reports).toEqual([]);
    click("pointerdown");
    await vi.waitFor(() => expect(sounds).toEqual(["blocked", "ready"]));
    await ended("a");
    await vi.waitFor(() => expect(frames.length).toBeGreaterThan(5));
    expect(frames[0]?.seq).toBe(0);
    for (const { captured_at_ms, arrivedMs } of frames) {
      expect(arrivedMs - captured_at_ms).toBeGreaterThan(34);
      expect(arrivedMs - captured_at_ms).toBeLessThan(500);
    }
  });

  test("a microphone that is given counts as one", async () => {
    lets = () => streams.length > 0;
    const frames = await listen(life.signal);
    await vi.waitFor(() => expect(frames.length).toBeGreaterThan(3));
    expect(sounds).toEqual(["ready"]);
  });

  test("put to sleep in mid-talk, it is woken, and times are true again", async () => {
    const frames = await listen(life.signal);
    await vi.waitFor(() => expect(frames.length).toBeGreaterThan(5));
    lets = () => false;
    for (const context of contexts) context.suspend();
    await vi.waitFor(() => expect(sounds).toEqual(["ready", "blocked"]), { timeout: 3000 });
    const { length } = frames;
    click("keydown");
    await vi.waitFor(() => expect(frames.length).toBeGreaterThan(length + 10));
    expect(sounds).toEqual(["ready", "blocked", "ready"]);
    expect(frames.map(({ seq }) => seq)).toEqual(frames.map((_, i) => i));
    for (const { captured_at_ms, arrivedMs } of frames) {
      expect(arrivedMs - captured_at_ms).toBeGreaterThan(34);
      expect(arrivedMs - captured_at_ms).toBeLessThan(500);
    }
  });
});

describe("opened and closed", () => {
  test.each([false, true])("50 times, in mid-opening too: nothing is left (refused: %s)", async (refused) => {
    if (refused) takes = own;
    for (let round = 0; round < 50; round += 1) {
      const capture = new AbortController();
      const opening = listen(capture.signal).catch(({ name }) => name);
      // At every point of an opening, and some time after it.
      if (round % 5 === 1) await Promise.resolve();
      else if (round % 5 > 1) await pause(round % 25);
      if (round % 10 === 9) await opening;
      capture.abort();
      expect(await opening).toSatisfy((outcome) => outcome === "AbortError" || Array.isArray(outcome));
      if (round % 3 === 0) audio.rest();
    }
    await vi.waitFor(() => expect(tracks().filter((state) => state !== "ended")).toEqual([]));
    await vi.waitFor(() => expect(rates()).toEqual([24_000]));
    const frames = await listen(life.signal);
    await vi.waitFor(() => expect(frames.length).toBeGreaterThan(3));
    life.abort();
    await vi.waitFor(() => expect(rates()).toEqual([]));
    expect(tracks().filter((state) => state !== "ended")).toEqual([]);
  });

  test("a prompt that is answered after it is no longer wanted: let go of, and nobody waited", async () => {
    const ask = vi.mocked(navigator.mediaDevices.getUserMedia).getMockImplementation();
    /** @type {(value?: unknown) => void} */
    let answer = () => {};
    const prompt = new Promise((resolve) => {
      answer = resolve;
    });
    vi.mocked(navigator.mediaDevices.getUserMedia).mockImplementation(async (constraints) => {
      await prompt;
      return /** @type {NonNullable<typeof ask>} */ (ask)(constraints);
    });
    takes = own;
    const capture = new AbortController();
    const asked = listen(capture.signal);
    capture.abort();
    await expect(asked).rejects.toMatchObject({ name: "AbortError" });
    answer();
    await vi.waitFor(() => expect(tracks()).toEqual(["ended"]));
    await vi.waitFor(() => expect(rates()).toEqual([24_000]));
  });

  test("the page's end closes what its microphone's signal did not", async () => {
    takes = own;
    const never = new AbortController();
    await listen(never.signal);
    life.abort();
    expect(tracks()).toEqual(["ended"]);
    await vi.waitFor(() => expect(rates()).toEqual([]));
    await expect(listen(never.signal)).rejects.toMatchObject({ name: "AbortError" });
  });

  test("two graphs at once do not disturb each other", async () => {
    const capture = new AbortController();
    const other = graph();
    const [first, second] = await Promise.all([listen(capture.signal), listen(life.signal, { ears: other })]);
    await vi.waitFor(() => expect(Math.min(first.length, second.length)).toBeGreaterThan(3));
    capture.abort();
    const { length } = second;
    await vi.waitFor(() => expect(second.length).toBeGreaterThan(length + 5));
    expect(tracks().toSorted()).toEqual(["ended", "live"]);
    expect(second.map(({ seq }) => seq)).toEqual(second.map((_, i) => i));
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

  test("on a page without worklets is played all the same, and there is no microphone", async () => {
    vi.spyOn(BaseAudioContext.prototype, "audioWorklet", "get").mockReturnValue(
      /** @type {any} */ (undefined),
    );
    vi.spyOn(navigator, "mediaDevices", "get").mockReturnValue(/** @type {any} */ (undefined));
    audio.wake();
    play("a", 24_000);
    await vi.waitFor(() => expect(audio.level("model")).toBeGreaterThan(0.3), {
      timeout: 2000,
      interval: 20,
    });
    expect(await ended("a")).toMatchObject({ played_samples: 24_000, underruns: 0 });
    const start = reports.find(({ event }) => event === "started");
    const end = reports.find(({ event }) => event === "ended");
    expect(Math.abs((end?.at_ms ?? 0) - (start?.at_ms ?? 0) - 1000)).toBeLessThan(100);
    play("b", 48_000);
    await vi.waitFor(() =>
      expect(reports.some(({ event, item_id }) => event === "started" && item_id === "b")).toBe(true),
    );
    audio.playback.flush(2);
    await vi.waitFor(() => expect(flushes).toHaveLength(1));
    const [item] = flushes[0]?.positions ?? [];
    expect(item?.played_samples).toBeGreaterThan(0);
    expect(item?.played_samples).toBeLessThan(48_000);
    expect(sounds).toEqual(["ready"]);
    await expect(listen(life.signal)).rejects.toMatchObject({ name: INSECURE });
  });

  test("in a browser that has none, flushes are answered and it is said", async () => {
    vi.stubGlobal("AudioContext", undefined);
    audio.wake();
    expect(sounds).toEqual(["none"]);
    play("a", 4_000);
    audio.playback.flush(2);
    expect(flushes[0]).toMatchObject({
      flush: 2,
      positions: [{ item_id: "a", content_index: 0, played_samples: 0 }],
    });
    await expect(listen(life.signal)).rejects.toMatchObject({ name: NO_WORKLET });
    vi.unstubAllGlobals();
  });
});
