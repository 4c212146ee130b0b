import { beforeEach, describe, expect, test, vi } from "vitest";
import { ASK_AGAIN_MS, Comm, newPageId, RequestError } from "../src/comm.js";
import { KERNEL_LOST } from "../src/trouble.js";
import { FakeModel } from "./fake-model.js";
import { REFUSED } from "./views-of.js";

const HELLO = /** @type {const} */ ({ kind: "hello", tab: "t1", views: 1, plays: true });

/** @type {FakeModel} */
let model;
/** @type {AbortController} */
let life;
/** @type {import("../src/messages.js").KernelMessage[]} */
let received;
/** @type {boolean[]} */
let changes;
/** @type {Comm} */
let comm;

beforeEach(() => {
  model = new FakeModel();
  life = new AbortController();
  received = [];
  changes = [];
  comm = new Comm(model, {
    signal: life.signal,
    receive: (message) => received.push(message),
    changed: (lost) => changes.push(lost),
  });
});

describe("requests", () => {
  test("each is answered by its number, in any order", async () => {
    const first = comm.request("start");
    const second = comm.request("text", { text: "hello" });
    expect(model.of("request").map(({ request, verb, args }) => [request, verb, args])).toEqual([
      [0, "start", {}],
      [1, "text", { text: "hello" }],
    ]);
    model.say({ kind: "reply", page: comm.page, request: 1, ok: true, error: null, value: null });
    await expect(second).resolves.toEqual({ value: null, buffer: undefined });
    model.say({ kind: "reply", page: comm.page, request: 0, ok: false, error: REFUSED, value: null });
    await expect(first).rejects.toMatchObject({ name: "RequestError", view: REFUSED });
  });

  test("a refusal without a reason still says what to do", async () => {
    const asked = comm.request("stop");
    model.say({ kind: "reply", page: comm.page, request: 0, ok: false, error: null, value: null });
    const error = await asked.catch((thrown) => thrown);
    expect(error).toBeInstanceOf(RequestError);
    expect(error.view.next_step).toMatch(/^\w/);
  });

  test("another page's answer is not ours, nor one to nothing", async () => {
    let settled = false;
    const asked = comm.request("start").then(() => {
      settled = true;
    });
    model.say({ kind: "reply", page: "another", request: 0, ok: true, error: null, value: null });
    model.say({ kind: "reply", page: comm.page, request: 17, ok: true, error: null, value: null });
    await Promise.resolve();
    expect(settled).toBe(false);
    model.say({ kind: "reply", page: comm.page, request: 0, ok: true, error: null, value: null });
    await asked;
  });

  test("all of them fail when the kernel is gone, and later ones at once", async () => {
    const asked = [comm.request("start"), comm.request("stop")];
    model.die();
    for (const one of [...asked, comm.request("mute", { muted: true })]) {
      await expect(one).rejects.toMatchObject({ view: KERNEL_LOST });
    }
    expect(changes).toEqual([true]);
  });

  test("they fail when the page ends", async () => {
    const asked = comm.request("start");
    life.abort();
    await expect(asked).rejects.toBeInstanceOf(RequestError);
  });
});

describe("a request that is not answered", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    return () => vi.useRealTimers();
  });
  const asked = () => model.of("request").map(({ request, verb }) => [request, verb]);

  test("is asked again under its number, ever more seldom, until it is", async () => {
    const answer = comm.request("update", { fields: {} });
    vi.advanceTimersByTime(ASK_AGAIN_MS);
    expect(asked()).toEqual([
      [0, "update"],
      [0, "update"],
    ]);
    vi.advanceTimersByTime(60_000);
    expect(asked().length).toBeLessThan(12);
    model.reply();
    model.reply();
    await expect(answer).resolves.toEqual({ value: null, buffer: undefined });
    const before = asked().length;
    vi.advanceTimersByTime(60_000);
    expect(asked().length).toBe(before);
  });

  test("is not asked again of a kernel that is gone", async () => {
    const answer = comm.request("start");
    model.die();
    await expect(answer).rejects.toMatchObject({ view: KERNEL_LOST });
    vi.advanceTimersByTime(60_000);
    expect(asked()).toHaveLength(1);
  });
});

describe("messages", () => {
  test("for every page or for this one are received, no others", () => {
    model.say({ kind: "flush", page: null, flush: 1 });
    model.say({ kind: "flush", page: comm.page, flush: 2 });
    model.say({ kind: "flush", page: "another", flush: 3 });
    model.emit("msg:custom", null, []);
    model.emit("msg:custom", { method: "something else" }, []);
    expect(received.map((message) => message.kind === "flush" && message.flush)).toEqual([1, 2]);
  });

  test("carry the page's id", () => {
    expect(comm.send(HELLO)).toBe(true);
    expect(model.of("hello")).toEqual([{ ...HELLO, page: comm.page }]);
  });

  test("are not listened to any more after the end", () => {
    life.abort();
    model.say({ kind: "flush", page: null, flush: 1 });
    model.die();
    expect(received).toEqual([]);
    expect(changes).toEqual([]);
  });
});

describe("a kernel that is gone", () => {
  test("is noticed when sending throws, once", () => {
    model.alive = false;
    expect(comm.send(HELLO)).toBe(false);
    expect(comm.send(HELLO)).toBe(false);
    expect(changes).toEqual([true]);
  });

  test("is there again when it is heard of", () => {
    model.die();
    model.alive = true;
    model.say({ kind: "flush", page: null, flush: 4 });
    expect(changes).toEqual([true, false]);
    expect(received).toHaveLength(1);
    expect(comm.send(HELLO)).toBe(true);
  });
});

test("page ids are random", () => {
  const ids = new Set(Array.from({ length: 100 }, newPageId));
  expect(ids.size).toBe(100);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
});
