// What the notebook loads: the talk lives in `initialize`, once per page; `render` makes a view of it, as often as it is shown.

import { Page } from "./page.js";
import { hideRecord } from "./views/record.js";
import { openView } from "./views/view.js";

/**
 * A function, so that each model has its own page object: the `model` that `initialize` and `render` are given are two
 * different proxies of it.
 *
 * @returns {{
 *   initialize: (props: Pick<import("@anywidget/types").InitializeProps, "model"> & { signal?: AbortSignal }) => () => void,
 *   render: (props: Pick<import("@anywidget/types").RenderProps, "el" | "model"> & { signal?: AbortSignal }) => () => void,
 * }}
 */
export default function widget() {
  /** @type {Page | undefined} */
  let page;
  return {
    // Nothing here may wait: anywidget gives up after 2 s, and holds all messages until this returns.
    initialize({ model, signal }) {
      const life = new AbortController();
      signal?.addEventListener("abort", () => life.abort(), { once: true });
      page = new Page(model, life.signal);
      return () => life.abort();
    },
    render({ model, el, signal }) {
      if (!page) throw new Error("render before initialize");
      const life = new AbortController();
      signal?.addEventListener("abort", () => life.abort(), { once: true });
      page.signal.addEventListener("abort", () => life.abort(), { once: true, signal: life.signal });
      openView(el, page, life.signal);
      hideRecord(model.get("_record_class"), page, life.signal);
      return () => life.abort();
    },
  };
}
