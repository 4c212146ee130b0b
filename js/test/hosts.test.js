import { expect, test } from "vitest";
import { hostOf, microphonePassedOn, refusalOf, thisHost } from "../src/hosts.js";

const at = (/** @type {string} */ url) => ({ location: new URL(url) });
const config = (/** @type {unknown} */ value) => JSON.stringify(value);

test.each([
  ["vscode-webview://1b2c3d/index.html", "vscode"],
  ["https://1b2c3d.vscode-cdn.net/stable/abc/fake.html", "vscode"],
  ["https://vxfdm1q3b6-496ff2e9c6d22116-0-colab.googleusercontent.com/outputframe.html", "colab"],
  ["https://colab.research.google.com/drive/x", "colab"],
  ["http://localhost:8888/lab", "unknown"],
  ["https://colab.googleusercontent.com.evil.example/", "unknown"],
  ["https://notvscode-cdn.net/", "unknown"],
])("%s is %s", (url, host) => {
  expect(hostOf(at(url))).toEqual({ host, host_version: null });
});

test.each([
  [{ appName: "JupyterLab", appVersion: "4.6.6" }, "jupyterlab", "4.6.6"],
  [{ appName: "JupyterLab Desktop", appVersion: "4.2.5" }, "jupyterlab", "4.2.5"],
  [{ appName: "Jupyter Notebook", appVersion: "7.6.5" }, "notebook", "7.6.5"],
  [{ appName: "Jupyter Notebook", appVersion: 7 }, "notebook", null],
  [{ appName: "Voila", appVersion: "1" }, "unknown", null],
  [{ appName: 7 }, "unknown", null],
  [null, "unknown", null],
])("a page with the settings %j is %s", (settings, host, host_version) => {
  expect(hostOf({ ...at("http://localhost:8888/lab"), config: config(settings) })).toEqual({
    host,
    host_version,
  });
});

test("settings that are no JSON, and no surroundings at all", () => {
  expect(hostOf({ config: "{" }).host).toBe("unknown");
  expect(hostOf({}).host).toBe("unknown");
  expect(thisHost()).toEqual({ host: "unknown", host_version: null });
  expect(microphonePassedOn()).toBeNull();
});

test("marks that hosts leave in the page", () => {
  const jupyter = config({ appName: "JupyterLab", appVersion: "4.6.6" });
  expect(hostOf({ marimo: true }).host).toBe("marimo");
  // VS Code's own web server shows them on any address.
  expect(hostOf({ ...at("https://example.com/"), vscode: true, config: jupyter }).host).toBe("vscode");
});

test("a refusal that the host has no part in is between the user and the browser", () => {
  expect(refusalOf("jupyterlab", true)).toBeNull();
  expect(refusalOf("marimo", null)).toBeNull();
  for (const host of /** @type {const} */ (["vscode", "colab"])) {
    expect(refusalOf(host, true)?.next_step).toBeTruthy();
  }
});
