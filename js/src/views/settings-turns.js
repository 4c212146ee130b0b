// Turn detection: how the end of the user's turn is found, and how readily.

import {
  detectionName,
  detectionOfKind,
  detectionValue,
  detectionWith,
  EAGERNESS,
} from "../session-fields.js";
import { make, setText, show } from "./dom.js";
import { choice, editable, row, slider, tick } from "./form.js";

/** @typedef {import("../session-fields.js").Detection} Detection */

/** @type {[value: import("../messages.js").TurnDetection, words: string, note: string][]} */
const KINDS = [
  ["server_vad", "Voice activity (server_vad)", "A pause ends your turn."],
  ["semantic_vad", "Semantic (semantic_vad)", "Your turn ends when what you say is complete."],
  ["none", "Manual (none)", "You, or your code, end the turn."],
];

/** @type {[name: string, words: string, range: { min: number, max: number, step: number }, format: (value: number) => string][]} */
const SLIDERS = [
  ["threshold", "Threshold", { min: 0, max: 1, step: 0.05 }, (value) => value.toFixed(2)],
  ["prefix_padding_ms", "Prefix padding", { min: 0, max: 1000, step: 50 }, (value) => `${value} ms`],
  ["silence_duration_ms", "Silence", { min: 100, max: 2000, step: 50 }, (value) => `${value} ms`],
];

/** @type {[name: string, words: string][]} */
const TICKS = [
  ["create_response", "begin when your turn ends"],
  ["interrupt_response", "stop when you speak"],
];

/**
 * @param {import("../change.js").Change<Detection | null>} change
 * @param {() => Detection | null} told what the server has
 * @param {AbortSignal} signal
 * @returns {{ elements: HTMLElement[], draw: (told: Detection | null) => void }}
 */
export function turnRows(change, told, signal) {
  const now = () => change.over(told());

  const kind = choice(
    "gip-detection",
    KINDS.map(([value, words]) => [value, words]),
  );
  const kindRow = row("Turn detection", kind, [kind], signal);
  const showKind = editable(kind, ({ value }) => {
    const name = KINDS.find(([known]) => known === value)?.[0] ?? "server_vad";
    change.ask(detectionOfKind(now(), name), kindRow.tell);
    draw(told());
  });

  const sliders = SLIDERS.map(([name, words, range, format]) => {
    const made = slider(`gip-${name.replaceAll("_", "-")}`, range, format);
    const line = row(words, made.input, [made.input, made.figure], signal);
    const shown = editable(made.input, ({ valueAsNumber }) =>
      change.ask(detectionWith(now(), name, valueAsNumber), line.tell),
    );
    return { ...made, name, line, shown };
  });

  const eagerness = choice(
    "gip-eagerness",
    EAGERNESS.map((value) => [value, value]),
  );
  const eagernessRow = row("Eagerness", eagerness, [eagerness], signal);
  const showEagerness = editable(eagerness, ({ value }) =>
    change.ask(detectionWith(now(), "eagerness", value), eagernessRow.tell),
  );

  /** @type {ReturnType<typeof row>} */
  const turnRow = row("Answers", null, [], signal);
  const ticks = TICKS.map(([name, words]) => {
    const { element, box } = tick(`gip-${name.replaceAll("_", "-")}`, words);
    const shown = editable(box, ({ checked }) =>
      change.ask(detectionWith(now(), name, checked), turnRow.tell),
    );
    return { element, name, shown };
  });
  turnRow.element
    .querySelector(".gip-setting-field")
    ?.prepend(make("div", "gip-ticks", {}, ...ticks.map(({ element }) => element)));

  /** @param {Detection | null} has */
  function draw(has) {
    const detection = change.over(has);
    const name = detectionName(detection);
    showKind((select) => {
      select.value = name;
    });
    kindRow.note(KINDS.find(([known]) => known === name)?.[2] ?? "");
    for (const { name: setting, line, write, figure, shown } of sliders) {
      show(line.element, name === "server_vad");
      const { value, told: isTold } = detectionValue(detection, setting);
      if (typeof value !== "number") continue;
      shown(() => {
        write(value);
        if (!isTold) setText(figure, `${figure.textContent} (usual)`);
      });
    }
    show(eagernessRow.element, name === "semantic_vad");
    showEagerness((select) => {
      select.value = String(detectionValue(detection, "eagerness").value ?? "auto");
    });
    show(turnRow.element, name !== "none");
    for (const { name: setting, shown } of ticks) {
      shown((box) => {
        box.checked = detectionValue(detection, setting).value === true;
      });
    }
  }

  return {
    elements: [
      kindRow.element,
      ...sliders.map(({ line }) => line.element),
      eagernessRow.element,
      turnRow.element,
    ],
    draw,
  };
}
