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
    expect(
      [...rowOf("m").querySelectorAll(".gip-action")].filter((one) => one.checkVisibility()),
    ).toHaveLength(3);
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

describe("thumbs", () => {
  const answer = item("m", { text: "It is clear in Seoul.", audio_ms: 1000, turn: 1, after: "f" });
  const said = [
    item("u", { role: "user", text: "the weather in Suwon", turn: 1 }),
    item("f", { type: "function_call", role: null, name: "get_weather", turn: 1, after: "u" }),
    answer,
  ];
  const asked = () => model.of("request").map(({ verb, args }) => [verb, args]);
  const thumb = (/** @type {"up" | "down"} */ way, id = "m") => one(`gip-thumb-${way}`, rowOf(id));
  const pressed = () =>
    /** @type {const} */ (["up", "down"]).map((way) => thumb(way).getAttribute("aria-pressed"));
  /** @param {Partial<ItemView>} verdict */
  const told = (verdict) => items([{ ...answer, ...verdict }]);

  test("are for answers of a turn, and called by their names", async () => {
    await snapshot([
      ...said,
      item("a", { text: "put in by hand", after: "m" }),
      item("r", { role: null, turn: 1 }),
    ]);
    for (const [id, rateable] of Object.entries({ u: false, f: false, m: true, a: false, r: true })) {
      rowOf(id).focus();
      await frame();
      expect([id, thumb("up", id).checkVisibility()]).toEqual([id, rateable]);
    }
    rowOf("m").focus();
    expect(thumb("up").getAttribute("aria-label")).toBe("Thumbs up");
    expect(thumb("down").title).toBe("Thumbs down for turn 1");
  });

  test("are pressed when the kernel says so, a second press takes it back, the other one changes it", async () => {
    await snapshot(said);
    await userEvent.hover(rowOf("m"));
    expect(pressed()).toEqual(["false", "false"]);
    const { height } = rowOf("m").getBoundingClientRect();
    thumb("up").click();
    await frame();
    expect(pressed()).toEqual(["false", "false"]);
    await told({ rating: 1 });
    expect(pressed()).toEqual(["true", "false"]);
    expect(rowOf("m").getBoundingClientRect().height).toBe(height);
    thumb("down").click();
    await told({ rating: -1 });
    expect(pressed()).toEqual(["false", "true"]);
    thumb("down").click();
    await told({ rating: null });
    expect(pressed()).toEqual(["false", "false"]);
    expect(asked()).toEqual([1, -1, 0].map((rating) => ["label", { item_id: "m", rating }]));
  });

  test("are reached by the keys", async () => {
    await snapshot(said);
    rowOf("m").focus();
    await userEvent.keyboard("{Tab}{Tab}{Tab}{Tab}");
    expect(document.activeElement).toBe(thumb("up"));
    await userEvent.keyboard("{Enter}");
    await told({ rating: 1 });
    // The focus stays on it, and it can be taken back.
    expect(document.activeElement).toBe(thumb("up"));
    await userEvent.keyboard(" {Tab} ");
    expect(document.activeElement).toBe(thumb("down"));
    expect(asked().map(([, args]) => /** @type {any} */ (args).rating)).toEqual([1, 0, -1]);
  });

  test("can be seen, and are no stop of Tab, where nobody points at the row; they are where the button was", async () => {
    await snapshot(said);
    for (const rating of /** @type {const} */ ([1, -1])) {
      await told({ rating });
      const mark = one("gip-rated", rowOf("m"));
      const name = rating === 1 ? "Thumbs up" : "Thumbs down";
      expect([mark.getAttribute("role"), mark.getAttribute("aria-label"), mark.tabIndex]).toEqual([
        "img",
        name,
        -1,
      ]);
      const at = mark.getBoundingClientRect();
      await userEvent.hover(rowOf("m"));
      expect(mark.checkVisibility()).toBe(false);
      const button = thumb(rating === 1 ? "up" : "down").getBoundingClientRect();
      expect([at.x, at.y]).toEqual([button.x, button.y]);
      await userEvent.hover(one("gip-state"));
      expect(mark.checkVisibility()).toBe(true);
    }
    await told({ rating: null });
    expect(place.querySelector(".gip-rated")).toBeNull();
  });

  test("work after the talk, and not without a kernel; what it says against it is shown", async () => {
    await snapshot(said, { state: "closed", audio_page: "another" });
    rowOf("m").focus();
    await frame();
    thumb("up").click();
    model.reply({ title: "No such turn", message: "<i>no</i> turn 1", next_step: "look" });
    await vi.waitFor(() => expect(one("gip-error-message").textContent).toBe("<i>no</i> turn 1"));
    expect(pressed()).toEqual(["false", "false"]);
    model.die();
    await frame();
    expect(thumb("up").getAttribute("aria-disabled")).toBe("true");
    thumb("up").click();
    expect(asked()).toHaveLength(1);
  });

  test("labels and tags are chips of text, cut where they are long", async () => {
    const label = `<img src=x onerror=alert(1)> ${"long ".repeat(60)}`;
    await snapshot([{ ...answer, label, tags: ["geo", "<b>도시</b>"] }]);
    const chips = () =>
      [...rowOf("m").querySelectorAll(".gip-label")].map((chip) => /** @type {HTMLElement} */ (chip));
    expect(chips().map((chip) => [chip.dataset.kind, chip.textContent])).toEqual([
      ["label", label],
      ["tag", "geo"],
      ["tag", "<b>도시</b>"],
    ]);
    const [first] = chips();
    expect(first?.title).toBe(label);
    expect(first?.scrollWidth).toBeGreaterThan(first?.clientWidth ?? 0);
    expect(first?.getBoundingClientRect().right).toBeLessThan(rowOf("m").getBoundingClientRect().right);
    expect(rowOf("m").querySelector("img, b")).toBeNull();
    expect(one("gip-labels").getAttribute("aria-label")).toBe("Labels of turn 1");
    await told({ label: null, tags: ["geo"] });
    expect(chips().map((chip) => chip.textContent)).toEqual(["geo"]);
    await told({ label: null, tags: [] });
    expect(place.querySelector(".gip-labels")).toBeNull();
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
