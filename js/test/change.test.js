import { expect, test } from "vitest";
import { Change } from "../src/change.js";

/** A server that answers when it is told to. */
function server() {
  /** @type {unknown[]} */
  const asked = [];
  /** @type {((fate: import("../src/session-fields.js").Fate) => void)[]} */
  const answers = [];
  let settled = 0;
  const change = new Change({
    send: (/** @type {unknown} */ value) => {
      asked.push(value);
      return new Promise((resolve) => answers.push(resolve));
    },
    settled: () => {
      settled += 1;
    },
  });
  return {
    change,
    asked,
    settled: () => settled,
    /** @param {string} text */
    async answer(text) {
      answers.shift()?.({ kind: "taken", text });
      for (let i = 0; i < 5; i += 1) await Promise.resolve();
    },
  };
}

/** @returns {{ told: string[], tell: import("../src/change.js").Teller }} */
function control() {
  /** @type {string[]} */
  const told = [];
  return { told, tell: ({ text }) => told.push(text) };
}

test("what was asked for holds until it is answered, and then what the server has", async () => {
  const { change, answer, settled } = server();
  const { told, tell } = control();
  expect(change.over("old")).toBe("old");
  change.ask("new", tell);
  expect(change.over("old")).toBe("new");
  expect(told).toEqual(["Sending…"]);
  await answer("one");
  expect(told).toEqual(["Sending…", "one"]);
  expect(change.over("old")).toBe("old");
  expect(settled()).toBe(1);
});

test("null is something to ask for", () => {
  const { change } = server();
  change.ask(null, () => {});
  expect(change.over("old")).toBeNull();
});

test("of what comes meanwhile only the newest is sent, and each control hears of its own", async () => {
  const { change, asked, answer, settled } = server();
  const [one, two] = [control(), control()];
  change.ask(1, one.tell);
  for (const value of [2, 3, 4]) change.ask(value, one.tell);
  change.ask(5, two.tell);
  expect(asked).toEqual([1]);
  expect(change.over(0)).toBe(5);
  await answer("first");
  expect(asked).toEqual([1, 5]);
  // A newer one of its is still on its way.
  expect(one.told).not.toContain("first");
  expect(settled()).toBe(0);
  await answer("second");
  expect(one.told.at(-1)).toBe("second");
  expect(two.told).toEqual(["Sending…", "second"]);
  expect(settled()).toBe(1);
  change.ask(6, two.tell);
  expect(asked).toEqual([1, 5, 6]);
});
