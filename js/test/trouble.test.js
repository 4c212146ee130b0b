import { expect, test } from "vitest";
import {
  CLOSED,
  INSECURE,
  MUTED,
  microphoneTrouble,
  NO_SOUND,
  NO_WORKLET,
  nameAndMessage,
  UNPLUGGED,
} from "../src/trouble.js";

const KNOWN = [
  "NotAllowedError",
  "NotFoundError",
  "NotReadableError",
  "OverconstrainedError",
  "NotSupportedError",
  "InvalidStateError",
  INSECURE,
  UNPLUGGED,
  MUTED,
  CLOSED,
  NO_WORKLET,
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

test.each([
  ["PermissionDeniedError", "NotAllowedError"],
  ["PermissionDismissedError", "NotAllowedError"],
  ["SecurityError", "NotAllowedError"],
  ["DevicesNotFoundError", "NotFoundError"],
  ["TrackStartError", "NotReadableError"],
  ["SourceUnavailableError", "NotReadableError"],
  ["AbortError", "NotReadableError"],
  ["ConstraintNotSatisfiedError", "OverconstrainedError"],
])("%s is what another browser calls %s", (name, usual) => {
  const message = "Starting audioinput failed";
  expect(microphoneTrouble({ name, message })).toEqual(microphoneTrouble({ name: usual, message }));
});

test("a browser that the system keeps away from the microphone: the next step is in the system's settings", () => {
  const { next_step } = microphoneTrouble({
    name: "NotAllowedError",
    message: "Permission denied by system",
  });
  expect(next_step).toContain("privacy settings");
});

const REFUSED = { name: "NotAllowedError", message: "Permission denied" };

test.each([
  [/** @type {const} */ ("vscode"), false, "VS Code gives no notebook", "run jupyter lab"],
  [/** @type {const} */ ("colab"), null, "Colab, or the browser", "colab.research.google.com"],
  [/** @type {const} */ ("unknown"), false, "shown inside of", "a window of its own"],
  [/** @type {const} */ ("jupyterlab"), true, "The browser does not", "icon in the address bar"],
  [/** @type {const} */ ("marimo"), null, "The browser does not", "icon in the address bar"],
])("a microphone refused in %s (passed on: %s)", (host, passedOn, message, next) => {
  const said = microphoneTrouble(REFUSED, undefined, { host, passedOn });
  expect(said.title).toBe("Microphone not allowed");
  expect(said.message).toContain(message);
  expect(said.next_step).toContain(next);
  expect(said.next_step).toContain("Typing works");
  // What the host has no part in sounds the same everywhere.
  const missing = { name: "NotFoundError", message: "" };
  expect(microphoneTrouble(missing, undefined, { host, passedOn })).toEqual(microphoneTrouble(missing));
});

test("a page that is not secure: which address works", () => {
  const page = new URL("http://192.168.1.5:8888/lab?token=abc");
  const { next_step } = microphoneTrouble({ name: INSECURE, message: "" }, page);
  expect(next_step).toContain("ssh -L 8888:localhost:8888 192.168.1.5");
  expect(next_step).toContain("Typing works");
  expect(NO_SOUND.next_step).toContain("text meanwhile");
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
