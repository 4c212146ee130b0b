import { describe, expect, test } from "vitest";
import { KEYS, keyOf } from "../src/keys.js";

/** @param {Partial<KeyboardEvent>} event */
const press = (event) =>
  keyOf({
    key: "",
    code: "",
    ctrlKey: false,
    altKey: false,
    metaKey: false,
    shiftKey: false,
    isComposing: false,
    ...event,
  });

describe("which key it is", () => {
  test.each([
    [{ key: " ", code: "Space" }, "Space"],
    [{ key: "k", code: "KeyK" }, "K"],
    [{ key: "K", code: "KeyK" }, "K"],
    [{ key: "Escape", code: "Escape" }, "Esc"],
    [{ key: "?", code: "Slash", shiftKey: true }, "?"],
    // A Korean, a Russian and a French layout: by place only where the letter is no Latin one.
    [{ key: "ㅏ", code: "KeyK" }, "K"],
    [{ key: "л", code: "KeyK" }, "K"],
    [{ key: "q", code: "KeyA" }, "Q"],
    [{ key: "a", code: "KeyQ" }, null],
    [{ key: "d", code: "KeyD" }, null],
  ])("%o is %s", (event, key) => {
    expect(press(event)).toBe(key);
  });

  test.each(["ctrlKey", "altKey", "metaKey", "shiftKey", "isComposing"])("none with %s", (modifier) => {
    for (const key of ["k", "m", "q", " ", "Escape"]) expect(press({ key, [modifier]: true })).toBeNull();
  });
});

test("each key that is listed is one that is known", () => {
  const typed = { Space: " ", Esc: "Escape" };
  for (const [keys] of KEYS) {
    for (const key of keys) expect(press({ key: typed[/** @type {"Esc"} */ (key)] ?? key })).toBe(key);
  }
});
