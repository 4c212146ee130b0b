import { describe, expect, test } from "vitest";
import { PlaybackQueue, POSITION_SAMPLES, START_SAMPLES } from "../src/playback-queue.js";
import { random, seeds } from "./random.js";

const BLOCK = 128;

/**
 * @param {number} from
 * @param {number} length
 */
const ramp = (from, length) => Int16Array.from({ length }, (_, i) => from + i + 1);

/**
 * @param {string} item_id
 * @param {number} start_sample
 * @param {Int16Array} samples
 * @param {boolean} [last]
 */
const chunk = (item_id, start_sample, samples, last = false) => ({
  item_id,
  content_index: 0,
  start_sample,
  samples,
  last,
});

/**
 * @param {PlaybackQueue} queue
 * @param {number} blocks
 * @returns {number[]} all samples, silence included, as int16
 */
function pull(queue, blocks) {
  const heard = [];
  const out = new Float32Array(BLOCK);
  for (let i = 0; i < blocks; i += 1) {
    queue.pull(out);
    heard.push(...out.map((sample) => sample * 32768));
  }
  return heard;
}

/** @param {PlaybackQueue} queue */
function told(queue) {
  const events = queue.events.map(({ event, item_id, played_samples }) => [event, item_id, played_samples]);
  queue.events = [];
  return events;
}

describe("starting", () => {
  test("waits for 120 ms of sound", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, START_SAMPLES - 1)));
    expect(pull(queue, 2).every((sample) => sample === 0)).toBe(true);
    expect(told(queue)).toEqual([]);
    queue.push(chunk("a", START_SAMPLES - 1, ramp(START_SAMPLES - 1, 1)));
    expect(pull(queue, 1)).toEqual([...ramp(0, BLOCK)]);
    expect(told(queue)).toEqual([["started", "a", 0]]);
  });

  test("does not wait where the item is shorter", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 100), true));
    expect(pull(queue, 1)).toEqual([...ramp(0, 100), ...new Array(28).fill(0)]);
    expect(told(queue)).toEqual([
      ["started", "a", 0],
      ["ended", "a", 100],
    ]);
    expect(queue.underruns).toBe(0);
  });

  test("tells where in the block something happened", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 100), true));
    queue.push(chunk("b", 0, ramp(0, 10), true));
    pull(queue, 1);
    expect(queue.events.map(({ event, item_id, offset }) => [event, item_id, offset])).toEqual([
      ["started", "a", 0],
      ["ended", "a", 100],
      ["started", "b", 100],
      ["ended", "b", 110],
    ]);
  });
});

describe("playing", () => {
  test("items follow each other without a gap, in the order they came", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 200), true));
    queue.push(chunk("b", 0, ramp(1000, 300), true));
    expect(pull(queue, 4).slice(0, 500)).toEqual([...ramp(0, 200), ...ramp(1000, 300)]);
  });

  test("a position at most every quarter of a second", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 24_000), true));
    pull(queue, 24_000 / BLOCK + 1);
    const events = told(queue);
    expect(events.map(([event]) => event)).toEqual(["started", "position", "position", "position", "ended"]);
    expect(events[1]?.[2]).toBeGreaterThanOrEqual(POSITION_SAMPLES);
    expect(events[1]?.[2]).toBeLessThan(POSITION_SAMPLES + BLOCK);
    expect(events.at(-1)).toEqual(["ended", "a", 24_000]);
  });

  test("an end mark without sound ends the item", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 3000)));
    pull(queue, 30);
    expect(told(queue).map(([event]) => event)).toEqual(["started"]);
    queue.push(chunk("a", 3000, new Int16Array(0), true));
    pull(queue, 1);
    expect(told(queue)).toEqual([["ended", "a", 3000]]);
    expect(queue.underruns).toBe(0);
  });

  test("an item without any sound just ends", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, new Int16Array(0), true));
    pull(queue, 1);
    expect(told(queue)).toEqual([["ended", "a", 0]]);
  });

  test("an item that never got its end mark does not hold up the next one", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 3000)));
    pull(queue, 30);
    queue.push(chunk("b", 0, ramp(0, 3000)));
    pull(queue, 1);
    expect(told(queue)).toEqual([
      ["started", "a", 0],
      ["ended", "a", 3000],
      ["started", "b", 0],
    ]);
  });
});

describe("running out", () => {
  test("is one underrun, and 120 ms are gathered before it goes on", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 3000)));
    pull(queue, 40);
    expect(queue.underruns).toBe(0);
    queue.push(chunk("a", 3000, ramp(3000, 100)));
    expect(queue.underruns).toBe(1);
    expect(pull(queue, 2).every((sample) => sample === 0)).toBe(true);
    queue.push(chunk("a", 3100, ramp(3100, START_SAMPLES)));
    expect(pull(queue, 1)).toEqual([...ramp(3000, BLOCK)]);
    expect(queue.underruns).toBe(1);
  });
});

describe("what comes twice, late or never", () => {
  test("is played once", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 1000)));
    queue.push(chunk("a", 0, ramp(0, 1000)));
    queue.push(chunk("a", 1000, ramp(1000, 1000)));
    queue.push(chunk("a", 500, ramp(500, 1500), true));
    expect(pull(queue, 16).slice(0, 2000)).toEqual([...ramp(0, 2000)]);
    expect(told(queue).at(-1)).toEqual(["ended", "a", 2000]);
  });

  test("is put in its place", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 1000)));
    queue.push(chunk("a", 2000, ramp(2000, 1000), true));
    queue.push(chunk("a", 1000, ramp(1000, 1000)));
    expect(pull(queue, 24).slice(0, 3000)).toEqual([...ramp(0, 3000)]);
  });

  test("is passed over, and positions stay places within the item", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 1000)));
    queue.push(chunk("a", 2000, ramp(2000, 500), true));
    expect(pull(queue, 12).slice(0, 1500)).toEqual([...ramp(0, 1000), ...ramp(2000, 500)]);
    expect(told(queue).at(-1)).toEqual(["ended", "a", 2500]);
  });

  test("after the end of its item is not played", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 500), true));
    pull(queue, 5);
    queue.push(chunk("a", 0, ramp(0, 500), true));
    expect(pull(queue, 5).every((sample) => sample === 0)).toBe(true);
  });
});

describe("falling silent", () => {
  test("stops at once and tells exactly what was played of each item", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 200), true));
    queue.push(chunk("b", 0, ramp(0, 5000), true));
    queue.push(chunk("c", 0, ramp(0, 5000), true));
    pull(queue, 10);
    queue.silence();
    expect(pull(queue, 3).every((sample) => sample === 0)).toBe(true);
    expect(queue.report()).toEqual([
      { item_id: "a", content_index: 0, played_samples: 200 },
      { item_id: "b", content_index: 0, played_samples: 1280 - 200 },
      { item_id: "c", content_index: 0, played_samples: 0 },
    ]);
    expect(queue.report()).toEqual([]);
  });

  test("what still arrives of such an item is not played, and is not told of again", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 5000)));
    pull(queue, 1);
    queue.silence();
    queue.report();
    queue.push(chunk("a", 5000, ramp(5000, 5000), true));
    queue.push(chunk("b", 0, ramp(0, 100), true));
    expect(pull(queue, 1).slice(0, 100)).toEqual([...ramp(0, 100)]);
    expect(queue.report().map(({ item_id }) => item_id)).toEqual(["b"]);
  });

  test("a report without silence leaves what plays in the next one", () => {
    const queue = new PlaybackQueue();
    queue.push(chunk("a", 0, ramp(0, 5000), true));
    pull(queue, 1);
    queue.report();
    pull(queue, 1);
    expect(queue.report()).toEqual([{ item_id: "a", content_index: 0, played_samples: 256 }]);
  });

  test("the parts of one item are told apart", () => {
    const queue = new PlaybackQueue();
    queue.push({ ...chunk("a", 0, ramp(0, 100), true), content_index: 0 });
    queue.push({ ...chunk("a", 0, ramp(0, 50), true), content_index: 1 });
    pull(queue, 3);
    expect(queue.report()).toEqual([
      { item_id: "a", content_index: 0, played_samples: 100 },
      { item_id: "a", content_index: 1, played_samples: 50 },
    ]);
  });
});

test("an hour of items leaves little behind", () => {
  const queue = new PlaybackQueue();
  for (let i = 0; i < 2000; i += 1) {
    queue.push(chunk(`item ${i}`, 0, ramp(0, 10), true));
    pull(queue, 1);
  }
  expect(queue.report().length).toBeLessThan(300);
  for (let i = 0; i < 2000; i += 1) {
    queue.push(chunk(`more ${i}`, 0, ramp(0, 10), true));
    queue.silence();
    queue.report();
  }
  expect(queue.silenced.size).toBeLessThan(300);
});

test.each(seeds(40))(
  "however it is cut, shuffled, repeated and paced, every sample is played once (%i)",
  (seed) => {
    const next = random(seed);
    const queue = new PlaybackQueue({ startSamples: 1 + next(600) });
    /** @type {ReturnType<typeof chunk>[]} */
    const arriving = [];
    /** @type {number[]} */
    const expected = [];
    for (const [i, item_id] of ["a", "b", "c"].entries()) {
      const length = next(4000);
      const whole = ramp(i * 8000, length);
      expected.push(...whole);
      /** @type {ReturnType<typeof chunk>[]} */
      const cuts = [];
      for (let at = 0; at < length; ) {
        const end = Math.min(length, at + 1 + next(900));
        cuts.push(chunk(item_id, at, whole.slice(at, end), end === length));
        if (next(4) === 0) cuts.push(chunk(item_id, at, whole.slice(at, end)));
        at = end;
      }
      // The first stays first, so that items keep their order; the rest may overtake each other before they are played.
      const [first, ...rest] = cuts;
      if (first) arriving.push(first);
      while (rest.length)
        arriving.push(.../** @type {typeof rest} */ (rest.splice(next(Math.min(3, rest.length)), 1)));
    }
    for (const one of arriving) queue.push(one);
    const heard = [];
    for (let i = 0; i < 120; i += 1) {
      const out = new Float32Array(1 + next(256));
      const filled = queue.pull(out);
      heard.push(...out.subarray(0, filled).map((sample) => sample * 32768));
    }
    expect(heard).toEqual(expected);
    const total = queue.report().reduce((sum, { played_samples }) => sum + played_samples, 0);
    expect(total).toBe(expected.length);
    expect(queue.underruns).toBe(0);
  },
);
