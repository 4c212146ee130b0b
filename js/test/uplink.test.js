// Frames on their way to a kernel that takes them at once, late, in part, or not at all.

import { beforeEach, describe, expect, test } from "vitest";
import { FRAME_MS, HELD_MS, KEPT_FRAMES, Uplink, WINDOW_FRAMES } from "../src/uplink.js";

/** @typedef {import("../src/uplink.js").MicMessage & { bytes: number[] }} Sent */

const FRAME_BYTES = 1920;

/** @type {Sent[]} */
let sent;
/** @type {import("../src/uplink.js").Line[]} */
let lines;
/** @type {Uplink} */
let uplink;
let nowMs = 0;
let made = 0;

beforeEach(() => {
  [sent, lines, nowMs, made] = [[], [], 1000, 0];
  uplink = new Uplink({
    // The first byte of each frame says which it is.
    send: (message, buffer) => {
      const all = new Uint8Array(buffer);
      const bytes = Array.from({ length: all.length / FRAME_BYTES }, (_, n) => all[n * FRAME_BYTES] ?? -1);
      sent.push({ ...message, bytes });
    },
    changed: (line) => lines.push(line),
  });
});

/** @param {number} count frames, one every 40 ms */
function speak(count, captured = (/** @type {number} */ n) => n * FRAME_MS) {
  for (let n = 0; n < count; n += 1) {
    nowMs += FRAME_MS;
    uplink.push(
      { captured_at_ms: captured(made), buffer: new Uint8Array(FRAME_BYTES).fill(made % 251).buffer },
      nowMs,
    );
    made += 1;
  }
}

/** @param {number} next @param {number} [until] */
const heard = (next, until = next) => uplink.heard({ next, until }, nowMs);
const numbers = () => sent.flatMap(({ seq, bytes }) => bytes.map((_, n) => seq + n));

test("a kernel that answers gets each frame at once, alone, numbered without end", () => {
  for (let n = 0; n < 200; n += 1) {
    speak(1);
    if (n % 10 === 9) heard(n + 1);
  }
  expect(sent.map(({ seq, bytes }) => [seq, bytes.length])).toEqual(
    Array.from({ length: 200 }, (_, n) => [n, 1]),
  );
  expect(lines).toEqual([]);
  uplink.clear();
  speak(1);
  expect(sent.at(-1)).toMatchObject({ seq: 200, base: 200 });
});

describe("a kernel that takes nothing", () => {
  test("is noticed within two seconds, and that it is over", () => {
    speak(HELD_MS / FRAME_MS);
    expect(lines).toEqual([]);
    speak(3);
    expect(lines[0]).toMatchObject({ held: true, lostMs: 0 });
    expect(nowMs - 1000).toBeLessThan(2000);
    heard(made);
    expect(lines.at(-1)).toEqual({ held: false, keptMs: 0, lostMs: 0 });
  });

  test("gets a window of frames and a knock now and then, however long it lasts", () => {
    speak(60 * 25);
    const fresh = new Set(numbers());
    expect(fresh.size).toBeLessThanOrEqual(WINDOW_FRAMES + 20);
    expect(sent.length).toBeLessThan(WINDOW_FRAMES + 20);
    const line = uplink.line;
    expect(line.keptMs).toBe(KEPT_FRAMES * FRAME_MS);
    // A minute was said: what is neither kept nor on its way is lost.
    expect(line.lostMs).toBeGreaterThan(60_000 - KEPT_FRAMES * FRAME_MS - (WINDOW_FRAMES + 20) * FRAME_MS);
    expect(line.lostMs).toBeLessThanOrEqual(60_000 - KEPT_FRAMES * FRAME_MS);
  });

  test("gets all that is kept once it answers, in large messages, in order, and nothing twice", () => {
    speak(10 * 25);
    sent = sent.filter(({ seq }, n) => sent.findIndex((other) => other.seq === seq) === n);
    const before = sent.length;
    for (let next = 0; next < made; ) {
      const [last] = sent.slice(-1);
      next = (last?.seq ?? 0) + (last?.bytes.length ?? 0);
      nowMs += 50;
      heard(next);
    }
    expect(numbers()).toEqual(Array.from({ length: made }, (_, n) => n));
    expect(sent.flatMap(({ bytes }) => bytes)).toEqual(Array.from({ length: made }, (_, n) => n % 251));
    expect(sent.length - before).toBeLessThan(12);
    expect(lines.at(-1)?.held).toBe(false);
  });

  test("frames whose times do not follow on share no message", () => {
    speak(WINDOW_FRAMES);
    speak(4, (n) => n * FRAME_MS + (n >= WINDOW_FRAMES + 2 ? 9000 : 0));
    sent = [];
    heard(WINDOW_FRAMES);
    expect(sent.map(({ seq, bytes }) => [seq, bytes.length])).toEqual([
      [WINDOW_FRAMES, 2],
      [WINDOW_FRAMES + 2, 2],
    ]);
  });
});

describe("what is lost on its way", () => {
  test("is sent again where the kernel has what came after it", () => {
    speak(20);
    nowMs += 1000;
    sent = [];
    heard(5, 9);
    expect(sent).toMatchObject([{ seq: 5, base: 5, bytes: [5, 6, 7, 8] }]);
    // Not again before it could have arrived.
    heard(5, 9);
    expect(sent).toHaveLength(1);
  });

  test("is found by knocking where all of it was lost", () => {
    speak(WINDOW_FRAMES + 35);
    expect(sent.filter(({ seq }) => seq === 0).length).toBeGreaterThan(1);
    // The kernel now has that one; and then the next of those that were kept, but none in between.
    nowMs += 1000;
    sent = [];
    heard(1);
    expect(numbers()).toEqual([WINDOW_FRAMES]);
    heard(1, WINDOW_FRAMES);
    expect(numbers().slice(1)).toEqual(Array.from({ length: WINDOW_FRAMES - 1 }, (_, n) => n + 1));
    heard(WINDOW_FRAMES + 1);
    expect(numbers().at(-1)).toBe(made - 1);
  });

  test("beyond what is kept is named by the base", () => {
    speak(KEPT_FRAMES + 100);
    sent = [];
    speak(100);
    expect(sent.length).toBeGreaterThan(0);
    for (const { seq, base } of sent) expect(seq).toBe(base);
    expect(sent.at(-1)?.base).toBeGreaterThan(100);
  });
});

describe("waiting for what was said", () => {
  /** @param {number} atMs */
  async function reached(atMs) {
    let done = false;
    uplink.sentUntil(atMs).then(() => {
      done = true;
    });
    await Promise.resolve();
    return () => Promise.resolve().then(() => done);
  }

  test("ends when the frame that holds the moment is on its way", async () => {
    speak(2);
    const done = await reached(100);
    expect(await done()).toBe(false);
    speak(1);
    expect(await done()).toBe(true);
  });

  test("goes on while it is kept here, and ends with what is not wanted any more", async () => {
    speak(WINDOW_FRAMES + 5);
    const done = await reached((WINDOW_FRAMES + 2) * FRAME_MS);
    const never = await reached(1e9);
    expect(await done()).toBe(false);
    heard(10);
    expect(await done()).toBe(true);
    expect(await never()).toBe(false);
    uplink.clear();
    expect(await never()).toBe(true);
  });
});

test("what was lost is told when it is over", () => {
  speak(KEPT_FRAMES + 200);
  heard(made);
  const { held, lostMs } = uplink.line;
  expect(held).toBe(false);
  expect(lostMs).toBeGreaterThan(0);
  expect(lines.at(-1)).toEqual({ held, keptMs: 0, lostMs });
});

describe("a microphone that is closed", () => {
  test("tells what the kernel will not get", () => {
    speak(300);
    sent = [];
    uplink.clear();
    // As if frame 300 came next, and nothing before it were there any more.
    expect(sent).toEqual([{ kind: "mic", seq: 300, base: 300, captured_at_ms: 300 * FRAME_MS, bytes: [] }]);
    uplink.clear();
    expect(sent).toHaveLength(1);
    expect(uplink.captured).toBe(300);
    expect(uplink.line).toEqual({ held: false, keptMs: 0, lostMs: 0 });
  });

  test("says nothing where the kernel has all of it", () => {
    speak(20);
    heard(20);
    sent = [];
    uplink.clear();
    expect(sent).toEqual([]);
  });
});
