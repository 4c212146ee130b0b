import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { KERNEL_MESSAGES, PAGE_MESSAGES, problemWith, samplesOf, send } from "../src/messages.js";

const fixture = JSON.parse(
  readFileSync(new URL("../../tests/fixtures/comm_messages.json", import.meta.url), "utf8"),
);

describe.each([
  ["page_to_kernel", PAGE_MESSAGES],
  ["kernel_to_page", KERNEL_MESSAGES],
])("%s", (name, shapes) => {
  /** @type {{ kind: string }[]} */
  const messages = fixture[name];

  test.each(messages.map((message) => [message.kind, message]))("%s has its shape", (_kind, message) => {
    expect(problemWith(message, shapes)).toBeNull();
  });

  test("there is an example of every kind, and of nothing else", () => {
    expect(new Set(messages.map(({ kind }) => kind))).toEqual(new Set(Object.keys(shapes)));
  });

  test("a field less, a field more or a field of another type is a problem", () => {
    for (const message of messages) {
      for (const field of Object.keys(message)) {
        const { [/** @type {"kind"} */ (field)]: _gone, ...rest } = message;
        expect(problemWith(rest, shapes), `${message.kind} without ${field}`).not.toBeNull();
        expect(problemWith({ ...message, [field]: () => {} }, shapes), `odd ${field}`).not.toBeNull();
      }
      expect(problemWith({ ...message, surplus: 1 }, shapes)).toContain("surplus");
    }
  });

  test("no message has a key called id", () => {
    expect(JSON.stringify(messages)).not.toContain('"id":');
  });
});

test("what is no message is a problem", () => {
  for (const odd of [null, 1, "talk", [], {}, { kind: "toString" }, { kind: "nothing" }]) {
    expect(problemWith(odd, KERNEL_MESSAGES)).not.toBeNull();
  }
});

test("a patch may hold any part of a talk, and only that", () => {
  const patch = { kind: "talk", page: null, rev: 1, patch: { muted: true } };
  expect(problemWith(patch, KERNEL_MESSAGES)).toBeNull();
  expect(problemWith({ ...patch, patch: { muted: "yes" } }, KERNEL_MESSAGES)).toContain("patch");
  expect(problemWith({ ...patch, patch: { colour: "red" } }, KERNEL_MESSAGES)).toContain("patch");
});

describe("samplesOf", () => {
  test("reads where the view says, at odd offsets too", () => {
    const bytes = new Uint8Array([9, 9, 9, 1, 0, 255, 255, 0, 128, 9, 9]);
    for (const view of [new DataView(bytes.buffer, 3, 6), new Uint8Array(bytes.buffer, 3, 6)]) {
      const samples = samplesOf(view);
      expect([...samples]).toEqual([1, -1, -32768]);
      expect(samples.buffer.byteLength).toBe(6);
    }
  });

  test("takes a plain buffer, an odd length and nothing at all", () => {
    expect([...samplesOf(new Uint8Array([1, 0, 7]).buffer)]).toEqual([1]);
    expect(samplesOf(undefined)).toHaveLength(0);
    expect(samplesOf(new ArrayBuffer(0))).toHaveLength(0);
  });
});

test("send hands message and buffers to the model", () => {
  /** @type {unknown[][]} */
  const sent = [];
  const buffer = new ArrayBuffer(4);
  send(
    { send: (...args) => sent.push(args) },
    { kind: "mic", page: "p", seq: 0, base: 0, captured_at_ms: 1 },
    [buffer],
  );
  expect(sent).toEqual([
    [{ kind: "mic", page: "p", seq: 0, base: 0, captured_at_ms: 1 }, undefined, [buffer]],
  ]);
});
