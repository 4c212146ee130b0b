// The question whether a call may be made, in a real browser.

import { afterEach, beforeEach, expect, test } from "vitest";
import { mounted } from "./mounted.js";
import { item, talk } from "./views-of.js";

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
});

const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));

/** @param {string} name */
const button = (name) => [...place.querySelectorAll("button")].find((one) => one.textContent === name);

/**
 * @param {Partial<import("../src/messages.js").CallView>} call
 * @param {Partial<import("../src/messages.js").ItemView>} [rest]
 */
const asked = (call, rest = {}) =>
  item("f", {
    type: "function_call",
    role: null,
    status: "in_progress",
    name: "drop_rows",
    arguments: '{"table": "<img src=x onerror=alert(1)>\u202e"}',
    call: { state: "asked", since_ms: Date.now(), until_ms: Date.now() + 60_000, traceback: null, ...call },
    ...rest,
  });

/** @param {import("../src/messages.js").ItemView} shown */
async function snapshot(shown) {
  const state = talk({ state: "thinking", audio_page: model.page });
  model.say({ kind: "snapshot", page: model.page, talk: state, items: [shown] });
  await frame();
}

test("shows the arguments as they are, and a double click is one answer", async () => {
  await snapshot(asked({}));
  const given = place.querySelector(".gip-arguments");
  expect(given?.textContent).toContain("<img src=x onerror=alert(1)>\\u202e");
  expect(place.querySelector("img")).toBeNull();
  const allow = button("Allow once");
  allow?.click();
  allow?.click();
  button("Deny")?.click();
  await frame();
  const requests = model.of("request").filter(({ verb }) => verb === "approve");
  expect(requests.map(({ args }) => args)).toEqual([{ item_id: "f", answer: "once" }]);
  expect(allow?.getAttribute("aria-disabled")).toBe("true");
});

test.each([
  ["another page has answered", "running"],
  ["its time is over", "denied"],
  ["the user interrupts", "cancelled"],
])("goes when %s", async (_, becomes) => {
  await snapshot(asked({}));
  expect(place.querySelector(".gip-approval")?.checkVisibility()).toBe(true);
  const state = /** @type {import("../src/messages.js").CallView["state"]} */ (becomes);
  model.say({ kind: "items", page: null, put: [asked({ state, until_ms: null })], text: [], drop: [] });
  await frame();
  expect(place.querySelector(".gip-approval")?.checkVisibility()).toBe(false);
  expect(place.querySelector(".gip-call-state")?.textContent).toBe(becomes);
});

test("two at once are answered each for itself", async () => {
  const state = talk({ state: "thinking", audio_page: model.page });
  const items = [asked({}), asked({}, { item_id: "g", after: "f", name: "add_rows", arguments: '{"n": 2}' })];
  model.say({ kind: "snapshot", page: model.page, talk: state, items });
  await frame();
  const cards = [...place.querySelectorAll(".gip-approval")];
  expect(cards.map((card) => card.getAttribute("aria-label"))).toEqual([
    "May drop_rows run?",
    "May add_rows run?",
  ]);
  /** @type {HTMLElement | null | undefined} */ (cards[1]?.querySelector(".gip-allow-talk"))?.click();
  await frame();
  expect(model.of("request").at(-1)?.args).toEqual({ item_id: "g", answer: "talk" });
  expect(button("Deny")?.getAttribute("aria-disabled")).toBeNull();
});

test("a traceback is shown to who asks for it, as text", async () => {
  await snapshot(asked({ state: "failed", traceback: "Traceback\n<b>ValueError</b>" }));
  expect(place.querySelector(".gip-traceback")?.checkVisibility()).toBe(false);
  button("Show traceback")?.click();
  expect(place.querySelector(".gip-traceback")?.textContent).toBe("Traceback\n<b>ValueError</b>");
  expect(place.querySelector(".gip-traceback")?.checkVisibility()).toBe(true);
});

test("shows every digit of what will run", async () => {
  const given = '{"user_id": 9007199254740993, "x": Infinity, "to": "a\u00ad\u{e0041}"}';
  await snapshot(asked({}, { arguments: given }));
  expect(place.querySelector(".gip-arguments")?.textContent).toBe(
    '{\n  "user_id": 9007199254740993,\n  "x": Infinity,\n  "to": "a\\u00ad\\udb40\\udc41"\n}',
  );
  await snapshot(asked({}, { arguments: "{}" }));
  expect(place.querySelector(".gip-arguments")?.textContent).toBe("no arguments");
});

test("what was not shown cannot be allowed", async () => {
  await snapshot(asked({}, { arguments: JSON.stringify({ code: `${"x = 1; ".repeat(4000)}the end` }) }));
  const given = place.querySelector(".gip-arguments");
  expect(given?.textContent).not.toContain("the end");
  expect(place.querySelector(".gip-approval-rest")?.textContent).toMatch(/^… and 8,0\d\d more characters/);
  for (const name of ["Allow once", "Allow for this talk"]) button(name)?.click();
  expect(model.of("request").filter(({ verb }) => verb === "approve")).toEqual([]);
  expect(button("Allow once")?.getAttribute("aria-disabled")).toBe("true");
  expect(button("Deny")?.getAttribute("aria-disabled")).toBeNull();
  button("Show all")?.click();
  expect(given?.textContent).toContain("the end");
  expect(button("Show all")?.checkVisibility()).toBe(false);
  button("Allow once")?.click();
  await frame();
  expect(model.of("request").at(-1)?.args).toEqual({ item_id: "f", answer: "once" });
});

test("a call that is asked about again is another question", async () => {
  await snapshot(asked({}));
  button("Allow once")?.click();
  model.reply();
  await frame();
  const again = asked({ since_ms: Date.now() + 5 }, { arguments: '{"path": "/"}' });
  model.say({ kind: "items", page: null, put: [again], text: [], drop: [] });
  await frame();
  expect(place.querySelector(".gip-arguments")?.textContent).toContain("/");
  expect(button("Deny")?.getAttribute("aria-disabled")).toBeNull();
  // The second half of a double click.
  button("Allow once")?.click();
  await frame();
  expect(model.of("request").filter(({ verb }) => verb === "approve")).toHaveLength(1);
  await expect
    .poll(() => {
      button("Deny")?.click();
      return model.of("request").at(-1)?.args;
    })
    .toEqual({ item_id: "f", answer: "deny" });
});

test.each([-3_600_000, 0, 3_600_000])(
  "what is left is told by the kernel's clock, %d ms from here",
  async (ahead) => {
    const kernelMs = Date.now() + ahead;
    const shown = asked({ since_ms: kernelMs - 30_000, until_ms: kernelMs + 30_000 });
    const state = talk({ state: "thinking", audio_page: model.page });
    model.say({ kind: "snapshot", page: model.page, at_ms: kernelMs, talk: state, items: [shown] });
    await frame();
    expect(place.querySelector(".gip-approval-left")?.textContent).toMatch(/^denied in (30|2\d) s$/);
    expect(place.querySelector(".gip-call-duration")?.textContent).toMatch(/^00:3\d$/);
    // It may take a moment until the kernel says so.
    const late = { ...shown, call: { ...shown.call, until_ms: kernelMs - 5000 } };
    model.say({ kind: "items", page: null, put: [/** @type {any} */ (late)], text: [], drop: [] });
    await frame();
    expect(place.querySelector(".gip-approval-left")?.textContent).toBe("denied in 1 s");
  },
);
