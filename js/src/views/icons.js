// The few pictures, drawn as paths on a 24 x 24 grid.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {"microphone" | "muted" | "dots" | "bars" | "square" | "play" | "copy" | "check" | "bin" | "file" | "down" | "thumb-up"
 *   | "thumb-down"} IconName */

const CAPSULE = "M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3Z";
const STAND = "M6 11a6 6 0 0 0 12 0M12 17v4M9 21h6";

const CUFF = "M4 11v9";
const HAND =
  "M8 11.3L11.4 4a2.1 2.1 0 0 1 2.1 2.3L13.2 9.5h5a1.8 1.8 0 0 1 1.8 2.1l-1.2 6.9a1.8 1.8 0 0 1-1.8 1.5H8Z";

/** @type {Record<IconName, { filled?: string[], drawn?: string[] }>} */
const PATHS = {
  microphone: { filled: [CAPSULE], drawn: [STAND] },
  muted: { filled: [CAPSULE], drawn: [STAND, "M4 4l16 16"] },
  dots: {
    filled: [
      "M5 10a2 2 0 1 0 0 4a2 2 0 1 0 0-4Z",
      "M12 10a2 2 0 1 0 0 4a2 2 0 1 0 0-4Z",
      "M19 10a2 2 0 1 0 0 4a2 2 0 1 0 0-4Z",
    ],
  },
  bars: { drawn: ["M4 10v4", "M8 7v10", "M12 4v16", "M16 8v8", "M20 10.5v3"] },
  play: { filled: ["M8 5.5v13a.6.6 0 0 0 .9.5l10.4-6.5a.6.6 0 0 0 0-1L8.9 5a.6.6 0 0 0-.9.5Z"] },
  copy: {
    drawn: [
      "M10 8h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-8a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2Z",
      "M4.5 15A2 2 0 0 1 4 14V6a2 2 0 0 1 2-2h8a2 2 0 0 1 1 .5",
    ],
  },
  down: { drawn: ["M12 5v13", "M6.5 12.5L12 18l5.5-5.5"] },
  check: { drawn: ["M5 12.5l4.5 4.5L19 7.5"] },
  "thumb-up": { drawn: [CUFF, HAND] },
  "thumb-down": { drawn: [CUFF, HAND] },
  bin: { drawn: ["M4 7h16", "M9 7V4h6v3", "M6 7l1 13h10l1-13", "M10 11v5M14 11v5"] },
  file: {
    drawn: [
      "M13 3H7a1 1 0 0 0-1 1v16a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1V8Z",
      "M13 3v5h5",
      "M9 14v2M12 12v6M15 14v2",
    ],
  },
  square: { filled: ["M8 7h8a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1h-8a1 1 0 0 1-1-1v-8a1 1 0 0 1 1-1Z"] },
};

/**
 * @param {IconName} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `gip-icon gip-icon-${name}`);
  const { filled = [], drawn = [] } = PATHS[name];
  for (const [d, style] of [...filled.map((d) => [d, "filled"]), ...drawn.map((d) => [d, "drawn"])]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d ?? "");
    path.setAttribute("class", `gip-${style}`);
    svg.append(path);
  }
  return svg;
}
