import { describe, expect, test } from "vitest";
import {
  detectionName,
  detectionOfKind,
  detectionValue,
  detectionWith,
  fateOf,
  refusal,
  voiceFields,
} from "../src/session-fields.js";

const TOLD = {
  type: "server_vad",
  threshold: 0.4,
  prefix_padding_ms: 300,
  idle_timeout_ms: null,
  create_response: false,
};

describe("turn detection", () => {
  test.each([
    [null, "none"],
    [{}, "server_vad"],
    [{ type: "server_vad" }, "server_vad"],
    [{ type: "semantic_vad" }, "semantic_vad"],
  ])("%j is %s", (detection, name) => expect(detectionName(detection)).toBe(name));

  test("what nobody has said is the API's usual, and is known as that", () => {
    expect(detectionValue({ type: "server_vad" }, "threshold")).toEqual({ value: 0.5, told: false });
    expect(detectionValue(TOLD, "threshold")).toEqual({ value: 0.4, told: true });
    expect(detectionValue(TOLD, "create_response")).toEqual({ value: false, told: true });
    expect(detectionValue({ type: "semantic_vad" }, "eagerness")).toEqual({ value: "auto", told: false });
    expect(detectionValue(null, "threshold")).toEqual({ value: undefined, told: false });
  });

  test("is sent whole, without what is not set", () => {
    expect(detectionWith(TOLD, "threshold", 0.7)).toEqual({
      type: "server_vad",
      threshold: 0.7,
      prefix_padding_ms: 300,
      create_response: false,
    });
    expect(TOLD.threshold).toBe(0.4);
  });

  test("of another kind keeps what both kinds have", () => {
    expect(detectionOfKind(TOLD, "semantic_vad")).toEqual({ type: "semantic_vad", create_response: false });
    expect(detectionOfKind(TOLD, "none")).toBeNull();
    expect(detectionOfKind(null, "server_vad")).toEqual({ type: "server_vad" });
  });
});

test("no voice is the server's own", () => {
  expect(voiceFields("")).toEqual({ audio: { output: { voice: null } } });
  expect(voiceFields("ash")).toEqual({ audio: { output: { voice: "ash" } } });
});

describe("what became of a change", () => {
  test.each([
    [{ ignored: [], next: false }, "taken", "Taken"],
    [{ ignored: [], next: true }, "next", "For the next session"],
    [{ ignored: ["a: asked for 1, is 2", "b"] }, "ignored", "a: asked for 1, is 2; b"],
    [null, "taken", "Taken"],
  ])("%j", (value, kind, text) => {
    const fate = fateOf(value);
    expect(fate.kind).toBe(kind);
    expect(fate.text).toContain(text);
  });

  test("refused, in the server's words", () => {
    const fate = refusal({ title: "T", message: "Invalid value.", next_step: "Try another." });
    expect(fate).toEqual({ kind: "refused", text: "Refused: Invalid value. Try another." });
  });
});
