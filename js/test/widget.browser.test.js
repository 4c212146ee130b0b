// The whole widget in a real browser, as a notebook loads it; only the kernel is played by the test.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { userEvent } from "vitest/browser";
import { make } from "../src/views/dom.js";
import css from "../src/widget.css?inline";
import widget from "../src/widget.js";
import { FakeModel } from "./fake-model.js";
import { item, REFUSED, talk } from "./views-of.js";

/** @typedef {import("../src/messages.js").ItemView} ItemView */

/** @type {FakeModel} */
let model;
/** @type {ReturnType<typeof widget>} */
let made;
/** @type {AbortController} */
let life;
/** @type {HTMLElement} */
let place;
/** @type {MediaStream[]} */
let streams;

const style = document.createElement("style");
style.textContent = css;
document.head.append(style);

beforeEach(() => {
  streams = [];
  const { mediaDevices } = navigator;
  const ask = mediaDevices.getUserMedia.bind(mediaDevices);
  vi.spyOn(mediaDevices, "getUserMedia").mockImplementation(async (constraints) => {
    const stream = await ask(constraints);
    streams.push(stream);
    return stream;
  });
  model = new FakeModel();
  life = new AbortController();
  place = document.createElement("div");
  document.body.append(place);
  made = widget();
  made.initialize({ model: /** @type {any} */ (model), signal: life.signal });
});

afterEach(() => {
  life.abort();
  place.remove();
  vi.restoreAllMocks();
});

/** @returns {AbortController} ends the view */
function render() {
  const view = new AbortController();
  made.render({ model: /** @type {any} */ (model), el: place, signal: view.signal });
  return view;
}

/**
 * @param {Partial<import("../src/messages.js").TalkState>} [said]
 * @param {ItemView[]} [items]
 */
const snapshot = (said, items = []) =>
  model.say({ kind: "snapshot", page: model.page, talk: talk({ audio_page: model.page, ...said }), items });

/** @param {Partial<import("../src/messages.js").TalkState>} patch */
const say = (patch) => model.say({ kind: "talk", page: null, patch });

/**
 * @param {ItemView[]} put
 * @param {[item_id: string, delta: string][]} [text]
 * @param {string[]} [drop]
 */
const items = (put, text = [], drop = []) =>
  model.say({
    kind: "items",
    page: null,
    put,
    text: text.map(([item_id, delta]) => ({ item_id, delta })),
    drop,
  });

/**
 * @param {string} name
 * @returns {HTMLElement}
 */
function one(name) {
  const found = place.querySelector(`[data-testid="${name}"]`);
  if (!(found instanceof HTMLElement)) throw new Error(`there is no ${name}`);
  return found;
}

const rows = () => [...place.querySelectorAll(".gip-row")].map((row) => /** @type {HTMLElement} */ (row));
const field = () => /** @type {HTMLTextAreaElement} */ (one("gip-text"));
const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
const tracks = () => streams.flatMap((stream) => stream.getTracks()).map((track) => track.readyState);

/**
 * @param {string} item_id
 * @param {number} seq
 * @param {number} [start_sample]
 * @returns {import("../src/messages.js").Audio}
 */
const audioOf = (item_id, seq, start_sample = 0) => ({
  kind: "audio",
  page: model.page,
  seq,
  item_id,
  content_index: 0,
  start_sample,
  last: false,
});

/** @param {string} state */
const shows = (state) => vi.waitFor(() => expect(one("gip").dataset.gipState).toBe(state));

/** @returns {Promise<AbortController>} ends the view */
async function started() {
  const view = render();
  snapshot();
  await shows("idle");
  one("gip-start").click();
  say({ state: "listening", session_id: "sess_1" });
  model.reply();
  await vi.waitFor(() => expect(model.of("mic").length).toBeGreaterThan(1), { timeout: 4000 });
  await shows("listening");
  return view;
}

describe("life", () => {
  test("hello when it is loaded and when the first view appears, and no wait in between", async () => {
    expect(model.of("hello")).toHaveLength(1);
    render();
    expect(model.of("hello")).toHaveLength(2);
    render();
    expect(model.of("hello")).toHaveLength(2);
    expect(one("gip").dataset.gipState).toBe("waiting");
    snapshot();
    await shows("idle");
    expect(place.querySelectorAll(".gip")).toHaveLength(2);
  });

  test("when the last of its views goes, the microphone is let go of", async () => {
    const first = await started();
    const second = render();
    second.abort();
    expect(place.querySelectorAll(".gip")).toHaveLength(1);
    expect(tracks()).toEqual(["live"]);
    first.abort();
    expect(place.childElementCount).toBe(0);
    await vi.waitFor(() => expect(tracks()).toEqual(["ended"]));
    expect(model.of("bye")).toHaveLength(1);
    render();
    await shows("listening");
    expect(one("gip-state").textContent).toBe("Connected");
    expect(model.of("hello").at(-1)?.views).toBe(1);
  });

  test("a view that another one follows at once is not the last", async () => {
    const first = await started();
    first.abort();
    render();
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(tracks()).toEqual(["live"]);
    expect(model.of("bye")).toEqual([]);
  });

  test("what comes while a cell is run again is played, and without a view nothing is acknowledged", async () => {
    const first = await started();
    first.abort();
    model.say(audioOf("a", 0), new Int16Array(12_000));
    await vi.waitFor(() => expect(model.of("playback").length).toBeGreaterThan(0));
    await vi.waitFor(() => expect(model.of("bye")).toHaveLength(1));
    model.say(audioOf("a", 1, 12_000), new Int16Array(12_000));
    model.say({ kind: "clock", page: model.page, clock: 1 });
    expect(model.of("clock").at(-1)?.acked).toBe(0);
  });

  test("a page that is left says so first, and lets go of the microphone", async () => {
    await started();
    globalThis.dispatchEvent(new PageTransitionEvent("pagehide"));
    expect(tracks()).toEqual(["ended"]);
    expect(
      model.sent
        .map(({ message }) => message.kind)
        .filter((kind) => kind !== "mic")
        .slice(-2),
    ).toEqual(["bye", "mic_state"]);
    // All that was captured.
    const sounds = model.sent.filter(({ message }) => message.kind === "mic");
    const bytes = sounds.reduce((all, { buffers }) => all + (buffers[0]?.byteLength ?? 0), 0);
    expect(model.of("bye").at(-1)?.frames).toBe(bytes / 1920);
    globalThis.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    expect(model.of("hello").at(-1)?.views).toBe(1);
  });

  test("the cleanup that render returns does the same as its signal", async () => {
    const cleanup = made.render({ model: /** @type {any} */ (model), el: place });
    snapshot();
    await shows("idle");
    one("gip-start").click();
    await vi.waitFor(() => expect(model.of("mic").length).toBeGreaterThan(1), { timeout: 4000 });
    model.say(
      {
        kind: "audio",
        page: model.page,
        seq: 0,
        item_id: "a",
        content_index: 0,
        start_sample: 0,
        last: false,
      },
      new Int16Array(48_000),
    );
    await vi.waitFor(() => expect(model.of("playback").length).toBeGreaterThan(0));
    cleanup();
    expect(place.childElementCount).toBe(0);
    await vi.waitFor(() => expect(tracks()).toEqual(["ended"]));
    expect(model.of("mic_state").at(-1)?.state).toBe("off");
    await vi.waitFor(() => expect(model.of("flushed")).toHaveLength(1));
    expect(model.of("flushed")[0]).toMatchObject({ flush: -1, positions: [{ item_id: "a" }] });
    const frames = model.of("mic").length;
    model.say({ kind: "capture", page: model.page, on: true });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(model.of("mic")).toHaveLength(frames);
  });

  test("the end of the model ends everything", async () => {
    await started();
    life.abort();
    expect(tracks()).toEqual(["ended"]);
    expect(place.childElementCount).toBe(0);
    const sent = model.sent.length;
    model.say({ kind: "flush", page: null, flush: 1 });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(model.sent).toHaveLength(sent);
  });

  test("a kernel that is gone: the microphone stops, and the view says so", async () => {
    await started();
    model.die();
    expect(tracks()).toEqual(["ended"]);
    await shows("closed");
    expect(one("gip").dataset.gipKernel).toBe("lost");
    await vi.waitFor(() => expect(one("gip-error").textContent).toContain("Run the cell again"));
  });

  test("a comm that throws is a kernel that is gone", async () => {
    await started();
    model.alive = false;
    await vi.waitFor(() => expect(tracks()).toEqual(["ended"]));
    await shows("closed");
  });
});

describe("which page hears and speaks", () => {
  test("a talk of another page is shown, and a press takes it over", async () => {
    render();
    snapshot({ state: "listening", audio_page: "another" });
    await frame();
    expect(one("gip-state").textContent).toBe("In another window");
    one("gip-start").click();
    expect(model.of("request")).toMatchObject([{ verb: "take" }]);
    say({ audio_page: model.page });
    model.reply();
    await vi.waitFor(() => expect(model.of("mic").length).toBeGreaterThan(1), { timeout: 4000 });
    expect(one("gip-state").textContent).toBe("Listening");
  });

  test("where it is refused, the microphone is let go of", async () => {
    render();
    snapshot({ state: "listening", audio_page: null });
    await frame();
    expect(one("gip-state").textContent).toBe("Nobody hears this");
    one("gip-start").click();
    await vi.waitFor(() => expect(tracks()).toEqual(["live"]));
    model.reply(REFUSED);
    await vi.waitFor(() => expect(tracks()).toEqual(["ended"]));
  });

  test("who loses it is deaf and silent at once", async () => {
    await started();
    say({ audio_page: "another" });
    expect(tracks()).toEqual(["ended"]);
    await vi.waitFor(() => expect(one("gip-state").textContent).toBe("In another window"));
    // And may have it again, from the first number on.
    say({ audio_page: model.page });
    model.say(audioOf("a", 0), new Int16Array(24_000));
    model.say({ kind: "clock", page: model.page, clock: 1 });
    expect(model.of("clock").at(-1)?.acked).toBe(0);
  });

  test("an item that was silenced here goes on when the sound comes back", async () => {
    await started();
    model.say(audioOf("a", 0), new Int16Array(24_000));
    await vi.waitFor(() => expect(model.of("playback").length).toBeGreaterThan(0));
    say({ audio_page: "another" });
    say({ audio_page: model.page });
    model.say(audioOf("a", 0, 12_000), new Int16Array(24_000));
    await vi.waitFor(() => expect(model.of("playback").at(-1)?.played_samples).toBeGreaterThan(14_000));
  });
});

describe("what was missed", () => {
  test("the clock is told at once, with what has arrived", () => {
    render();
    snapshot();
    say({ requests: 1 });
    model.say({ kind: "clock", page: model.page, clock: 9 });
    const { page_ms, ...rest } = model.of("clock")[0] ?? {};
    expect(rest).toEqual({ kind: "clock", page: model.page, clock: 9, acked: -1, rev: 1 });
    expect(Math.abs(Number(page_ms) - Date.now())).toBeLessThan(1000);
  });

  test("a gap in what is told is noticed once, and the snapshot mends it", async () => {
    render();
    snapshot();
    const hellos = model.of("hello").length;
    say({ requests: 1 });
    model.rev += 2;
    say({ requests: 4 });
    say({ requests: 5 });
    expect(model.of("hello")).toHaveLength(hellos + 1);
    model.say({ kind: "clock", page: model.page, clock: 1 });
    expect(model.of("clock").at(-1)?.rev).toBe(1);
    snapshot({ requests: 5 });
    say({ requests: 6 });
    expect(model.of("hello")).toHaveLength(hellos + 1);
    await vi.waitFor(() => expect(one("gip-requests").textContent).toContain("6"));
  });

  test("words that a snapshot has already are not added again", async () => {
    render();
    snapshot({ state: "speaking" }, [item("a", { text: "one two" })]);
    model.say({
      kind: "items",
      page: null,
      rev: 0,
      put: [],
      text: [{ item_id: "a", delta: " two" }],
      drop: [],
    });
    await frame();
    expect(rows()[0]?.textContent).toContain("one two");
    expect(rows()[0]?.textContent).not.toContain("two two");
  });

  test("a kernel that does not answer is busy, until it is heard", async () => {
    model.hears = false;
    render();
    snapshot();
    await shows("idle");
    one("gip-start").click();
    await vi.waitFor(() => expect(one("gip-hint").textContent).toContain("busy"), { timeout: 3000 });
    say({ state: "connecting" });
    await vi.waitFor(() => expect(one("gip-hint").textContent).not.toContain("busy"));
  });

  test("a notice of the kernel is shown, can be put away, and is no failure", async () => {
    render();
    snapshot({ notice: { title: "Cells hold up this talk", message: "They do.", next_step: "Update." } });
    await shows("idle");
    await vi.waitFor(() => expect(one("gip-error").dataset.source).toBe("notice"));
    one("gip-error-dismiss").click();
    await vi.waitFor(() => expect(place.querySelector(".gip-error")).toBeNull());
    say({ requests: 1 });
    await frame();
    expect(place.querySelector(".gip-error")).toBeNull();
  });
});

describe("start and stop", () => {
  test("Start shows at once, asks the kernel, and opens the microphone beside it", async () => {
    render();
    snapshot();
    await shows("idle");
    const pressed = performance.now();
    one("gip-start").click();
    await shows("connecting");
    expect(performance.now() - pressed).toBeLessThan(150);
    expect(model.of("request")).toMatchObject([{ request: 0, verb: "start", args: {} }]);
    await vi.waitFor(() => expect(model.of("mic").length).toBeGreaterThan(3), { timeout: 4000 });
    expect(model.of("mic_state")).toMatchObject([{ state: "on", error: null, sample_rate_hz: 24_000 }]);
    expect(model.sent.find(({ message }) => message.kind === "mic")?.buffers[0]?.byteLength).toBe(1920);
    await shows("connecting");
  });

  test("a kernel that says no: its reason is shown, and the microphone is let go of", async () => {
    render();
    snapshot();
    await shows("idle");
    one("gip-start").click();
    await vi.waitFor(() => expect(tracks()).toEqual(["live"]));
    model.reply(REFUSED);
    await shows("idle");
    expect(tracks()).toEqual(["ended"]);
    await vi.waitFor(() => expect(one("gip-error").dataset.source).toBe("request"));
    expect(one("gip-error-title").textContent).toBe(REFUSED.title);
    expect(one("gip-error-next").textContent).toBe(REFUSED.next_step);
    one("gip-error-dismiss").click();
    await vi.waitFor(() => expect(place.querySelector(".gip-error")).toBeNull());
  });

  test("Stop lets go of the microphone before the kernel has answered", async () => {
    await started();
    one("gip-stop").click();
    expect(tracks()).toEqual(["ended"]);
    expect(model.of("request").at(-1)?.verb).toBe("stop");
    expect(model.of("mic_state").at(-1)?.state).toBe("off");
    expect(document.activeElement).toBe(one("gip-start"));
  });

  test("who presses Start before the end was told keeps the new microphone", async () => {
    await started();
    one("gip-stop").click();
    one("gip-start").click();
    expect(model.of("request").at(-1)?.verb).toBe("start");
    // The end of the talk before comes late.
    say({ state: "closed" });
    model.say({ kind: "capture", page: model.page, on: false });
    say({ audio_page: null });
    await expect.poll(() => tracks().at(-1)).toBe("live");
    expect(model.of("mic_state").at(-1)?.state).toBe("on");
  });

  test("a talk that ends by itself lets go of it too", async () => {
    await started();
    say({ state: "error", error: REFUSED });
    expect(tracks()).toEqual(["ended"]);
    await shows("error");
    await vi.waitFor(() => expect(one("gip-error").dataset.source).toBe("talk"));
  });

  test("the kernel can open and shut the microphone", async () => {
    render();
    snapshot({ state: "listening" });
    await frame();
    expect(one("gip-state").textContent).toBe("Connected");
    model.say({ kind: "capture", page: "another", on: true });
    model.say({ kind: "capture", page: model.page, on: true });
    await vi.waitFor(() => expect(model.of("mic").length).toBeGreaterThan(1), { timeout: 4000 });
    expect(streams).toHaveLength(1);
    model.say({ kind: "capture", page: model.page, on: false });
    expect(tracks()).toEqual(["ended"]);
  });

  test("Mute takes the sound away at once, and frames go on", async () => {
    await started();
    one("gip-mute").click();
    await shows("muted");
    expect(streams[0]?.getTracks()[0]?.enabled).toBe(false);
    expect(model.of("request").at(-1)).toMatchObject({ verb: "mute", args: { muted: true } });
    const before = model.of("mic").length;
    await vi.waitFor(() => expect(model.of("mic").length).toBeGreaterThan(before + 3));
    model.reply(REFUSED);
    await shows("listening");
    expect(streams[0]?.getTracks()[0]?.enabled).toBe(true);
    say({ muted: true, state: "muted" });
    expect(streams[0]?.getTracks()[0]?.enabled).toBe(false);
  });
});

describe("no microphone", () => {
  test("refused: says what next, tells the kernel, and the talk goes on in text", async () => {
    vi.mocked(navigator.mediaDevices.getUserMedia).mockRejectedValue(
      new DOMException("Denied", "NotAllowedError"),
    );
    render();
    snapshot();
    await shows("idle");
    one("gip-start").click();
    say({ state: "listening" });
    model.reply();
    await vi.waitFor(() => expect(one("gip-error").dataset.source).toBe("microphone"));
    expect(model.of("mic_state")).toMatchObject([
      { state: "error", error: { name: "NotAllowedError", message: "Denied" } },
    ]);
    expect(one("gip").dataset.gipMicrophone).toBe("error");
    await vi.waitFor(() => expect(one("gip-error").textContent).toContain("Typing works"));
    await userEvent.type(field(), "hello{Enter}");
    expect(model.of("request").at(-1)).toMatchObject({ verb: "text", args: { text: "hello" } });
    model.reply();
    vi.mocked(navigator.mediaDevices.getUserMedia).mockRestore();
    one("gip-start").click();
    await vi.waitFor(() => expect(model.of("mic").length).toBeGreaterThan(0), { timeout: 4000 });
    await vi.waitFor(() => expect(place.querySelector(".gip-error")).toBeNull());
  });

  test("on a page that is not secure", async () => {
    vi.spyOn(BaseAudioContext.prototype, "audioWorklet", "get").mockReturnValue(
      /** @type {any} */ (undefined),
    );
    const { getUserMedia } = navigator.mediaDevices;
    vi.spyOn(navigator, "mediaDevices", "get").mockReturnValue(/** @type {any} */ (undefined));
    render();
    snapshot();
    await shows("idle");
    one("gip-start").click();
    await vi.waitFor(() =>
      expect(model.of("mic_state")).toMatchObject([{ state: "error", error: { name: "InsecureContext" } }]),
    );
    await frame();
    expect(one("gip-troubles").textContent).toContain("secure");
    expect(getUserMedia).not.toHaveBeenCalled();
  });
});

test("a question for facts is answered with what the page can tell", async () => {
  render();
  snapshot();
  model.say({ kind: "facts", page: model.page, facts: 3 });
  await vi.waitFor(() => expect(model.of("facts")).toHaveLength(1), { timeout: 4000 });
  expect(model.of("facts")[0]).toMatchObject({
    facts: 3,
    host: "unknown",
    secure: true,
    permission: "granted",
    trouble: null,
    sample_rate_hz: 0,
    sound: "ready",
    user_agent: navigator.userAgent,
  });
  expect(model.of("facts")[0]?.microphones?.length).toBeGreaterThan(0);
});

describe("answers", () => {
  const answer = (/** @type {Partial<import("../src/messages.js").Audio>} */ rest = {}) => ({
    kind: /** @type {const} */ ("audio"),
    page: model.page,
    seq: 0,
    item_id: "a",
    content_index: 0,
    start_sample: 0,
    last: true,
    ...rest,
  });

  test("are played, and what was played is told", async () => {
    render();
    snapshot({ state: "speaking" });
    model.say(answer({ last: false }), new Int16Array(4_800).fill(900));
    model.say(answer({ seq: 1, start_sample: 4_800 }), new Int16Array(4_801).fill(900));
    await vi.waitFor(() => expect(model.of("playback").at(-1)?.event).toBe("ended"), { timeout: 4000 });
    expect(model.of("playback").at(-1)).toMatchObject({
      item_id: "a",
      played_samples: 9_601,
      acked: 1,
      underruns: 0,
    });
  });

  test("for another page are not", async () => {
    render();
    snapshot({ state: "speaking" });
    model.say(answer({ page: "another" }), new Int16Array(4_800));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(model.of("playback")).toEqual([]);
  });

  test("stop at once when interrupted, and the kernel's flush is told where", async () => {
    render();
    snapshot({ state: "speaking" });
    await shows("speaking");
    model.say(answer(), new Int16Array(96_000).fill(900));
    await vi.waitFor(() => expect(model.of("playback").length).toBeGreaterThan(0), { timeout: 4000 });
    one("gip-interrupt").click();
    expect(model.of("request").at(-1)?.verb).toBe("interrupt");
    await new Promise((resolve) => setTimeout(resolve, 300));
    model.say({ kind: "flush", page: model.page, flush: 5 });
    await vi.waitFor(() => expect(model.of("flushed")).toHaveLength(1));
    const [position] = model.of("flushed")[0]?.positions ?? [];
    expect(position?.played_samples).toBeGreaterThan(0);
    expect(position?.played_samples).toBeLessThan(7_000);
  });
});

describe("text", () => {
  test("Enter sends, Shift+Enter and a composing input method do not", async () => {
    render();
    snapshot();
    await shows("idle");
    await userEvent.type(field(), "two{Shift>}{Enter}{/Shift}lines");
    field().dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true }));
    expect(model.of("request")).toEqual([]);
    await userEvent.type(field(), "{Enter}");
    expect(model.of("request")).toMatchObject([{ verb: "text", args: { text: "two\nlines" } }]);
    expect(field().value).toBe("");
    await shows("connecting");
  });

  test("words typed before the kernel has answered are sent all the same", async () => {
    render();
    expect(one("gip").dataset.gipState).toBe("waiting");
    await userEvent.type(field(), "early{Enter}");
    expect(model.of("request")).toMatchObject([{ verb: "text", args: { text: "early" } }]);
  });

  test("nothing is not sent", async () => {
    render();
    snapshot();
    await shows("idle");
    await userEvent.type(field(), "   {Enter}");
    one("gip-send").click();
    expect(model.of("request")).toEqual([]);
  });

  test("what the kernel did not take is given back", async () => {
    render();
    snapshot();
    await shows("idle");
    await userEvent.type(field(), "keep me");
    one("gip-send").click();
    expect(field().value).toBe("");
    model.reply(REFUSED);
    await vi.waitFor(() => expect(field().value).toBe("keep me"));
    await shows("idle");
    await vi.waitFor(() => expect(one("gip-error").dataset.source).toBe("request"));
  });

  test("typed keys stay in the widget", async () => {
    render();
    snapshot();
    await shows("idle");
    /** @type {string[]} */
    const heard = [];
    const listener = (/** @type {KeyboardEvent} */ event) => heard.push(event.key);
    document.addEventListener("keydown", listener);
    await userEvent.type(field(), "dd");
    document.removeEventListener("keydown", listener);
    expect(heard).toEqual([]);
    expect(one("gip").dataset.lmSuppressShortcuts).toBe("true");
  });
});

describe("the conversation", () => {
  test("grows live, and only the row that changed is touched", async () => {
    render();
    snapshot({ state: "speaking" }, [
      item("u", { role: "user", text: "Hello?" }),
      item("m", { status: "in_progress", after: "u" }),
    ]);
    await frame();
    const [user, model_] = rows();
    if (!user || !model_) throw new Error("rows are missing");
    let touched = 0;
    const watch = new MutationObserver((records) => {
      touched += records.length;
    });
    watch.observe(user, { subtree: true, childList: true, characterData: true, attributes: true });
    const node = model_.querySelector(".gip-said")?.firstChild;
    for (const word of ["Good", " morning", "."]) {
      items([], [["m", word]]);
      await frame();
    }
    expect(model_.querySelector(".gip-said")?.firstChild).toBe(node);
    expect(node?.textContent).toBe("Good morning.");
    expect(model_.querySelector(".gip-caret")?.checkVisibility()).toBe(true);
    expect(touched).toBe(0);
    watch.disconnect();
    items([item("m", { text: "Good morning.", after: "u" })]);
    await frame();
    expect(model_.querySelector(".gip-caret")?.checkVisibility()).toBe(false);
    expect([user.dataset.role, user.dataset.itemId, model_.dataset.status]).toEqual([
      "user",
      "u",
      "completed",
    ]);
  });

  test("waits for words, and says where none will come", async () => {
    render();
    snapshot({}, [
      item("1", { role: "user", status: "in_progress" }),
      item("2", { role: "user", audio_ms: 2100, after: "1" }),
      item("3", { role: "user", after: "2" }),
    ]);
    await frame();
    expect(rows().map((row) => row.querySelector(".gip-said")?.textContent)).toEqual([
      "…",
      "2.1 s of speech, no transcript",
      "no transcript",
    ]);
  });

  test("marks what was not heard, what failed and what is not whole", async () => {
    render();
    snapshot({}, [
      item("1", { text: "one two three four", status: "interrupted", heard_ms: 500, audio_ms: 1000 }),
      item("2", { text: "never", status: "interrupted", heard_ms: 0, audio_ms: 1000, after: "1" }),
      item("3", { status: "failed", after: "2" }),
      item("4", { text: "half", status: "incomplete", after: "3" }),
    ]);
    await frame();
    expect(rows().map((row) => row.querySelector(".gip-note")?.textContent)).toEqual([
      "interrupted at 0.5 s",
      "interrupted before it was heard",
      "failed",
      "incomplete",
    ]);
    expect(rows()[0]?.querySelector(".gip-unheard")?.textContent).toBe("three four");
    expect(rows()[1]?.querySelector(".gip-unheard")?.textContent).toBe("never");
  });

  test("function calls read like code", async () => {
    render();
    const call = item("f", {
      type: "function_call",
      status: "in_progress",
      role: null,
      name: "get_weather",
      arguments: '{"city": "Seoul"}',
    });
    snapshot({}, [call]);
    await frame();
    const [row] = rows();
    expect(row?.dataset).toMatchObject({ role: "tool", type: "function_call" });
    expect(row?.querySelector(".gip-call")?.textContent).toBe('get_weather(city="Seoul")');
    expect(row?.querySelector(".gip-call-state")?.textContent).toBe("running");
    items([{ ...call, status: "completed" }]);
    await frame();
    expect(row?.querySelector(".gip-call-state")?.textContent).toBe("called");
    items([{ ...call, status: "completed", output: '{"sky": "clear"}' }]);
    items([item("o", { type: "function_call_output", role: null, output: "21", after: "f" })]);
    await frame();
    expect(row?.querySelector(".gip-call-state")?.textContent).toBe("done");
    expect(rows().map((one) => one.querySelector(".gip-output")?.textContent)).toEqual([
      '{"sky": "clear"}',
      "21",
    ]);
  });

  test("puts late items where they belong, and takes deleted ones away", async () => {
    render();
    snapshot({}, [item("a"), item("c", { after: "a" })]);
    items([item("b", { after: "a" })]);
    await frame();
    expect(rows().map((row) => row.dataset.itemId)).toEqual(["a", "b", "c"]);
    items([], [], ["a"]);
    await frame();
    expect(rows().map((row) => row.dataset.itemId)).toEqual(["b", "c"]);
    snapshot();
    await frame();
    expect(rows()).toEqual([]);
    expect(one("gip-invitation").checkVisibility()).toBe(true);
  });

  test("keeps the newest in sight, unless the user has scrolled away", async () => {
    render();
    snapshot({ state: "speaking" });
    const many = Array.from({ length: 40 }, (_, i) =>
      item(`${i}`, { text: "some words", after: i ? `${i - 1}` : null }),
    );
    items(many);
    await frame();
    const pane = one("gip-conversation");
    const below = () => pane.scrollHeight - pane.scrollTop - pane.clientHeight;
    expect(below()).toBeLessThan(2);
    const height = place.getBoundingClientRect().height;
    items([], [["39", " and more of them".repeat(60)]]);
    await frame();
    expect(below()).toBeLessThan(2);
    expect(place.getBoundingClientRect().height).toBe(height);
    expect(one("gip-newest").checkVisibility()).toBe(false);
    pane.scrollTop = 0;
    await vi.waitFor(() => expect(below()).toBeGreaterThan(100));
    await frame();
    items([], [["39", " again"]]);
    await frame();
    expect(pane.scrollTop).toBe(0);
    one("gip-newest").click();
    expect(below()).toBeLessThan(2);
    expect(one("gip-newest").checkVisibility()).toBe(false);
  });

  test("what is said is text and never markup", async () => {
    render();
    const evil = '<img src=x onerror="document.title=1"><script>document.title=1</script></div>&lt;b&gt;';
    snapshot(
      {
        model: evil,
        session_id: evil,
        dialect: evil,
        rehearsal: false,
        error: { title: evil, message: evil, next_step: evil },
      },
      [
        item("1", { text: evil, role: "user" }),
        item("2", { text: evil, status: "interrupted", heard_ms: 1, audio_ms: 2, after: "1" }),
        item('"><b>', {
          type: "function_call",
          role: null,
          name: evil,
          arguments: evil,
          output: evil,
          after: "2",
        }),
        item("4", {
          type: "function_call_output",
          role: null,
          output: `{"rows": "${evil.repeat(3)}"}`,
          after: "3",
        }),
      ],
    );
    await frame();
    expect(place.querySelector("img, script, b")).toBeNull();
    expect(rows()[0]?.querySelector(".gip-said")?.textContent).toBe(evil);
    expect(rows()[2]?.querySelector(".gip-call")?.textContent).toBe(`${evil}(${evil})`);
    expect(one("gip-error-message").textContent).toBe(evil);
  });
});

describe("the look", () => {
  test("nothing is cut at 320 px, with everything shown at once", async () => {
    place.style.width = "320px";
    render();
    snapshot(
      {
        state: "speaking",
        model: "openai/gpt-4o-realtime-preview-2024-12-17",
        dialect: "beta",
        session_id: "sess_0123456789abcdef0123456789abcdef",
        first_sound_ms: 12_345,
        requests: 1234,
        event_count: 123_456,
        error: REFUSED,
      },
      [
        item("1", { text: "x".repeat(400) }),
        item("2", {
          type: "function_call",
          role: null,
          name: "f".repeat(80),
          arguments: "{}",
          output: "y".repeat(300),
        }),
      ],
    );
    await frame();
    const edge = one("gip").getBoundingClientRect().right;
    const beyond = [...place.querySelectorAll(".gip *")].filter(
      (element) =>
        element.checkVisibility({ visibilityProperty: true }) &&
        element.getBoundingClientRect().right > edge + 0.5,
    );
    expect(beyond.map((element) => element.className)).toEqual([]);
    expect(one("gip-conversation").scrollWidth).toBe(one("gip-conversation").clientWidth);
  });

  test("the rehearsal badge explains itself to the keyboard too", async () => {
    render();
    snapshot();
    await frame();
    const badge = one("gip-badge-rehearsal");
    const explanation = document.getElementById(badge.getAttribute("aria-describedby") ?? "");
    expect(explanation?.checkVisibility({ visibilityProperty: true })).toBe(false);
    badge.focus();
    expect(explanation?.checkVisibility({ visibilityProperty: true })).toBe(true);
    expect(explanation?.textContent).toContain("GIP_API_KEY");
    say({ rehearsal: false });
    await vi.waitFor(() => expect(badge.checkVisibility()).toBe(false));
  });

  test("every button has a name, and the state is announced politely", async () => {
    render();
    snapshot({ state: "thinking", error: REFUSED });
    await frame();
    for (const button of place.querySelectorAll("button")) {
      expect(button.getAttribute("aria-label") ?? button.textContent).toMatch(/\w/);
    }
    expect(one("gip-state").getAttribute("role")).toBe("status");
    expect(one("gip-state").textContent).toBe("Thinking");
  });

  test("the notebook's record is hidden while a view lives that has heard from its kernel", async () => {
    model.traits._record_class = "gip-record-1";
    // As JupyterLab puts it beside the widget.
    const output = make("div", "jp-OutputArea-child", {}, make("div", "jp-OutputArea-output"));
    const record = make("div", "gip-record gip-record-1", {}, "what was said");
    const another = make("div", "gip-record gip-record-12", {}, "another talk's");
    output.firstElementChild?.append(record);
    document.body.append(output, another);
    const [first, second] = [render(), render()];
    expect(record.checkVisibility()).toBe(true);
    snapshot();
    expect([record, output, another].map((one) => one.checkVisibility())).toEqual([false, false, true]);
    // It is written anew while people talk.
    output.firstElementChild?.replaceChildren(record.cloneNode(true));
    expect(output.checkVisibility()).toBe(false);
    first.abort();
    expect(output.checkVisibility()).toBe(false);
    second.abort();
    expect(output.checkVisibility()).toBe(true);
    const late = render();
    expect(output.checkVisibility()).toBe(false);
    late.abort();
    expect(document.adoptedStyleSheets).toEqual([]);
    output.remove();
    another.remove();
  });

  test("the halo follows the voice", async () => {
    await started();
    const halo = one("gip-halo");
    await vi.waitFor(() => expect(Number(halo.style.getPropertyValue("--gip-level"))).toBeGreaterThan(0.3), {
      timeout: 4000,
      interval: 20,
    });
    one("gip-stop").click();
    say({ state: "closed" });
    await vi.waitFor(() => expect(Number(halo.style.getPropertyValue("--gip-level"))).toBe(0));
  });
});
