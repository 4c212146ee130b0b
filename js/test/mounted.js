// The whole widget in the test's page, with its look; only the kernel is played by the test.

import css from "../src/widget.css?inline";
import widget from "../src/widget.js";
import { FakeModel } from "./fake-model.js";

const style = document.createElement("style");
style.textContent = css;
document.head.append(style);

/** @returns {{ model: FakeModel, life: AbortController, place: HTMLElement }} `life` ends it; `place` is to be removed then */
export function mounted() {
  const model = new FakeModel();
  const life = new AbortController();
  const place = document.createElement("div");
  document.body.append(place);
  const { initialize, render } = widget();
  initialize({ model: /** @type {any} */ (model), signal: life.signal });
  render({ model: /** @type {any} */ (model), el: place, signal: life.signal });
  return { model, life, place };
}
