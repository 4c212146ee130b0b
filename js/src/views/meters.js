// What the microphone gives and what the model says, as bars over the band of the voice. Bars are only scaled: no layout.

import { make, setAttribute } from "./dom.js";

const BANDS = 8;
/** How much of the distance to a lower level is left after each picture: up at once, down slowly. */
const DECAY = 0.75;
const STEP = 0.02;
/** What is left of a bar in silence. */
const LEAST = 0.08;

/** @typedef {"microphone" | "model"} Side */

/**
 * @param {Side} side
 * @param {(side: Side, levels: number[]) => void} measure writes each band's level, 0 to 1
 * @returns {{ element: HTMLElement } & import("./frame-loop.js").Picture}
 */
function meter(side, measure) {
  const bars = Array.from({ length: BANDS }, () => make("i", ""));
  const element = make("div", `gip-meter-${side} gip-meter`, {}, ...bars);
  const heard = new Array(BANDS).fill(0);
  const values = new Array(BANDS).fill(0);
  const drawn = new Array(BANDS).fill(-1);

  /**
   * @param {number} n
   * @param {number} value
   */
  const show = (n, value) => {
    const bar = bars[n];
    if (!bar || (Math.abs(value - drawn[n]) < STEP && value !== 0) || value === drawn[n]) return;
    drawn[n] = value;
    bar.style.transform = `scaleY(${Math.max(LEAST, value).toFixed(2)})`;
  };
  const rest = () => {
    values.fill(0);
    for (let n = 0; n < BANDS; n += 1) show(n, 0);
  };
  rest();
  return {
    element,
    calm: true,
    rest,
    draw() {
      measure(side, heard);
      for (let n = 0; n < BANDS; n += 1) {
        values[n] = heard[n] > values[n] ? heard[n] : heard[n] + (values[n] - heard[n]) * DECAY;
        show(n, values[n]);
      }
    },
  };
}

/**
 * @param {(side: Side, levels: number[]) => void} measure
 * @returns {{ element: HTMLElement, pictures: import("./frame-loop.js").Picture[], used: (side: Side, is: boolean) => void }}
 *   used: whether somebody hears it
 */
export function meters(measure) {
  const both = { microphone: meter("microphone", measure), model: meter("model", measure) };
  return {
    // For the eye alone: the state says in words who speaks.
    element: make(
      "div",
      "gip-meters",
      { "aria-hidden": "true", title: "microphone and model, 100 to 4000 Hz" },
      both.microphone.element,
      both.model.element,
    ),
    pictures: [both.microphone, both.model],
    used: (side, is) => setAttribute(both[side].element, "data-used", String(is)),
  };
}
