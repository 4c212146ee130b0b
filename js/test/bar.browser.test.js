// The bar in a real browser: the button and the keys as they are pressed, the choice of two, the meters, the clock, the keys' list.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { userEvent } from "vitest/browser";
import { mounted } from "./mounted.js";
import { talk } from "./views-of.js";

/** @type {import("./fake-model.js").FakeModel} */
let model;
/** @type {AbortController} */
let life;
/** @type {HTMLElement} */
let place;

beforeEach(() => {
  ({ model, life, place } = mounted());
});

afterEach(() => {
  life.abort();
  place.remove();
  vi.restoreAllMocks();
});

const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));

/** @param {Partial<import("../src/messages.js").TalkState>} [said] */
async function snapshot(said) {
  const state = talk({ audio_page: model.page, ...said });
  model.say({ kind: "snapshot", page: model.page, talk: state, items: [] });
  await frame();
}

/** @param {Partial<import("../src/messages.js").TalkState>} patch */
const say = (patch) => model.say({ kind: "talk", page: null, patch });

/** @param {string} name */
function one(name) {
  const found = place.querySelector(`[data-testid="${name}"]`);
  if (!(found instanceof HTMLElement)) throw new Error(`there is no ${name}`);
  return found;
}

const view = () => one("gip");
const verbs = () => model.of("request").map(({ verb }) => verb);
/** @param {string} state */
const shows = (state) => vi.waitFor(() => expect(view().dataset.gipState).toBe(state));

/**
 * @param {string} type
 * @param {HTMLElement} target
 * @param {Partial<PointerEventInit>} [rest]
 */
const pointer = (type, target, rest) =>
  target.dispatchEvent(
    new PointerEvent(type, { bubbles: true, isPrimary: true, button: 0, pointerId: 1, ...rest }),
  );

/**
 * @param {"keydown" | "keyup"} type
 * @param {string} key
 * @param {string} code
 * @param {KeyboardEventInit} [rest]
 */
function key(type, key, code, rest) {
  const target = document.activeElement ?? document.body;
  const event = new KeyboardEvent(type, {
    key,
    code,
    bubbles: true,
    cancelable: true,
    composed: true,
    ...rest,
  });
  target.dispatchEvent(event);
  return event;
}

/** A pointer that no browser knows cannot be captured. */
const capture = () => vi.spyOn(Element.prototype, "setPointerCapture").mockImplementation(() => {});

/** @param {Partial<import("../src/messages.js").TalkState>} [said] */
async function byHand(said) {
  capture();
  await snapshot({ state: "listening", turn_detection: "none", ...said });
  view().focus();
}

describe("a press shows at once", () => {
  test.each([
    ["Start", {}, "connecting"],
    ["push to talk", { state: "speaking", turn_detection: "none" }, "hearing"],
  ])("%s within 50 ms, with no word of the kernel", async (_name, said, state) => {
    capture();
    await snapshot(/** @type {any} */ (said));
    // As any hand does before it presses.
    await userEvent.click(one("gip-state"));
    await userEvent.hover(one("gip-start"));
    await frame();
    const began = performance.now();
    const shown = new Promise((resolve) => {
      const watch = new MutationObserver(() => {
        if (view().dataset.gipState !== state) return;
        watch.disconnect();
        resolve(performance.now() - began);
      });
      watch.observe(view(), { attributes: true });
    });
    pointer("pointerdown", one("gip-start"));
    if (state === "connecting") one("gip-start").click();
    expect(await shown).toBeLessThan(50);
  });

  test("Stop too", async () => {
    await snapshot({ state: "speaking" });
    one("gip-stop").click();
    await frame();
    expect(view().dataset.gipState).toBe("closed");
    expect(one("gip-verbs").checkVisibility()).toBe(false);
    expect(document.activeElement).toBe(one("gip-start"));
    model.reply({ title: "x", message: "it does not stop", next_step: "" });
    await shows("speaking");
  });
});

describe("push to talk", () => {
  test("by the pointer: pressed, and released once, wherever it comes up", async () => {
    await byHand();
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      model.sent.length = 0;
      pointer("pointerdown", one("gip-start"));
      await shows("hearing");
      expect(one("gip-start").getAttribute("aria-pressed")).toBe("true");
      pointer(end, one("gip-start"));
      pointer("pointerup", one("gip-start"));
      await vi.waitFor(() => expect(verbs()).toEqual(["press", "release"]));
    }
  });

  test("another button or finger presses nothing", async () => {
    await byHand();
    pointer("pointerdown", one("gip-start"), { button: 2 });
    pointer("pointerdown", one("gip-start"), { isPrimary: false });
    await frame();
    expect(verbs()).toEqual([]);
  });

  test("by Space: repeats are one press, and leaving lets go", async () => {
    await byHand();
    const leaves = [
      () => key("keyup", " ", "Space"),
      () => globalThis.dispatchEvent(new FocusEvent("blur")),
      () => /** @type {HTMLElement} */ (document.activeElement).blur(),
    ];
    for (const leave of leaves) {
      model.sent.length = 0;
      view().focus();
      expect(key("keydown", " ", "Space").defaultPrevented).toBe(true);
      key("keydown", " ", "Space", { repeat: true });
      await shows("hearing");
      leave();
      await vi.waitFor(() => expect(verbs()).toEqual(["press", "release"]));
    }
  });

  test("by K, hit and hit again, by Enter and by a screen reader's click", async () => {
    await byHand();
    for (const hit of [() => key("keydown", "k", "KeyK"), () => one("gip-start").click()]) {
      model.sent.length = 0;
      hit();
      await shows("hearing");
      hit();
      await vi.waitFor(() => expect(verbs()).toEqual(["press", "release"]));
    }
  });

  test("opens the microphone, and the last of what was said goes out before the release", async () => {
    await byHand();
    expect(view().dataset.gipMicrophone).toBe("off");
    key("keydown", " ", "Space");
    await vi.waitFor(() => expect(model.of("mic").length).toBeGreaterThan(2), { timeout: 4000 });
    const upAtMs = performance.timeOrigin + performance.now();
    key("keyup", " ", "Space");
    await vi.waitFor(() => expect(verbs()).toEqual(["press", "release"]));
    const release = model.sent.findIndex(
      ({ message }) => message.kind === "request" && message.verb === "release",
    );
    const before = model.sent
      .slice(0, release)
      .flatMap(({ message }) => (message.kind === "mic" ? message : []));
    expect((before.at(-1)?.captured_at_ms ?? 0) + 40).toBeGreaterThan(upAtMs - 5);
  });

  test("a slip is a hint and no trouble; before the start it is a start", async () => {
    await byHand();
    key("keydown", " ", "Space");
    key("keyup", " ", "Space");
    await vi.waitFor(() => expect(verbs()).toEqual(["press", "release"]));
    model.reply(null, { too_short: true });
    await vi.waitFor(() => expect(one("gip-hint").textContent).toContain("too short"));
    expect(place.querySelector('[data-testid="gip-error"]')).toBeNull();
    say({ state: "closed" });
    await shows("closed");
    model.sent.length = 0;
    pointer("pointerdown", one("gip-start"));
    await shows("connecting");
    pointer("pointerup", one("gip-start"));
    await vi.waitFor(() => expect(verbs()).toEqual(["start", "press", "release"]));
    model.reply(null, { too_short: true });
    say({ state: "listening" });
    await vi.waitFor(() => expect(one("gip-hint").textContent).not.toContain("too short"));
  });

  test("unmutes: nobody is to speak for nothing", async () => {
    await byHand({ state: "muted", muted: true });
    key("keydown", " ", "Space");
    await shows("hearing");
    expect(model.of("request")[0]).toMatchObject({ verb: "mute", args: { muted: false } });
  });

  test("with turn detection, Space does what the button does", async () => {
    await snapshot({ state: "speaking" });
    view().focus();
    key("keydown", " ", "Space");
    key("keyup", " ", "Space");
    key("keydown", "k", "KeyK");
    expect(verbs()).toEqual(["interrupt"]);
  });
});

describe("the choice between the two", () => {
  const vad = { type: "server_vad", silence_duration_ms: 700, idle_timeout_ms: null };

  test("shows at once, and the way back is to what there was", async () => {
    const settings = { ...talk().settings, turn_detection: vad };
    await snapshot({ state: "listening", settings });
    one("gip-turns-manual").click();
    await vi.waitFor(() => expect(view().dataset.gipTurns).toBe("manual"));
    expect(model.of("request").at(-1)?.args).toEqual({
      fields: { audio: { input: { turn_detection: null } } },
    });
    say({ turn_detection: "none", settings: talk().settings });
    model.reply(null, { ignored: [], next: false });
    await frame();
    one("gip-turns-vad").click();
    await vi.waitFor(() => expect(model.of("request")).toHaveLength(2));
    expect(model.of("request").at(-1)?.args).toEqual({
      fields: { audio: { input: { turn_detection: { type: "server_vad", silence_duration_ms: 700 } } } },
    });
  });

  test("that is refused is taken back, and said", async () => {
    await snapshot({ state: "listening" });
    one("gip-turns-manual").click();
    await vi.waitFor(() => expect(one("gip-turns-manual").getAttribute("aria-checked")).toBe("true"));
    model.reply({ title: "No", message: "not now", next_step: "later" });
    await vi.waitFor(() => expect(one("gip-turns-vad").getAttribute("aria-checked")).toBe("true"));
    await vi.waitFor(() => expect(one("gip-error").textContent).toContain("not now"));
  });

  test("goes by arrows; one of the two is in the tab order", async () => {
    await snapshot({ state: "listening" });
    one("gip-turns-vad").focus();
    await userEvent.keyboard("{ArrowRight}");
    expect(document.activeElement).toBe(one("gip-turns-manual"));
    await vi.waitFor(() => expect(one("gip-turns-manual").tabIndex).toBe(0));
    expect(one("gip-turns-vad").tabIndex).toBe(-1);
  });
});

describe("keys", () => {
  test("act where nothing is typed or pressed", async () => {
    await snapshot({ state: "speaking" });
    one("gip-text").focus();
    for (const [name, code] of /** @type {const} */ ([
      ["m", "KeyM"],
      ["q", "KeyQ"],
      [" ", "Space"],
    ])) {
      expect(key("keydown", name, code).defaultPrevented).toBe(false);
    }
    one("gip-tab-events").focus();
    expect(key("keydown", " ", "Space").defaultPrevented).toBe(false);
    expect(verbs()).toEqual([]);
    key("keydown", "Escape", "Escape");
    key("keydown", "ㅡ", "KeyM");
    key("keydown", "ㅂ", "KeyQ");
    expect(verbs()).toEqual(["interrupt", "mute", "stop"]);
  });

  test("are listed in a dialog that gives the focus back", async () => {
    await snapshot({ state: "listening" });
    view().focus();
    key("keydown", "?", "Slash", { shiftKey: true });
    const dialog = one("gip-keys");
    expect(dialog.checkVisibility()).toBe(true);
    expect(dialog.contains(document.activeElement)).toBe(true);
    expect(key("keydown", "Escape", "Escape").defaultPrevented).toBe(true);
    expect(dialog.checkVisibility()).toBe(false);
    expect(document.activeElement).toBe(view());
    one("gip-keys-button").click();
    expect(dialog.checkVisibility()).toBe(true);
    await userEvent.click(one("gip-state"));
    expect(dialog.checkVisibility()).toBe(false);
    expect(verbs()).toEqual([]);
  });

  test("the hint names them while they act", async () => {
    await snapshot({ state: "speaking" });
    expect(one("gip-hint").querySelector("kbd")).toBeNull();
    view().focus();
    await vi.waitFor(() => expect(one("gip-hint").querySelector("kbd")?.textContent).toBe("Esc"));
  });
});

test("the meter moves with the voice, and rests when there is none", async () => {
  await snapshot();
  one("gip-start").click();
  say({ state: "listening", session_id: "sess_1" });
  const heights = () =>
    [...one("gip-meter-microphone").children].map((bar) =>
      Number(/** @type {HTMLElement} */ (bar).style.transform.replace(/[^\d.]/g, "")),
    );
  await vi.waitFor(() => expect(Math.max(...heights())).toBeGreaterThan(0.3), {
    timeout: 4000,
    interval: 20,
  });
  expect(one("gip-meter-microphone").dataset.used).toBe("true");
  one("gip-stop").click();
  await vi.waitFor(() => expect(Math.max(...heights())).toBeLessThan(0.1));
});

test("time passes while the talk goes on, and what it cost is told where it is known", async () => {
  const now = Date.now();
  await snapshot({ state: "listening", connected_at_ms: now - 83_500, rehearsal: false, cost_usd: 0.0123 });
  await vi.waitFor(() => expect(one("gip-elapsed").textContent).toMatch(/^01:2[34]$/));
  const before = one("gip-elapsed").textContent;
  await vi.waitFor(() => expect(one("gip-elapsed").textContent).not.toBe(before), { timeout: 2000 });
  expect(one("gip-cost").textContent).toBe("$0.012");
  say({ state: "closed", ended_at_ms: now - 83_500 + 3_723_000, cost_usd: null });
  await vi.waitFor(() => expect(one("gip-elapsed").textContent).toBe("1:02:03"));
  expect(one("gip-cost").checkVisibility()).toBe(false);
});

test("that the talk is written to disk is told before it begins, while it goes on and when it stops", async () => {
  await snapshot({ state: "idle" });
  expect(one("gip-disk-log").checkVisibility()).toBe(false);
  say({ log: { folder: "/home/me/runs", stopped: false } });
  await vi.waitFor(() => expect(one("gip-disk-log").textContent).toBe("will be recorded"));
  say({ state: "listening", log: { folder: "/home/me/runs/2025-11-22T15-40-00Z-3f9a1c", stopped: false } });
  await vi.waitFor(() => expect(one("gip-disk-log").textContent).toBe("recording"));
  expect(one("gip-disk-log").checkVisibility()).toBe(true);
  expect(one("gip-disk-log").title).toContain("/home/me/runs/2025-11-22T15-40-00Z-3f9a1c");
  say({ log: { folder: "/home/me/runs/2025-11-22T15-40-00Z-3f9a1c", stopped: true } });
  await vi.waitFor(() => expect(one("gip-disk-log").textContent).toBe("recording stopped"));
  expect(one("gip-disk-log").dataset.running).toBe("false");
  say({ state: "closed", log: { folder: "/home/me/runs/2025-11-22T15-40-00Z-3f9a1c", stopped: false } });
  await vi.waitFor(() => expect(one("gip-disk-log").textContent).toBe("recorded"));
});

test("a lost connection counts down to the next attempt, which may be made now, or given up", async () => {
  const due = (/** @type {number | null} */ due_at_ms) => ({
    reconnecting: { attempt: 2, attempts: 10, due_at_ms, message: "the server went away (code 1012)" },
  });
  await snapshot({ state: "reconnecting", ...due(Date.now() + 8000) });
  await shows("reconnecting");
  const hint = () => place.querySelector(".gip-hint")?.textContent ?? "";
  expect(hint()).toMatch(/again in [78] s, attempt 2 of 10/);
  expect(place.querySelector(".gip-hint")?.getAttribute("title")).toContain("1012");
  const before = hint();
  await vi.waitFor(() => expect(hint()).not.toBe(before), { timeout: 5000 });
  expect(one("gip-interrupt").checkVisibility()).toBe(false);
  one("gip-retry").click();
  await vi.waitFor(() => expect(verbs()).toEqual(["retry"]));
  expect(document.activeElement).toBe(one("gip-start"));
  say(due(null));
  await vi.waitFor(() => expect(hint()).toMatch(/trying again, attempt 2 of 10…/));
  expect(/** @type {HTMLButtonElement} */ (one("gip-retry")).disabled).toBe(true);
  one("gip-stop").click();
  await vi.waitFor(() => expect(verbs()).toEqual(["retry", "stop"]));
  say({ state: "listening", reconnecting: null });
  await frame();
  expect(one("gip-retry").checkVisibility()).toBe(false);
});
