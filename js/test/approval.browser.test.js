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

/** @param {Partial<import("../src/messages.js").CallView>} call */
const asked = (call) =>
  item("f", {
    type: "function_call",
    role: null,
    status: "in_progress",
    name: "drop_rows",
    arguments: '{"table": "<img src=x onerror=alert(1)>\u202e"}',
    call: { state: "asked", since_ms: Date.now(), until_ms: Date.now() + 60_000, traceback: null, ...call },
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

test("goes when another page has answered", async () => {
  await snapshot(asked({}));
  expect(place.querySelector(".gip-approval")?.checkVisibility()).toBe(true);
  model.say({ kind: "items", page: null, put: [asked({ state: "running" })], text: [], drop: [] });
  await frame();
  expect(place.querySelector(".gip-approval")?.checkVisibility()).toBe(false);
  expect(place.querySelector(".gip-call-state")?.textContent).toBe("running");
});

test("a traceback is shown to who asks for it, as text", async () => {
  await snapshot(asked({ state: "failed", traceback: "Traceback\n<b>ValueError</b>" }));
  expect(place.querySelector(".gip-traceback")?.checkVisibility()).toBe(false);
  button("Show traceback")?.click();
  expect(place.querySelector(".gip-traceback")?.textContent).toBe("Traceback\n<b>ValueError</b>");
  expect(place.querySelector(".gip-traceback")?.checkVisibility()).toBe(true);
});
