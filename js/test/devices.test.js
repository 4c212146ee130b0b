import { afterEach, expect, test, vi } from "vitest";
import { devicesOf, NO_DEVICES, watchDevices } from "../src/devices.js";

afterEach(() => vi.unstubAllGlobals());

/**
 * @param {string} deviceId
 * @param {string} label
 * @param {MediaDeviceKind} [kind]
 */
const device = (deviceId, label, kind = "audioinput") => ({ deviceId, label, kind });

test("microphones by their names; what stands in for another one is no device", () => {
  expect(
    devicesOf([
      device("default", "Default - Desk"),
      device("communications", "Communications - Headset"),
      device("1", "Desk"),
      device("2", "Headset"),
      device("3", "Screen", "audiooutput"),
      device("4", "Camera", "videoinput"),
    ]),
  ).toEqual({
    named: [
      { deviceId: "1", label: "Desk" },
      { deviceId: "2", label: "Headset" },
    ],
    usual: "Desk",
  });
});

test("before the permission there are no names, and no choice", () => {
  expect(devicesOf([device("", "")])).toEqual(NO_DEVICES);
  expect(devicesOf([])).toEqual(NO_DEVICES);
});

test("they are looked at when one comes or goes, until the page ends", async () => {
  const life = new AbortController();
  let found = [device("1", "Desk")];
  const mediaDevices = Object.assign(new EventTarget(), { enumerateDevices: async () => found });
  vi.stubGlobal("navigator", { mediaDevices });
  /** @type {string[][]} */
  const told = [];
  const look = watchDevices({
    signal: life.signal,
    changed: ({ named }) => told.push(named.map(({ label }) => label)),
  });
  await look();
  found = [device("1", "Desk"), device("2", "Headset")];
  mediaDevices.dispatchEvent(new Event("devicechange"));
  await vi.waitFor(() => expect(told).toEqual([["Desk"], ["Desk", "Headset"]]));
  life.abort();
  mediaDevices.dispatchEvent(new Event("devicechange"));
  await look();
  expect(told).toHaveLength(2);
});

test("a page that may not know, or has none, goes on without", async () => {
  const life = new AbortController();
  const changed = () => expect.unreachable();
  const refuses = Object.assign(new EventTarget(), {
    enumerateDevices: async () => {
      throw new DOMException("no", "NotAllowedError");
    },
  });
  vi.stubGlobal("navigator", { mediaDevices: refuses });
  await watchDevices({ signal: life.signal, changed })();
  vi.stubGlobal("navigator", {});
  watchDevices({ signal: life.signal, changed })();
});
