// Which microphone is heard, and how loud answers are: in a real browser with its own fake devices.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Page } from "../src/page.js";
import { FakeModel } from "./fake-model.js";
import { talk } from "./views-of.js";

/** @type {FakeModel} */
let model;
/** @type {AbortController} */
let life;
/** @type {Page} */
let page;
/** @type {MediaStreamTrack[]} */
let tracks;
/** How many were live at once, at most. */
let most = 0;

beforeEach(async () => {
  localStorage.clear();
  tracks = [];
  most = 0;
  const { mediaDevices } = navigator;
  const ask = mediaDevices.getUserMedia.bind(mediaDevices);
  vi.spyOn(mediaDevices, "getUserMedia").mockImplementation(async (constraints) => {
    const stream = await ask(constraints);
    tracks.push(...stream.getTracks());
    most = Math.max(most, live().length);
    return stream;
  });
  model = new FakeModel();
  life = new AbortController();
  page = new Page(model, life.signal);
  page.viewOpened(life.signal);
});

afterEach(() => {
  life.abort();
  vi.restoreAllMocks();
  localStorage.clear();
});

const live = () => tracks.filter(({ readyState }) => readyState === "live");
const local = () => page.store.get().local;
const states = () => model.of("mic_state").map(({ state }) => state);
const newest = () => live()[0]?.getSettings();
const frames = () => model.of("mic");

/** @param {number} count more than there are now */
function moreFrames(count = 3) {
  const before = frames().length;
  return vi.waitFor(() => expect(frames().length).toBeGreaterThan(before + count), { timeout: 4000 });
}

async function listening() {
  model.say({ kind: "snapshot", page: model.page, talk: talk({ audio_page: model.page }), items: [] });
  page.start();
  model.say({ kind: "talk", page: null, patch: { state: "listening" } });
  model.reply();
  await vi.waitFor(() => expect(local().microphone).toBe("on"));
  await moreFrames();
}

/** @returns {Promise<[string, string]>} the ids of two devices that are not the default */
async function others() {
  await vi.waitFor(() => expect(local().devices.named.length).toBeGreaterThan(1));
  const [one, two] = local()
    .devices.named.map(({ deviceId }) => deviceId)
    .reverse();
  return [String(one), String(two)];
}

/** @param {string} deviceId */
const heard = (deviceId) =>
  vi.waitFor(() => {
    expect(live()).toHaveLength(1);
    expect(newest()?.deviceId).toBe(deviceId);
  });

/** Numbers have no hole, whichever microphone it is. */
function expectNoHole() {
  expect(frames().map(({ seq }) => seq)).toEqual(frames().map((_, i) => i));
}

test("another one is heard in mid-talk: never two at once, numbers go on, still muted", async () => {
  await listening();
  const [other] = await others();
  page.mute(true);
  page.prefer({ microphone: other });
  await heard(other);
  await moreFrames();
  expect(most).toBe(1);
  expect(states()).toEqual(["on", "off", "on"]);
  expectNoHole();
  expect(live()[0]?.enabled).toBe(false);
  expect(local().microphone).toBe("on");
  expect(page.store.get().talk?.state).toBe("listening");
});

test("chosen before the start, it is the one that is opened, in the next page too", async () => {
  page.lookForDevices();
  const [other] = await others();
  page.prefer({ microphone: other, noiseSuppression: true });
  expect(tracks).toEqual([]);
  await listening();
  expect(newest()).toMatchObject({ deviceId: other, noiseSuppression: true });
  expect(new Page(new FakeModel(), life.signal).store.get().local.sounds).toMatchObject({
    microphone: other,
    noiseSuppression: true,
  });
});

test.each(/** @type {const} */ (["echoCancellation", "noiseSuppression", "autoGainControl"]))(
  "%s is switched in mid-talk",
  async (name) => {
    await listening();
    const before = local().sounds[name];
    expect(newest()?.[name]).toBe(before);
    page.prefer({ [name]: !before });
    await vi.waitFor(() => expect(newest()?.[name]).toBe(!before));
    await moreFrames();
    expect(most).toBe(1);
  },
);

test("changed many times at once, the last one counts and is open alone", async () => {
  await listening();
  const [one, two] = await others();
  for (const microphone of [one, two, "", one, two]) page.prefer({ microphone });
  await heard(two);
  await moreFrames();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(live()).toHaveLength(1);
  page.stop();
  expect(live()).toEqual([]);
});

test("unplugged in mid-talk, the default takes its place and that is said", async () => {
  await listening();
  const [other] = await others();
  const { label } = /** @type {{ label: string }} */ (local().devices.named.at(-1));
  page.prefer({ microphone: other });
  await heard(other);
  live()[0]?.dispatchEvent(new Event("ended"));
  await vi.waitFor(() => expect(local().troubles.microphone?.title).toBe("Another microphone"));
  expect(local().troubles.microphone?.message).toContain(label);
  expect(newest()?.deviceId).not.toBe(other);
  expect(live()).toHaveLength(1);
  expect(local().sounds.microphone).toBe("");
  expect(local().microphone).toBe("on");
  expect(model.of("mic_state").at(-2)).toMatchObject({ state: "off", error: { name: "TrackEnded" } });
  await moreFrames();
  expectNoHole();
  // What the user has chosen is not forgotten by that.
  page.prefer({ volumePercent: 70 });
  const next = new Page(new FakeModel(), life.signal);
  expect(next.store.get().local.sounds.microphone).toBe(other);
});

test("one that is not there any more: the default, and that is said", async () => {
  page.prefer({ microphone: "gone" });
  await listening();
  expect(local().troubles.microphone?.message).toContain("is not there");
  expect(local().sounds.microphone).toBe("");
  expect(states()).toEqual(["on"]);
});

test("the default unplugged is trouble, and choosing another one ends it", async () => {
  await listening();
  live()[0]?.dispatchEvent(new Event("ended"));
  expect(local().troubles.microphone?.title).toBe("Microphone lost");
  expect(local().microphone).toBe("error");
  const [other] = await others();
  page.prefer({ microphone: other });
  await heard(other);
  await vi.waitFor(() => expect(local().microphone).toBe("on"));
  expect(local().troubles.microphone).toBeNull();
});

test("while nobody talks a choice opens nothing", async () => {
  page.prefer({ microphone: "x" });
  page.prefer({ echoCancellation: false });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(navigator.mediaDevices.getUserMedia).not.toHaveBeenCalled();
});

test("the volume is what is heard, and not what the meter shows", async () => {
  /** @type {Map<AudioNode, AnalyserNode>} */
  const ears = new Map();
  const connect = AudioNode.prototype.connect;
  vi.spyOn(AudioNode.prototype, "connect").mockImplementation(
    /** @this {AudioNode} */ function (/** @type {any} */ target, /** @type {any[]} */ ...rest) {
      if (target instanceof AudioDestinationNode && this instanceof GainNode) {
        const ear = new AnalyserNode(this.context, { fftSize: 2048 });
        ears.set(this, ear);
        connect.call(this, /** @type {any} */ (ear));
      }
      return connect.call(this, target, ...rest);
    },
  );
  const rms = () => {
    const ear = [...ears.values()].at(-1);
    const samples = new Float32Array(2048);
    ear?.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
  };
  page.prefer({ volumePercent: 50 });
  page.audio.wake();
  const samples = Int16Array.from({ length: 72_000 }, (_, i) => 16_000 * Math.sin(i / 9));
  page.audio.playback.play({ item_id: "a", content_index: 0, start_sample: 0, last: true }, samples);
  const whole = 16_000 / 32_768 / Math.SQRT2;
  await vi.waitFor(() => expect(rms()).toBeCloseTo(whole * 0.25, 2), { timeout: 2000, interval: 20 });
  expect(page.audio.level("model")).toBeGreaterThan(0.3);
  page.prefer({ volumePercent: 100 });
  await vi.waitFor(() => expect(rms()).toBeCloseTo(whole, 2), { timeout: 1000, interval: 20 });
  page.prefer({ volumePercent: 0 });
  await vi.waitFor(() => expect(rms()).toBeLessThan(0.001), { timeout: 1000, interval: 20 });
  expect(page.audio.level("model")).toBeGreaterThan(0.3);
});
