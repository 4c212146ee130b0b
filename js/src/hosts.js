// Which program shows this page, and what that means for the microphone.

/**
 * @typedef {"jupyterlab" | "notebook" | "vscode" | "colab" | "marimo" | "unknown"} Host
 *
 * @typedef {object} Surroundings what gives a host away
 * @property {Pick<Location, "protocol" | "hostname">} [location]
 * @property {string | null} [config] text of the element in which Jupyter's pages have their settings
 * @property {boolean} [vscode] VS Code has left its mark on the page
 * @property {boolean} [marimo] marimo has left its elements in the page
 *
 * @typedef {{ host: Host, host_version: string | null }} HostFacts
 */

const COLAB = /(^|[.-])colab\.googleusercontent\.com$|^colab\.research\.google\.com$/;
const VSCODE = /(^|\.)vscode-cdn\.net$/;
const JUPYTER = [
  { name: "Jupyter Notebook", host: /** @type {const} */ ("notebook") },
  { name: "JupyterLab", host: /** @type {const} */ ("jupyterlab") },
];

/**
 * @param {Surroundings} surroundings
 * @returns {HostFacts}
 */
export function hostOf({ location, config = null, vscode = false, marimo = false }) {
  const { protocol = "", hostname = "" } = location ?? {};
  /** @type {(host: Host) => HostFacts} */
  const called = (host) => ({ host, host_version: null });
  if (vscode || protocol === "vscode-webview:" || VSCODE.test(hostname)) return called("vscode");
  if (COLAB.test(hostname)) return called("colab");
  if (marimo) return called("marimo");
  const { appName, appVersion } = settingsIn(config);
  const known = JUPYTER.find(({ name }) => typeof appName === "string" && appName.startsWith(name));
  if (!known) return called("unknown");
  return { host: known.host, host_version: typeof appVersion === "string" ? appVersion : null };
}

/**
 * @param {string | null} config
 * @returns {{ appName?: unknown, appVersion?: unknown }}
 */
function settingsIn(config) {
  try {
    return JSON.parse(config ?? "{}") ?? {};
  } catch {
    return {};
  }
}

/** @returns {HostFacts} of this page */
export function thisHost() {
  const { document, location } = globalThis;
  if (!document) return hostOf({ location });
  return hostOf({
    location,
    config: document.getElementById("jupyter-config-data")?.textContent ?? null,
    vscode: document.body?.dataset.vscodeThemeKind !== undefined,
    marimo: document.querySelector("marimo-filename, marimo-island") !== null,
  });
}

/** @returns {boolean | null} whether the page round this one lets it have the microphone; null: the browser does not say */
export function microphonePassedOn() {
  // Chromium's alone; other browsers tell by refusing.
  const page = /** @type {{ featurePolicy?: { allowsFeature: (name: string) => boolean } } | undefined} */ (
    globalThis.document
  );
  return page?.featurePolicy?.allowsFeature("microphone") ?? null;
}

/**
 * Why a microphone was refused, where the host has a part in it.
 *
 * @param {Host} host
 * @param {boolean | null} passedOn as `microphonePassedOn` says
 * @returns {{ message: string, next_step: string } | null} null: it is between the user and the browser
 */
export function refusalOf(host, passedOn) {
  if (host === "vscode") {
    return {
      message: "VS Code gives no notebook a microphone, and no setting changes that.",
      next_step: "To speak, open this notebook in a browser: run jupyter lab in its folder.",
    };
  }
  if (host === "colab") {
    return {
      message: "Colab, or the browser, does not let this cell use the microphone.",
      next_step:
        "Use Chrome, allow the microphone for colab.research.google.com by the icon in the address bar, then press the microphone button.",
    };
  }
  if (passedOn === false) {
    return {
      message: "The page that this notebook is shown inside of does not pass the microphone on to it.",
      next_step: "Open the notebook in a window of its own, then press the microphone button.",
    };
  }
  return null;
}
