import { describe, expect, test } from "vitest";
import {
  argumentsText,
  callStateOf,
  copyOf,
  durationText,
  endedSince,
  foldOf,
  labelsOf,
  placeholderOf,
  ratingText,
  remarkOf,
  whoOf,
} from "../src/item-phrases.js";
import { applyItems, EMPTY, fromSnapshot } from "../src/items.js";
import { problemWith } from "../src/views/drop.js";
import { item } from "./views-of.js";

/** @typedef {Partial<import("../src/messages.js").ItemView>} Some */

test.each(
  /** @type {[Some, string][]} */ ([
    [{ status: "interrupted", heard_ms: 2440, audio_ms: 4000 }, "interrupted at 2.4 s"],
    [{ status: "interrupted", heard_ms: 0 }, "interrupted before it was heard"],
    [{ status: "interrupted" }, "interrupted"],
    [{ status: "incomplete", reason: "max_output_tokens" }, "incomplete: max_output_tokens"],
    [{ status: "incomplete", reason: "cancelled" }, "cancelled"],
    [{ status: "incomplete" }, "incomplete"],
    [{ status: "failed", reason: "<b>No</b> credit" }, "failed: <b>No</b> credit"],
    [{ status: "completed", reason: null }, ""],
  ]),
)("%j is remarked on as %j", (some, remark) => {
  expect(remarkOf(item("m", some))).toBe(remark);
});

test.each(
  /** @type {[Some, string][]} */ ([
    [{ role: "user", status: "in_progress" }, "…"],
    [{ role: "user", audio_ms: 2100 }, "2.1 s of speech, no transcript"],
    [{ role: "user" }, "no transcript"],
    [{ role: "user", text: "hi" }, ""],
    [{ role: "assistant", status: "in_progress" }, ""],
  ]),
)("%j has %j in place of words", (some, words) => {
  expect(placeholderOf(item("m", some))).toBe(words);
});

test.each(
  /** @type {[Some, string, string][]} */ ([
    [{ status: "in_progress" }, "running", ""],
    [{ status: "completed" }, "called", ""],
    [{ status: "completed", output: "", duration_ms: 213.6 }, "done", "214 ms"],
    [{ status: "failed", output: "error: no", duration_ms: 2440 }, "failed", "2.4 s"],
    [{ status: "incomplete" }, "incomplete", ""],
  ]),
)("a call %j is %s, %j", (some, state, took) => {
  const call = item("f", { type: "function_call", role: null, ...some });
  expect(callStateOf(call)).toBe(state);
  expect(durationText(call.duration_ms)).toBe(took);
});

test("who speaks", () => {
  expect(whoOf(item("m", { role: "user" }))).toBe("You");
  expect(whoOf(item("f", { type: "function_call_output", role: null }))).toBe("Tool");
  expect(whoOf(item("r", { role: null }))).toBe("Model");
  for (const role of /** @type {any[]} */ (["developer", "constructor"])) {
    expect(whoOf(item("d", { role }))).toBe("System");
  }
});

describe("an output", () => {
  test("that is short is shown whole, little more than that too", () => {
    for (const output of ["", "21", Array.from({ length: 9 }, (_, i) => i).join("\n"), "x".repeat(700)]) {
      expect(foldOf(output).head).toBe(output);
    }
  });

  test("that is long is folded to whole characters, and loses nothing", () => {
    const lines = Array.from({ length: 42 }, (_, i) => `line ${i}`).join("\n");
    expect(foldOf(lines)).toMatchObject({ text: lines, lines: 42 });
    expect(foldOf(lines).head.split("\n")).toHaveLength(6);
    const wide = "👍".repeat(1000);
    expect(foldOf(wide).head).toBe("👍".repeat(240));
    expect(foldOf(`x${wide}`).head).toMatch(/^x(👍)+$/u);
    const json = JSON.stringify({ rows: Array.from({ length: 20 }, (_, i) => i + 1000) });
    expect(foldOf(json).text).toBe(JSON.stringify(JSON.parse(json), null, 2));
  });
});

describe("arguments that are to be allowed", () => {
  test.each([
    ["", "no arguments"],
    [" ".repeat(200_000), "no arguments"],
    [" { } ", "no arguments"],
    ['{"id": 9007199254740993}', '{\n  "id": 9007199254740993\n}'],
    ["half {", "half {"],
    [
      '{"a": "\\u202e\u200b\u{e0041}\u3164\x7f"}',
      '{\n  "a": "\\u202e\\u200b\\udb40\\udc41\\u3164\\u007f"\n}',
    ],
    ['{"a": "\\ud800 \u{1f44d} é 도시 \\n"}', '{\n  "a": "\\ud800 \u{1f44d} é 도시 \\n"\n}'],
    ["a\u2028b\tc", "a\\u2028b\\u0009c"],
  ])("%j hide nothing", (json, shown) => {
    expect(argumentsText(json)).toEqual({ text: shown, head: shown, more: 0 });
  });

  test("are cut where they are long, and it is said by how much", () => {
    const { text, head, more } = argumentsText(JSON.stringify({ code: "👍".repeat(20_000) }));
    expect(text.length).toBe(40_016);
    expect(text.startsWith(head)).toBe(true);
    expect([head.length + more, head.at(-1)]).toEqual([text.length, "\udc4d"]);
  });
});

test("what is copied", () => {
  expect(copyOf(item("m", { text: "Hello" }))).toBe("Hello");
  const call = { type: /** @type {const} */ ("function_call"), role: null, name: "now", arguments: "{}" };
  expect(copyOf(item("f", call))).toBe("now()");
  expect(copyOf(item("f", { ...call, output: "noon" }))).toBe("now()\nnoon");
});

describe("what has been answered is said", () => {
  const asked = fromSnapshot([
    item("u", { role: "user", text: "Hi" }),
    item("m", { text: "Hel", status: "in_progress", after: "u" }),
  ]);
  /** @param {Some} some */
  const put = (some) => applyItems(asked, { put: [item("m", { after: "u", ...some })], text: [], drop: [] });

  test("once, when it ends", () => {
    const ended = put({ text: "Hello there." });
    expect(endedSince(asked, ended)).toEqual(["Model: Hello there."]);
    const touched = applyItems(ended, { put: [item("m", { after: "u", heard_ms: 5 })], text: [], drop: [] });
    expect(endedSince(ended, touched)).toEqual([]);
    expect(
      endedSince(asked, applyItems(asked, { put: [], text: [{ item_id: "m", delta: "lo" }], drop: [] })),
    ).toEqual([]);
  });

  test("with what became of it, and not at length", () => {
    expect(endedSince(asked, put({ status: "failed", reason: "no credit" }))).toEqual([
      "Model: failed: no credit",
    ]);
    const [said] = endedSince(asked, put({ text: "x".repeat(10_000) }));
    expect(said).toBe(`Model: ${"x".repeat(200)}…`);
  });

  test("but not what the page was loaded with, nor what the user said", () => {
    expect(endedSince(EMPTY, put({ text: "Hello." }))).toEqual([]);
    const more = applyItems(asked, {
      put: [
        item("u2", { role: "user", text: "And?", after: "m" }),
        item("f", { type: "function_call", after: "u2" }),
      ],
      text: [],
      drop: [],
    });
    expect(endedSince(asked, more)).toEqual([]);
  });
});

test.each([
  [{ name: "a.wav", size: 5, type: "" }, null],
  [{ name: "A.WAVE", size: 5, type: "" }, null],
  [{ name: "a.mp3", size: 5, type: "audio/mpeg" }, null],
  [{ name: "<b>letter</b>.txt", size: 5, type: "text/plain" }, "Not a sound file"],
  [{ name: "a.wav", size: 9_000_001, type: "audio/wav" }, "File too large"],
])("a file %j: %j", (file, title) => {
  expect(problemWith(file)?.title ?? null).toBe(title);
});

test("what was said of a turn, the label first", () => {
  expect(labelsOf(item("m"))).toEqual([]);
  expect(labelsOf(item("m", { label: "wrong city", tags: ["geo"] }))).toEqual([
    { kind: "label", text: "wrong city" },
    { kind: "tag", text: "geo" },
  ]);
  expect([ratingText(1), ratingText(-1)]).toEqual(["Thumbs up", "Thumbs down"]);
});
