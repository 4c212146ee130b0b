// The saved notebook's record of a talk stands beside the widget, for who has no kernel. Where the widget lives, it is hidden.

/**
 * As a rule and not at the element: the record is written anew while people talk, by the host.
 *
 * @param {string} name the record's class; empty: there is none
 * @param {import("../page.js").Page} page
 * @param {AbortSignal} signal the view's lifetime
 */
export function hideRecord(name, page, signal) {
  if (name === "") return;
  const sheet = new CSSStyleSheet();
  const record = `.${CSS.escape(name)}`;
  // Jupyter's own box around an output has a height, too.
  sheet.replaceSync(
    `.jp-OutputArea-child:has(> .jp-OutputArea-output > ${record}), ${record} { display: none }`,
  );
  const { adoptedStyleSheets: sheets } = document;
  let hidden = false;
  const look = () => {
    // A widget that has not heard from its kernel shows nothing that the record does not.
    if (hidden || page.store.get().talk === null) return;
    hidden = true;
    sheets.push(sheet);
    signal.addEventListener("abort", () => sheets.splice(sheets.indexOf(sheet), 1), { once: true });
  };
  page.store.subscribe(look, signal);
  look();
}
