import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LiveContext } from "../src/live-context.js";
import { NO_WORKLET } from "../src/trouble.js";
import { FakeBrowser } from "./fake-context.js";
import { random, seeds } from "./random.js";

/** @type {FakeBrowser} */
let browser;
/** @type {string[]} */
let states;
/** @type {LiveContext} */
let live;

beforeEach(() => {
  vi.useFakeTimers();
  browser = new FakeBrowser();
  vi.stubGlobal("AudioContext", browser.AudioContext);
  vi.stubGlobal("navigator", browser.navigator);
  vi.stubGlobal("document", browser.document);
  states = [];
  live = new LiveContext({ worklets: ["// nothing"], changed: () => states.push(live.state) });
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const context = () => {
  const [first] = browser.contexts;
  if (!first) throw new Error("no context");
  return first;
};
const pass = (/** @type {number} */ ms) => vi.advanceTimersByTimeAsync(ms);

describe("where sound may start by itself", () => {
  test("it runs as soon as it is wanted, and says so once", async () => {
    for (let i = 0; i < 50; i += 1) live.wake();
    await pass(1000);
    live.wake();
    expect(states).toEqual(["waking", "ready"]);
    expect(browser.resumes).toBe(1);
  });

  test("it rests and wakes", async () => {
    live.wake();
    await pass(100);
    live.rest();
    await pass(100);
    expect(context().state).toBe("suspended");
    live.wake();
    await pass(100);
    expect(context().state).toBe("running");
    expect(states).toEqual(["waking", "ready", "asleep", "waking", "ready"]);
  });

  test("wanted again before it slept, it runs on", async () => {
    live.wake();
    await pass(100);
    live.rest();
    live.wake();
    expect(context().state).toBe("running");
    await pass(100);
    expect(context().state).toBe("running");
    expect(live.state).toBe("ready");
  });

  test("no longer wanted before it ran, it sleeps", async () => {
    live.wake();
    live.rest();
    await pass(1000);
    expect(context().state).toBe("suspended");
    expect(live.state).toBe("asleep");
  });

  test.each(seeds(50))("whatever is asked in whatever order, the last word counts (%i)", async (seed) => {
    const next = random(seed);
    for (let i = 0; i < 30; i += 1) {
      if (next(2) === 0) live.wake();
      else live.rest();
      if (next(3) > 0) await pass(next(25));
    }
    const wanted = next(2) === 0;
    if (wanted) live.wake();
    else live.rest();
    await pass(600);
    expect(context().state).toBe(wanted ? "running" : "suspended");
    expect(live.state).toBe(wanted ? "ready" : "asleep");
  });
});

describe("where a click is needed first", () => {
  beforeEach(() => {
    browser.autoplay = false;
  });

  test("it is said within half a second, and the browser is asked once", async () => {
    for (let i = 0; i < 20; i += 1) {
      live.wake();
      await pass(20);
    }
    expect(states).toEqual(["waking"]);
    await pass(100);
    expect(states).toEqual(["waking", "blocked"]);
    await pass(10_000);
    live.wake();
    expect(states).toEqual(["waking", "blocked"]);
    expect(browser.resumes).toBe(1);
  });

  test.each(["pointerdown", "pointerup", "touchend", "click", "keydown"])(
    "a %s lets it run",
    async (type) => {
      live.wake();
      await pass(600);
      browser.click(type);
      await pass(20);
      expect(states).toEqual(["waking", "blocked", "ready"]);
      const { resumes } = browser;
      browser.click(type);
      await pass(20);
      expect(browser.resumes).toBe(resumes);
    },
  );

  test("a click before it is said does too, and it never is", async () => {
    live.wake();
    await pass(100);
    browser.click();
    await pass(1000);
    expect(states).toEqual(["waking", "ready"]);
  });

  test("wanted in vain, then inside a click, it runs", async () => {
    live.wake();
    Object.assign(browser.activation, { isActive: true, hasBeenActive: true });
    live.wake();
    await pass(1000);
    expect(states).toEqual(["waking", "ready"]);
  });

  test("a click that went elsewhere long ago is enough for the next wish", async () => {
    live.wake();
    await pass(600);
    Object.assign(browser.activation, { isActive: false, hasBeenActive: true });
    live.wake();
    await pass(20);
    expect(states).toEqual(["waking", "blocked", "ready"]);
  });

  test("a microphone that was given is as good as a click", async () => {
    live.retry();
    expect(browser.resumes).toBe(0);
    live.wake();
    await pass(600);
    browser.autoplay = true;
    live.retry();
    await pass(20);
    expect(states).toEqual(["waking", "blocked", "ready"]);
  });

  test("not wanted any more, it waits for no click; wanted again, it is said again", async () => {
    live.wake();
    await pass(100);
    live.rest();
    await pass(1000);
    expect(states).toEqual(["waking", "asleep"]);
    live.wake();
    await pass(600);
    expect(states).toEqual(["waking", "asleep", "waking", "blocked"]);
    live.rest();
    browser.click();
    await pass(100);
    expect(context().state).toBe("suspended");
    expect(live.state).toBe("asleep");
  });
});

describe("what happens to it in mid-talk", () => {
  beforeEach(async () => {
    live.wake();
    await pass(1000);
    states = [];
  });

  test("put to sleep by the browser, it is woken", async () => {
    context().suspend();
    await pass(100);
    expect(states).toEqual(["waking", "ready"]);
    expect(context().state).toBe("running");
  });

  test("interrupted, that is said after half a second, and it goes on when the browser lets it", async () => {
    context().becomes("interrupted");
    await pass(400);
    expect(states).toEqual(["waking"]);
    await pass(200);
    expect(states).toEqual(["waking", "blocked"]);
    context().becomes("running");
    await pass(20);
    expect(states).toEqual(["waking", "blocked", "ready"]);
  });

  test("interrupted and then only put to sleep, it is woken", async () => {
    context().becomes("interrupted");
    await pass(600);
    browser.activation.hasBeenActive = true;
    context().becomes("suspended");
    await pass(50);
    expect(live.state).toBe("ready");
  });

  test("a device that fails is not asked for over and over; a new device is", async () => {
    browser.device = false;
    const { resumes } = browser;
    context().suspend();
    await pass(5000);
    expect(states).toEqual(["waking", "blocked"]);
    expect(browser.resumes - resumes).toBe(1);
    browser.device = true;
    browser.mediaDevices.dispatchEvent(new Event("devicechange"));
    await pass(50);
    expect(states).toEqual(["waking", "blocked", "ready"]);
  });

  test("a device that fails each time it has started is left alone", async () => {
    const { resumes } = browser;
    for (let i = 0; i < 20; i += 1) {
      context().suspend();
      await pass(30);
    }
    await pass(1000);
    expect(browser.resumes - resumes).toBe(1);
    expect(live.state).toBe("blocked");
    browser.click();
    await pass(50);
    expect(live.state).toBe("ready");
  });

  test("closed by the browser, that is said, and it stays so", async () => {
    context().close();
    await pass(12);
    expect(states).toEqual(["closed"]);
    live.wake();
    live.rest();
    await pass(1000);
    expect(states).toEqual(["closed"]);
  });

  test("its clock is worth nothing after it stood still", async () => {
    live.clock.observe(1, 1000);
    context().suspend();
    await pass(12);
    expect(live.clock.toPageMs(1)).toBeNaN();
    // On its way since before it slept.
    live.clock.observe(1, 1000);
    await pass(100);
    expect(live.state).toBe("ready");
    expect(live.clock.toPageMs(1)).toBeNaN();
  });
});

test("closed by its owner, it says and does nothing more", async () => {
  browser.autoplay = false;
  live.wake();
  live.close();
  browser.click();
  await pass(1000);
  live.wake();
  live.rest();
  live.close();
  await pass(1000);
  expect(states).toEqual(["waking"]);
  expect(context().state).toBe("closed");
});

test("a host that lets no worklet in: a reason of its own", async () => {
  browser.worklets = false;
  const other = new LiveContext({ worklets: ["x"], changed: () => {} });
  await expect(other.ready).rejects.toMatchObject({ name: NO_WORKLET });
});
