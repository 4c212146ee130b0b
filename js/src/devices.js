// The microphones that this browser knows, as long as the page lasts. Their names come after the permission only.

/**
 * @typedef {object} Devices
 * @property {{ deviceId: string, label: string }[]} named
 * @property {string} usual the name of the system's default; empty: not told
 */

/** @type {Devices} */
export const NO_DEVICES = { named: [], usual: "" };

/** Chromium lists these beside the devices that they stand for. */
const STAND_INS = ["default", "communications"];
/** What it writes before the name of such a device, in English. */
const PREFIX = /^Default - /;

/**
 * @param {Pick<MediaDeviceInfo, "kind" | "deviceId" | "label">[]} devices as enumerateDevices gives them
 * @returns {Devices}
 */
export function devicesOf(devices) {
  const microphones = devices.filter(({ kind, label }) => kind === "audioinput" && label !== "");
  const usual = microphones.find(({ deviceId }) => deviceId === "default");
  return {
    named: microphones
      .filter(({ deviceId }) => deviceId !== "" && !STAND_INS.includes(deviceId))
      .map(({ deviceId, label }) => ({ deviceId, label })),
    usual: usual?.label.replace(PREFIX, "") ?? "",
  };
}

/**
 * @param {object} options
 * @param {AbortSignal} options.signal
 * @param {(devices: Devices) => void} options.changed
 * @returns {() => void} looks again: the browser tells of devices that come and go, and not that it now gives their names
 */
export function watchDevices({ signal, changed }) {
  const { mediaDevices } = navigator;
  if (!mediaDevices?.enumerateDevices) return () => {};
  const look = async () => {
    try {
      const devices = devicesOf(await mediaDevices.enumerateDevices());
      if (!signal.aborted) changed(devices);
    } catch {
      // A page that may not know: then there is the system's default.
    }
  };
  mediaDevices.addEventListener("devicechange", look, { signal });
  return look;
}
