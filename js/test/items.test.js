import { describe, expect, test } from "vitest";
import { applyItems, EMPTY, fromSnapshot, heardLength, orderOf } from "../src/items.js";
import { random, seeds } from "./random.js";
import { item } from "./views-of.js";

/** @typedef {import("../src/messages.js").ItemView} ItemView */

/**
 * @param {import("../src/items.js").Conversation} conversation
 * @param {...ItemView} items
 */
const put = (conversation, ...items) => applyItems(conversation, { put: items, text: [], drop: [] });

describe("order", () => {
  test("follows `after`, whatever the order of arrival", () => {
    const items = ["a", "b", "c", "d", "e"].map((id, i, ids) => item(id, { after: ids[i - 1] ?? null }));
    for (const seed of seeds(20)) {
      const next = random(seed);
      const rest = [...items];
      let conversation = EMPTY;
      while (rest.length) {
        conversation = put(conversation, .../** @type {ItemView[]} */ (rest.splice(next(rest.length), 1)));
      }
      expect(conversation.order).toEqual(["a", "b", "c", "d", "e"]);
    }
  });

  test("is the same however it was come to", () => {
    for (const seed of seeds(50)) {
      const next = random(seed);
      let conversation = EMPTY;
      for (let n = 0; n < 60; n += 1) {
        const id = () => `${next(25)}`;
        const last = conversation.order.at(-1) ?? null;
        const after = next(3) > 0 ? last : next(4) > 0 ? id() : null;
        const message = { put: [item(id(), { after })], text: [], drop: next(6) === 0 ? [id()] : [] };
        conversation = applyItems(conversation, message);
        expect(conversation.order).toEqual(orderOf(conversation.links));
      }
    }
  });

  test("an item put after another comes right after it", () => {
    const conversation = put(EMPTY, item("a"), item("b", { after: "a" }), item("new", { after: "a" }));
    expect(conversation.order).toEqual(["a", "new", "b"]);
  });

  test("an item whose predecessor is unknown waits at the end, with what follows it", () => {
    const waiting = put(EMPTY, item("a"), item("y", { after: "x" }), item("z", { after: "y" }));
    expect(waiting.order).toEqual(["a", "y", "z"]);
    const joined = put(waiting, item("b", { after: "a" }), item("x", { after: "a" }));
    expect(joined.order).toEqual(["a", "x", "y", "z", "b"]);
  });

  test("an item that is put again keeps its place, unless it was moved", () => {
    const before = put(EMPTY, item("a"), item("b", { after: "a" }), item("c", { after: "b" }));
    const again = put(before, item("b", { after: "a", text: "more" }));
    expect(again.order).toBe(before.order);
    expect(again.items.get("b")?.text).toBe("more");
    expect(put(before, item("c", { after: null })).order).toEqual(["c", "a", "b"]);
  });

  test("a deleted item leaves its followers where they are", () => {
    let conversation = put(EMPTY, item("a"), item("b", { after: "a" }), item("c", { after: "b" }));
    conversation = applyItems(conversation, { put: [], text: [], drop: ["b", "unknown"] });
    expect(conversation.order).toEqual(["a", "c"]);
    conversation = put(conversation, item("c", { after: "b", text: "late word of b" }));
    expect(conversation.order).toEqual(["a", "c"]);
    conversation = applyItems(conversation, { put: [], text: [], drop: ["a"] });
    expect(conversation.order).toEqual(["c"]);
  });

  test("what followed a deleted item stays before what came after it", () => {
    const before = put(
      EMPTY,
      item("p"),
      item("q", { after: "p" }),
      item("a", { after: "p" }),
      item("b", { after: "a" }),
    );
    expect(before.order).toEqual(["p", "a", "b", "q"]);
    expect(applyItems(before, { put: [], text: [], drop: ["a"] }).order).toEqual(["p", "b", "q"]);
  });

  test("links in a circle lose nothing", () => {
    const conversation = put(EMPTY, item("a", { after: "b" }), item("b", { after: "a" }), item("c"));
    expect(conversation.order.toSorted()).toEqual(["a", "b", "c"]);
  });

  test("a snapshot's own order counts", () => {
    const conversation = fromSnapshot([item("b", { after: "gone" }), item("a"), item("c", { after: "b" })]);
    expect(conversation.order).toEqual(["b", "a", "c"]);
    expect(put(conversation, item("d", { after: "c" })).order).toEqual(["b", "a", "c", "d"]);
  });

  test("ten thousand items are no problem", () => {
    const items = Array.from({ length: 10_000 }, (_, i) => item(`${i}`, { after: i ? `${i - 1}` : null }));
    expect(put(EMPTY, ...items).order.at(-1)).toBe("9999");
  });
});

describe("text", () => {
  test("put, then text, then drop", () => {
    const conversation = applyItems(EMPTY, {
      put: [item("a", { text: "One" }), item("b", { after: "a" })],
      text: [
        { item_id: "a", delta: ", two" },
        { item_id: "b", delta: "gone" },
        { item_id: "a", delta: ", three" },
        { item_id: "nobody", delta: "?" },
      ],
      drop: ["b"],
    });
    expect(conversation.items.get("a")?.text).toBe("One, two, three");
    expect([...conversation.items.keys()]).toEqual(["a"]);
  });

  test("changes the one item, and neither its input nor the others nor the order", () => {
    const before = put(EMPTY, item("a", { text: "a" }), item("b", { after: "a" }));
    const after = applyItems(before, { put: [], text: [{ item_id: "a", delta: "!" }], drop: [] });
    expect(before.items.get("a")?.text).toBe("a");
    expect(after.items.get("b")).toBe(before.items.get("b"));
    expect(after.order).toBe(before.order);
  });
});

describe("heardLength", () => {
  const text = "It is 21 degrees and clear in Seoul.";

  test("is in proportion, between two words", () => {
    const length = heardLength({ text, heard_ms: 1000, audio_ms: 2000 });
    expect(text.slice(0, length)).toBe("It is 21 degrees ");
  });

  test("is all where all was heard, or where nothing is known", () => {
    for (const figures of [
      { heard_ms: 2000, audio_ms: 2000 },
      { heard_ms: 2100, audio_ms: 2000 },
      { heard_ms: null, audio_ms: 2000 },
      { heard_ms: 5, audio_ms: null },
      { heard_ms: 5, audio_ms: 0 },
    ]) {
      expect(heardLength({ text, ...figures })).toBe(text.length);
    }
  });

  test("is nothing where nothing was heard", () => {
    expect(heardLength({ text, heard_ms: 0, audio_ms: 2000 })).toBe(0);
    expect(heardLength({ text: "", heard_ms: 10, audio_ms: 2000 })).toBe(0);
  });

  test("cuts between letters where there are no spaces", () => {
    expect(heardLength({ text: "今日は良い天気です", heard_ms: 1000, audio_ms: 3000 })).toBe(3);
  });
});

test("of a sign that is two halves, both were heard", () => {
  const text = "\u{1F600}".repeat(4);
  expect(heardLength({ text, heard_ms: 390, audio_ms: 1000 }) % 2).toBe(0);
});
