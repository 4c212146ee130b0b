import { expect, test } from "vitest";
import { INSECURE, microphoneTrouble, nameAndMessage, UNPLUGGED } from "../src/trouble.js";

const KNOWN = [
  "NotAllowedError",
  "NotFoundError",
  "NotReadableError",
  "AbortError",
  "OverconstrainedError",
  "NotSupportedError",
  INSECURE,
  UNPLUGGED,
];

test.each([...KNOWN, "TypeError", "toString", "SomethingNew"])(
  "%s says what happened and what next",
  (name) => {
    const { title, message, next_step } = microphoneTrouble({ name, message: "the browser's words" });
    for (const words of [title, message, next_step]) expect(words).toMatch(/^[A-Z].+/);
    expect(next_step).toContain("Typing works");
    if (!KNOWN.includes(name)) expect(message).toContain("the browser's words");
  },
);

test("each known reason has words of its own", () => {
  const messages = KNOWN.map((name) => microphoneTrouble({ name, message: "" }).message);
  expect(new Set(messages).size).toBe(KNOWN.length);
});

test("anything that can be thrown has a name and a message", () => {
  expect(nameAndMessage(new TypeError("x"))).toEqual({ name: "TypeError", message: "x" });
  expect(nameAndMessage(new DOMException("no", "NotAllowedError"))).toEqual({
    name: "NotAllowedError",
    message: "no",
  });
  expect(nameAndMessage("just text")).toEqual({ name: "Error", message: "just text" });
  expect(nameAndMessage(undefined)).toEqual({ name: "Error", message: "undefined" });
});
