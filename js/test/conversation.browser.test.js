// The conversation's view and the composer in a real browser: rows that come and go, what can be done with one, files.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { userEvent } from "vitest/browser";
import { AudioGraph } from "../src/audio.js";
import { Replay } from "../src/replay.js";
import { MOST_ROWS } from "../src/row-window.js";
import { mounted } from "./mounted.js";
import { item, talk } from "./views-of.js";

/** @typedef {import("../src/messages.js").ItemView} ItemView */

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

/**
 * @param {ItemView[]} items
 * @param {Partial<import("../src/messages.js").TalkState>} [said]
 */
async function snapshot(items, said) {
  const state = talk({ state: "listening", audio_page: model.page, ...said });
  model.say({ kind: "snapshot", page: model.page, talk: state, items });
  await frame();
  // Where the pointer was left by another test, a row would be pointed at.
  await userEvent.hover(one("gip-state"));
}

/**
 * @param {ItemView[]} put
 * @param {{ item_id: string, delta: string }[]} [text]
 * @param {string[]} [drop]
 */
async function items(put, text = [], drop = []) {
  model.say({ kind: "items", page: null, put, text, drop });
  await frame();
}

/** @param {number} n */
const many = (n) =>
  Array.from({ length: n }, (_, i) =>
    item(`${i}`, {
      role: i % 2 ? "assistant" : "user",
      text: `${i}: ${"some words ".repeat(i % 7)}`,
      after: i ? `${i - 1}` : null,
    }),
  );

/**
 * @param {string} name
 * @param {ParentNode} [within]
 * @returns {HTMLElement}
 */
function one(name, within = place) {
  const found = within.querySelector(`[data-testid="${name}"]`);
  if (!(found instanceof HTMLElement)) throw new Error(`there is no ${name}`);
  return found;
}

const rows = () => [...place.querySelectorAll(".gip-row")].map((row) => /** @type {HTMLElement} */ (row));
/** @param {string} id */
function rowOf(id) {
  const found = rows().find((row) => row.dataset.itemId === id);
  if (!found) throw new Error(`there is no row ${id}`);
  return found;
}
const pane = () => one("gip-conversation");
const shown = (/** @type {string} */ name) => one(name).checkVisibility();

describe("a long talk", () => {
  test("has no more than so many rows in the page, the newest ones", async () => {
    await snapshot(many(2000));
    expect(rows()).toHaveLength(MOST_ROWS);
    expect(rows().at(-1)?.dataset.itemId).toBe("1999");
    await items([item("new", { text: "newest", after: "1999" })]);
    expect(rows()).toHaveLength(MOST_ROWS);
    expect(rows().at(-1)?.dataset.itemId).toBe("new");
    expect(pane().scrollHeight - pane().scrollTop - pane().clientHeight).toBeLessThan(2);
    // Nothing is there for each row until somebody wants it.
    expect(place.querySelectorAll("*").length).toBeLessThan(MOST_ROWS * 9);
  });

  test("shows what was earlier, and what is read stays where it is", async () => {
    await snapshot(many(1000));
    pane().scrollTop = 300;
    await frame();
    const read = rows().find((row) => row.getBoundingClientRect().top > pane().getBoundingClientRect().top);
    const top = () => read?.getBoundingClientRect().top;
    const before = top();
    // Earlier rows come in, newer ones are added, and the words of one above grow.
    one("gip-earlier").click();
    await frame();
    expect(top()).toBeCloseTo(before ?? 0, 0);
    expect(rows()).toHaveLength(MOST_ROWS);
    await items([item("new", { text: "newest", after: "999" })]);
    await items([], [{ item_id: rows()[3]?.dataset.itemId ?? "", delta: " grown".repeat(300) }]);
    expect(top()).toBeCloseTo(before ?? 0, 0);
    expect(shown("gip-newest")).toBe(true);
    // By scrolling alone one comes to the first row, and back to the last.
    for (let tries = 0; tries < 30 && rows()[0]?.dataset.itemId !== "0"; tries += 1) {
      pane().scrollTop = 0;
      await frame();
    }
    expect(shown("gip-earlier")).toBe(false);
    for (let tries = 0; tries < 30 && rows().at(-1)?.dataset.itemId !== "new"; tries += 1) {
      expect(rows().length).toBeLessThanOrEqual(MOST_ROWS);
      pane().scrollTop = pane().scrollHeight;
      await frame();
    }
    expect(rows().at(-1)?.dataset.itemId).toBe("new");
    pane().scrollTop = 0;
    await frame();
    one("gip-newest").click();
    await frame();
    expect(rows().at(-1)?.dataset.itemId).toBe("new");
    expect(pane().scrollHeight - pane().scrollTop - pane().clientHeight).toBeLessThan(2);
  });

  test("is gone through with the arrow keys, and Tab stops at one row only", async () => {
    await snapshot(many(450));
    expect(rows().filter((row) => row.tabIndex === 0)).toEqual([rowOf("449")]);
    rowOf("449").focus();
    await userEvent.keyboard("{ArrowUp}{ArrowUp}");
    expect(document.activeElement).toBe(rowOf("447"));
    expect(rows().filter((row) => row.tabIndex === 0)).toEqual([rowOf("447")]);
    await userEvent.keyboard("{Home}");
    expect(document.activeElement).toBe(rowOf("250"));
    await userEvent.keyboard("{ArrowUp}");
    expect(document.activeElement).toBe(rowOf("249"));
  });
});

describe("what can be done with a row", () => {
  const said = [
    item("u", { role: "user", text: "typed" }),
    item("m", { text: "spoken", audio_ms: 1000, after: "u" }),
  ];

  test("comes with the pointer and with the focus, and goes with them", async () => {
    await snapshot(said);
    expect(place.querySelectorAll(".gip-action")).toHaveLength(0);
    const { height } = rowOf("m").getBoundingClientRect();
    await userEvent.hover(rowOf("m"));
    expect(rowOf("m").querySelectorAll(".gip-action")).toHaveLength(3);
    expect(rowOf("m").getBoundingClientRect().height).toBe(height);
    await userEvent.hover(rowOf("u"));
    expect(rowOf("m").querySelectorAll(".gip-action")).toHaveLength(0);
    // What was typed has no sound.
    expect(one("gip-play", rowOf("u")).checkVisibility()).toBe(false);
    rowOf("m").focus();
    await userEvent.keyboard("{Tab}");
    expect(document.activeElement).toBe(one("gip-play", rowOf("m")));
    for (const button of rowOf("m").querySelectorAll("button"))
      expect(button.getAttribute("aria-label")).toMatch(/\w/);
  });

  test("deleting asks the kernel, and the row stays until the server has said so", async () => {
    await snapshot(said);
    rowOf("m").focus();
    one("gip-delete", rowOf("m")).click();
    expect(model.of("request").at(-1)).toMatchObject({ verb: "delete", args: { item_id: "m" } });
    await frame();
    expect(one("gip-delete", rowOf("m")).getAttribute("aria-disabled")).toBe("true");
    one("gip-delete", rowOf("m")).click();
    expect(model.of("request")).toHaveLength(1);
    await items([], [], ["m"]);
    model.reply();
    expect(rows().map((row) => row.dataset.itemId)).toEqual(["u"]);
    // The focus is not lost.
    expect(document.activeElement).toBe(pane());
  });

  test("after the talk nothing can be deleted, and what was said can still be played", async () => {
    await snapshot(said, { state: "closed" });
    rowOf("m").focus();
    one("gip-delete", rowOf("m")).click();
    expect(model.of("request")).toEqual([]);
    one("gip-play", rowOf("m")).click();
    expect(model.of("request").at(-1)).toMatchObject({ verb: "play", args: { item_id: "m" } });
  });

  test("a recording is played, its button stops it, and the talk is told nothing of it", async () => {
    await snapshot(said);
    rowOf("m").focus();
    const button = one("gip-play", rowOf("m"));
    button.click();
    await frame();
    expect(button.getAttribute("aria-label")).toBe("Stop playing");
    const request = () => model.of("request").at(-1)?.request ?? -1;
    const reply = (/** @type {number} */ samples) =>
      model.say(
        { kind: "reply", page: model.page, request: request(), ok: true, error: null, value: null },
        new Int16Array(samples).fill(900),
      );
    reply(7_200);
    await vi.waitFor(() => expect(button.getAttribute("aria-label")).toBe("Play"), { timeout: 3000 });
    button.click();
    reply(240_000);
    await frame();
    rowOf("m").blur();
    await frame();
    // It is there as long as it plays.
    expect(one("gip-play", rowOf("m")).getAttribute("aria-label")).toBe("Stop playing");
    // One voice at a time: an answer comes first.
    model.say(
      {
        kind: "audio",
        page: model.page,
        seq: 0,
        item_id: "n",
        content_index: 0,
        start_sample: 0,
        last: true,
      },
      new Int16Array(2_400),
    );
    await frame();
    expect(rowOf("m").querySelectorAll(".gip-action")).toHaveLength(0);
    expect(model.of("playback").filter(({ item_id }) => item_id === "m")).toEqual([]);
  });

  test("a recording whose row goes is not played on", async () => {
    await snapshot(said);
    const stop = vi.spyOn(Replay.prototype, "stop");
    rowOf("m").focus();
    one("gip-play", rowOf("m")).click();
    stop.mockClear();
    await items([], [{ item_id: "m", delta: "!" }]);
    expect(stop).not.toHaveBeenCalled();
    await items([], [], ["m"]);
    expect(stop).toHaveBeenCalled();
  });

  test("copying works with the clipboard, and without", async () => {
    const write = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
    await snapshot(said);
    rowOf("m").focus();
    one("gip-copy", rowOf("m")).click();
    await vi.waitFor(() => expect(one("gip-copied").textContent).toBe("Copied"));
    expect(write).toHaveBeenCalledWith("spoken");
    write.mockRejectedValue(new DOMException("no", "NotAllowedError"));
    let copied = "";
    const command = vi.spyOn(document, "execCommand").mockImplementation(() => {
      copied = /** @type {HTMLTextAreaElement} */ (document.activeElement).value;
      return true;
    });
    one("gip-copy", rowOf("m")).click();
    await vi.waitFor(() => expect(command).toHaveBeenCalled());
    expect(copied).toBe("spoken");
    expect(document.activeElement).toBe(rowOf("m"));
  });
});

test("a recording sounds, and stops", async () => {
  const audio = new AudioGraph({ signal: life.signal, report: vi.fn(), flushed: vi.fn(), sound: vi.fn() });
  /** @type {(string | null)[]} */
  const played = [];
  const tone = Int16Array.from({ length: 48_000 }, (_, i) => Math.round(9000 * Math.sin(i / 5)));
  const replay = new Replay({
    signal: life.signal,
    recording: async () => tone,
    output: (signal) => audio.borrowOutput(signal),
    changed: (playing) => played.push(playing),
  });
  const first = replay.toggle("a");
  await vi.waitFor(() => expect(audio.level("model")).toBeGreaterThan(0.2), { interval: 20 });
  // The context is not put to sleep meanwhile.
  audio.rest();
  const second = replay.toggle("b");
  await first;
  await vi.waitFor(() => expect(audio.level("model")).toBeGreaterThan(0.2), { interval: 20 });
  await replay.toggle("b");
  await second;
  await vi.waitFor(() => expect(audio.level("model")).toBeLessThan(0.05), { interval: 20 });
  expect(played).toEqual(["a", null, "b", null]);
});

describe("a long output", () => {
  test("is folded, can be unfolded, and stays so while it changes", async () => {
    const lines = Array.from({ length: 40 }, (_, i) => `<i>line</i> ${i}`).join("\n");
    const call = item("f", {
      type: "function_call",
      role: null,
      name: "list",
      output: lines,
      duration_ms: 214,
    });
    await snapshot([call]);
    expect(one("gip-output").textContent?.split("\n")).toHaveLength(6);
    expect(one("gip-call-duration").textContent).toBe("214 ms");
    const button = one("gip-unfold");
    expect([button.textContent, button.getAttribute("aria-expanded")]).toEqual([
      "Show all 40 lines",
      "false",
    ]);
    button.click();
    expect(one("gip-output").textContent).toBe(lines);
    await items([{ ...call, output: `${lines}\nlast` }]);
    expect(one("gip-output").textContent).toBe(`${lines}\nlast`);
    button.click();
    expect(one("gip-output").textContent?.split("\n")).toHaveLength(6);
    await items([{ ...call, status: "failed", output: "error: no" }]);
    expect(shown("gip-unfold")).toBe(false);
    expect(one("gip-tool").dataset.state).toBe("failed");
  });
});

describe("finished answers", () => {
  test("are announced once, politely, as text", async () => {
    await snapshot([item("u", { role: "user", text: "Hi" })]);
    await items([item("m", { status: "in_progress", after: "u" })]);
    await items([], [{ item_id: "m", delta: "<b>Hello</b>" }]);
    expect(one("gip-announcer").textContent).toBe("");
    await items([item("m", { text: "<b>Hello</b>", after: "u" })]);
    expect(one("gip-announcer").textContent).toBe("Model: <b>Hello</b>");
    expect(one("gip-announcer").getAttribute("aria-live")).toBe("polite");
    expect(one("gip-announcer").querySelector("b")).toBeNull();
  });
});

describe("sound files", () => {
  /** @param {File} file */
  function drop(file) {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(file);
    for (const kind of ["dragenter", "dragover", "drop"]) {
      const event = new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
      pane().dispatchEvent(event);
      if (kind === "dragenter") expect(one("gip").dataset.dropping).toBe("");
      else expect(event.defaultPrevented).toBe(true);
    }
    expect(one("gip").dataset.dropping).toBeUndefined();
  }

  test("that are dropped are sent whole", async () => {
    await snapshot([]);
    drop(new File([new Uint8Array([1, 2, 3])], "a.wav", { type: "audio/wav" }));
    await vi.waitFor(() => expect(model.of("request")).toHaveLength(1));
    expect(model.of("request")[0]).toMatchObject({ verb: "sound", args: { name: "a.wav" } });
    const { buffers } = model.sent.at(-1) ?? {};
    expect([...new Uint8Array(buffers?.[0] ?? new ArrayBuffer(0))]).toEqual([1, 2, 3]);
  });

  test("that cannot be read are named, and nothing is waited for", async () => {
    await snapshot([], { state: "closed" });
    vi.spyOn(File.prototype, "arrayBuffer").mockRejectedValue(new DOMException("", "NotFoundError"));
    drop(new File([], "folder.wav"));
    await vi.waitFor(() => expect(one("gip-error-message").textContent).toContain("folder.wav"));
    expect(one("gip").dataset.gipState).toBe("closed");
    expect(model.of("request")).toEqual([]);
  });

  test("that are none, or too large, are named and not sent", async () => {
    await snapshot([]);
    drop(new File(["dear"], "<img src=x>.txt", { type: "text/plain" }));
    await frame();
    expect(one("gip-error-message").textContent).toBe("<img src=x>.txt is no WAV file.");
    drop(new File([new Uint8Array(9_000_001)], "a.wav"));
    await frame();
    expect(one("gip-error-title").textContent).toBe("File too large");
    expect(model.of("request")).toEqual([]);
  });

  test("text that is dragged over it is left to the browser", async () => {
    await snapshot([]);
    const dataTransfer = new DataTransfer();
    dataTransfer.setData("text/plain", "words");
    const event = new DragEvent("dragover", { dataTransfer, bubbles: true, cancelable: true });
    pane().dispatchEvent(event);
    expect(event.defaultPrevented).toBe(false);
  });
});

test("the arrows bring back what was sent, and the draft", async () => {
  await snapshot([]);
  const field = /** @type {HTMLTextAreaElement} */ (one("gip-text"));
  await userEvent.type(field, "first{Enter}second{Enter}draft");
  await userEvent.keyboard("{ArrowUp}");
  expect(field.value).toBe("second");
  await userEvent.keyboard("{ArrowUp}{ArrowUp}");
  expect(field.value).toBe("first");
  await userEvent.keyboard("{ArrowDown}{ArrowDown}");
  expect(field.value).toBe("draft");
});
