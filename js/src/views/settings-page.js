// What holds in this page: the microphone, how its sound is treated, and how loud answers are.

import { make } from "./dom.js";
import { choice, editable, row, section, slider, tick } from "./form.js";

/**
 * @typedef {import("../page.js").Page} Page
 * @typedef {import("../store.js").State} State
 * @typedef {"echoCancellation" | "noiseSuppression" | "autoGainControl"} Processing
 */

/** @type {[Processing, string][]} */
const PROCESSING = [
  ["echoCancellation", "Echo cancellation"],
  ["noiseSuppression", "Noise suppression"],
  ["autoGainControl", "Auto gain"],
];

/**
 * @param {import("../devices.js").Devices} devices
 * @param {string} chosen
 * @returns {[value: string, words: string][]}
 */
export function microphoneChoices({ named, usual }, chosen) {
  const isListed = chosen === "" || named.some(({ deviceId }) => deviceId === chosen);
  return [
    ["", usual ? `System default (${usual})` : "System default"],
    ...named.map(({ deviceId, label }) => /** @type {[string, string]} */ ([deviceId, label])),
    .../** @type {[string, string][]} */ (isListed ? [] : [[chosen, "The one chosen before"]]),
  ];
}

/**
 * @param {Page} page
 * @param {AbortSignal} signal
 * @returns {{ element: HTMLElement, draw: (state: State) => void }}
 */
export function pageSettings(page, signal) {
  const { element } = section("gip-settings-page", "This page");

  const microphones = choice("gip-microphones", []);
  const showMicrophone = editable(microphones, ({ value }) => page.prefer({ microphone: value }));
  const microphoneRow = row("Microphone", microphones, [microphones], signal);

  const boxes = PROCESSING.map(([name, words]) => {
    const { element: label, box } = tick(`gip-${name.toLowerCase()}`, words);
    return { name, label, shown: editable(box, ({ checked }) => page.prefer({ [name]: checked })) };
  });
  const processingRow = row(
    "Processing",
    null,
    [make("div", "gip-ticks", {}, ...boxes.map(({ label }) => label))],
    signal,
  );

  const volume = slider("gip-volume", { min: 0, max: 100, step: 5 }, (value) => `${value} %`);
  // While it is moved, too: what it does is to be heard.
  volume.input.addEventListener("input", () => page.prefer({ volumePercent: volume.input.valueAsNumber }));
  const volumeRow = row("Output volume", volume.input, [volume.input, volume.figure], signal);

  element.append(microphoneRow.element, processingRow.element, volumeRow.element);

  let listed = "";
  return {
    element,
    draw({ local: { devices, sounds } }) {
      const choices = microphoneChoices(devices, sounds.microphone);
      const list = JSON.stringify(choices);
      // A list that is open would be closed by new options, and what has not changed need not be made again.
      if (list !== listed) {
        listed = list;
        microphones.replaceChildren(...choices.map(([value, words]) => make("option", "", { value }, words)));
      }
      showMicrophone((select) => {
        select.value = sounds.microphone;
      });
      const able = Boolean(globalThis.navigator.mediaDevices);
      microphones.disabled = !able;
      if (!able) microphoneRow.note("Browsers give no microphone to this page: its address is not secure.");
      else
        microphoneRow.note(
          devices.named.length ? "" : "Names appear once the browser has allowed the microphone.",
        );
      for (const { name, shown } of boxes) {
        shown((box) => {
          box.checked = sounds[name];
        });
      }
      volume.write(sounds.volumePercent);
    },
  };
}
