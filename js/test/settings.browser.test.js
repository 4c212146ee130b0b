// The Settings tab in a real browser; only the kernel is played by the test.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { userEvent } from "vitest/browser";
import { microphoneChoices } from "../src/views/settings-page.js";
import { mounted } from "./mounted.js";
import { talk } from "./views-of.js";

/** @typedef {import("../src/messages.js").SettingsView} SettingsView */

/** @type {import("./fake-model.js").FakeModel} */
let model;
/** @type {AbortController} */
let life;
/** @type {HTMLElement} */
let place;

const VAD = { type: "server_vad", threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 500 };
const LIVE = { state: /** @type {const} */ ("listening"), session_id: "sess_1" };
const REFUSED = { title: "T", message: "Invalid value: 'x'.", next_step: "Try another." };

beforeEach(() => {
  localStorage.clear();
  ({ model, life, place } = mounted());
  one("gip-tab-settings").click();
});

afterEach(() => {
  life.abort();
  place.remove();
  vi.restoreAllMocks();
  localStorage.clear();
});

/**
 * @param {string} name
 * @returns {HTMLElement}
 */
function one(name) {
  const found = place.querySelector(`[data-testid="${name}"]`);
  if (!(found instanceof HTMLElement)) throw new Error(`there is no ${name}`);
  return found;
}

/** @param {string} name */
const input = (name) => /** @type {HTMLInputElement} */ (one(name));

/** @param {string} name */
function fate(name) {
  const line = one(name).closest(".gip-setting")?.querySelector(".gip-fate");
  return { kind: /** @type {HTMLElement} */ (line).dataset.fate, text: line?.textContent ?? "" };
}

const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));

/**
 * @param {Partial<SettingsView>} [patch]
 * @returns {SettingsView}
 */
const settings = (patch = {}) => ({
  instructions: "Be brief.",
  voice: "alloy",
  voice_fixed: false,
  turn_detection: VAD,
  transcription: { model: "whisper-1", language: "en" },
  tools: [],
  ...patch,
});

/**
 * @param {Partial<SettingsView>} [patch]
 * @param {Partial<import("../src/messages.js").TalkState>} [said]
 */
async function told(patch, said = LIVE) {
  const view = talk({ audio_page: model.page, ...said, settings: settings(patch) });
  model.say({ kind: "snapshot", page: model.page, talk: view, items: [] });
  await frame();
}

const updates = () =>
  model
    .of("request")
    .filter(({ verb }) => verb === "update")
    .map(({ args }) => args.fields);

/**
 * As a user who has made up their mind.
 *
 * @param {string} name
 * @param {string} value
 */
function change(name, value) {
  const control = input(name);
  control.focus();
  control.value = value;
  control.dispatchEvent(new Event("input", { bubbles: true }));
  control.dispatchEvent(new Event("change", { bubbles: true }));
}

describe("the session", () => {
  test("is shown as the server has it, and again when that changes", async () => {
    await told({ tools: [{ name: "get_weather", description: "<b>The weather</b>" }] });
    expect(input("gip-voice").value).toBe("alloy");
    expect(input("gip-instructions").value).toBe("Be brief.");
    expect(input("gip-detection").value).toBe("server_vad");
    expect(input("gip-threshold").value).toBe("0.5");
    expect(input("gip-transcription").checked).toBe(true);
    expect(one("gip-tools").textContent).toBe("get_weather<b>The weather</b>");
    await told({ voice: "ash", turn_detection: null, transcription: null, instructions: null });
    expect(input("gip-voice").value).toBe("ash");
    expect(input("gip-instructions").value).toBe("");
    expect(input("gip-detection").value).toBe("none");
    expect(one("gip-threshold").offsetParent).toBeNull();
    expect(one("gip-create-response").offsetParent).toBeNull();
    expect(input("gip-transcription").checked).toBe(false);
    expect(input("gip-transcription-model").disabled).toBe(true);
    expect(one("gip-tools").offsetParent).toBeNull();
  });

  test("a change is sent, and taken", async () => {
    await told();
    change("gip-voice", " ash ");
    expect(updates()).toEqual([{ audio: { output: { voice: "ash" } } }]);
    expect(fate("gip-voice")).toEqual({ kind: "sending", text: "Sending…" });
    // What is shown meanwhile is what was asked for, whatever else is told.
    await told();
    expect(input("gip-voice").value.trim()).toBe("ash");
    model.say({ kind: "talk", page: null, patch: { settings: settings({ voice: "ash" }) } });
    model.reply(null, { ignored: [], next: false });
    await vi.waitFor(() => expect(fate("gip-voice").kind).toBe("taken"));
    expect(input("gip-voice").value).toBe("ash");
  });

  test("what is refused says why beside it and nowhere else, and what the server has is shown", async () => {
    await told();
    change("gip-voice", "x");
    model.reply(REFUSED);
    await vi.waitFor(() => expect(fate("gip-voice").kind).toBe("refused"));
    expect(fate("gip-voice").text).toBe("Refused: Invalid value: 'x'. Try another.");
    expect(input("gip-voice").value).toBe("alloy");
    expect(place.querySelector(".gip-error")).toBeNull();
  });

  test("what is ignored says so, and what the server has is shown", async () => {
    await told();
    change("gip-voice", "quiet");
    model.reply(null, { ignored: ["audio.output.voice: asked for 'quiet', is 'alloy'"], next: false });
    await vi.waitFor(() => expect(fate("gip-voice").kind).toBe("ignored"));
    expect(fate("gip-voice").text).toContain("is 'alloy'");
    expect(input("gip-voice").value).toBe("alloy");
  });

  test("before the start it is for the next session, and the voice can be taken back", async () => {
    await told({}, { state: "idle" });
    expect(one("gip-settings-session").textContent).toContain("What the next session begins with.");
    change("gip-voice", "");
    expect(updates()).toEqual([{ audio: { output: { voice: null } } }]);
    model.reply(null, { ignored: [], next: true });
    await vi.waitFor(() => expect(fate("gip-voice").kind).toBe("next"));
  });

  test("while it runs there is no way back to no voice", async () => {
    await told();
    change("gip-voice", "");
    expect(updates()).toEqual([]);
    expect(input("gip-voice").value).toBe("alloy");
  });

  test("a voice that is fixed says why it cannot be changed", async () => {
    await told({ voice_fixed: true });
    expect(input("gip-voice").disabled).toBe(true);
    const reason = input("gip-voice").getAttribute("aria-describedby");
    expect(document.getElementById(String(reason))?.textContent).toContain("The model has spoken");
    await told();
    expect(input("gip-voice").disabled).toBe(false);
    expect(input("gip-voice").hasAttribute("aria-describedby")).toBe(false);
  });

  test("turn detection goes out whole; a second change does not undo the first", async () => {
    await told();
    change("gip-threshold", "0.7");
    change("gip-silence-duration-ms", "800");
    expect(updates()).toHaveLength(1);
    model.reply(null, { ignored: [] });
    await vi.waitFor(() => expect(updates()).toHaveLength(2));
    expect(updates()[1]).toEqual({
      audio: { input: { turn_detection: { ...VAD, threshold: 0.7, silence_duration_ms: 800 } } },
    });
    expect(fate("gip-threshold").kind).toBe("taken");
    expect(fate("gip-silence-duration-ms").kind).toBe("sending");
  });

  test("its kind changes with its controls at once", async () => {
    await told();
    change("gip-detection", "semantic_vad");
    expect(one("gip-eagerness").offsetParent).not.toBeNull();
    expect(one("gip-threshold").offsetParent).toBeNull();
    expect(updates()).toEqual([{ audio: { input: { turn_detection: { type: "semantic_vad" } } } }]);
    model.reply(REFUSED);
    await vi.waitFor(() => expect(input("gip-detection").value).toBe("server_vad"));
    expect(one("gip-threshold").offsetParent).not.toBeNull();
  });

  test("a slider that is moved shows its figure, and is not pulled back meanwhile", async () => {
    await told();
    const slider = input("gip-threshold");
    slider.focus();
    slider.value = "0.9";
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await told();
    expect(slider.value).toBe("0.9");
    expect(slider.parentElement?.querySelector("output")?.textContent).toBe("0.90");
    expect(updates()).toEqual([]);
  });

  test("a value beyond the slider's end is shown as it is", async () => {
    await told({ turn_detection: { ...VAD, silence_duration_ms: 4000 } });
    expect(input("gip-silence-duration-ms").value).toBe("4000");
  });

  test("transcription: off, on, and another model, with what else belongs to it", async () => {
    await told();
    change("gip-transcription-model", "gpt-4o-transcribe");
    const model_ = { model: "gpt-4o-transcribe", language: "en" };
    expect(updates().at(-1)).toEqual({ audio: { input: { transcription: model_ } } });
    model.reply(null, { ignored: [] });
    await frame();
    input("gip-transcription").click();
    expect(updates().at(-1)).toEqual({ audio: { input: { transcription: null } } });
    model.say({ kind: "talk", page: null, patch: { settings: settings({ transcription: null }) } });
    model.reply(null, { ignored: [] });
    await frame();
    input("gip-transcription").click();
    expect(updates().at(-1)).toEqual({ audio: { input: { transcription: { model: "whisper-1" } } } });
  });

  test("a kernel that is gone can change nothing", async () => {
    await told();
    model.die();
    await frame();
    expect(input("gip-voice").matches(":disabled")).toBe(true);
    expect(one("gip-settings-session").textContent).toContain("The kernel is gone");
    expect(input("gip-microphones").matches(":disabled")).toBe(false);
  });
});

describe("instructions", () => {
  const text = () => input("gip-instructions");

  test("are applied by the button, or by Ctrl+Enter, and not by leaving them", async () => {
    await told();
    expect(one("gip-apply").getAttribute("aria-disabled")).toBe("true");
    one("gip-apply").click();
    await userEvent.fill(text(), "Sing.");
    text().blur();
    await frame();
    expect(updates()).toEqual([]);
    one("gip-apply").click();
    expect(updates()).toEqual([{ instructions: "Sing." }]);
    model.say({ kind: "talk", page: null, patch: { settings: settings({ instructions: "Sing." }) } });
    model.reply(null, { ignored: [] });
    await vi.waitFor(() => expect(fate("gip-instructions").kind).toBe("taken"));
    await userEvent.fill(text(), "Whistle.");
    await userEvent.keyboard("{Control>}{Enter}{/Control}");
    expect(updates().at(-1)).toEqual({ instructions: "Whistle." });
  });

  test("that are being edited are not overwritten, and Revert brings what the server has", async () => {
    await told();
    await userEvent.fill(text(), "Half a thou");
    text().blur();
    await told({ instructions: "From a cell." });
    expect(text().value).toBe("Half a thou");
    one("gip-revert").click();
    expect(text().value).toBe("From a cell.");
    expect(document.activeElement).toBe(text());
    expect(one("gip-revert").offsetParent).toBeNull();
  });

  test("that are refused are not lost", async () => {
    await told();
    await userEvent.fill(text(), "x".repeat(5000));
    one("gip-apply").click();
    model.reply(REFUSED);
    await vi.waitFor(() => expect(fate("gip-instructions").kind).toBe("refused"));
    expect(text().value).toHaveLength(5000);
    expect(one("gip-apply").hasAttribute("aria-disabled")).toBe(false);
    one("gip-revert").click();
    expect(text().value).toBe("Be brief.");
  });
});

describe("this page", () => {
  test("microphones by name, with the one that was chosen before though it is not listed", () => {
    const devices = { named: [{ deviceId: "1", label: "<i>Desk</i>" }], usual: "Desk" };
    expect(microphoneChoices(devices, "1").map(([, words]) => words)).toEqual([
      "System default (Desk)",
      "<i>Desk</i>",
    ]);
    expect(microphoneChoices(devices, "2").at(-1)).toEqual(["2", "The one chosen before"]);
    expect(microphoneChoices({ named: [], usual: "" }, "")).toEqual([["", "System default"]]);
  });

  test("the list follows what is plugged in", async () => {
    await told();
    const select = one("gip-microphones");
    await vi.waitFor(() => expect(select.childElementCount).toBeGreaterThan(1));
    const one_ = /** @type {MediaDeviceInfo} */ ({ kind: "audioinput", deviceId: "7", label: "Headset" });
    vi.spyOn(navigator.mediaDevices, "enumerateDevices").mockResolvedValue([one_]);
    navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    await vi.waitFor(() => expect(select.textContent).toBe("System defaultHeadset"));
  });

  test("its choices are kept, and nothing of them goes to the kernel", async () => {
    await told();
    const before = model.of("request").length;
    input("gip-noisesuppression").click();
    input("gip-volume").focus();
    change("gip-volume", "40");
    await frame();
    expect(JSON.parse(String(localStorage.getItem("gip-sound")))).toEqual({
      noiseSuppression: true,
      volumePercent: 40,
      microphone: "",
      echoCancellation: true,
      autoGainControl: false,
    });
    expect(input("gip-volume").getAttribute("aria-valuetext")).toBe("40 %");
    expect(model.of("request")).toHaveLength(before);
  });

  test("without a microphone to be had, the list says why", async () => {
    vi.spyOn(navigator, "mediaDevices", "get").mockReturnValue(/** @type {any} */ (undefined));
    await told();
    expect(input("gip-microphones").disabled).toBe(true);
    expect(one("gip-settings-page").textContent).toContain("not secure");
  });
});

test("every control has a name", async () => {
  await told();
  for (const control of place.querySelectorAll(".gip-settings :is(input, select, textarea, button)")) {
    const { labels } = /** @type {HTMLInputElement} */ (control);
    const name = labels?.[0]?.textContent || control.getAttribute("aria-label") || control.textContent;
    expect(name).toBeTruthy();
  }
});

test("at 320 px nothing is cut, and at no width does what goes well move what is below", async () => {
  place.style.width = "320px";
  await told({ tools: [{ name: "a_function_with_a_very_long_name_indeed".repeat(2), description: "x" }] });
  const panel = one("gip-settings");
  expect(panel.scrollWidth).toBeLessThanOrEqual(panel.clientWidth);
  for (const width of ["320px", "800px"]) {
    place.style.width = width;
    await frame();
    const height = panel.offsetHeight;
    change("gip-silence-duration-ms", width === "320px" ? "800" : "900");
    change("gip-voice", `v${width}`);
    expect(fate("gip-voice").kind).toBe("sending");
    await frame();
    expect(panel.offsetHeight).toBe(height);
    for (const request of model.of("request").slice(-2)) {
      model.say({
        kind: "reply",
        page: model.page,
        request: request.request,
        ok: true,
        error: null,
        value: { ignored: [], next: true },
      });
    }
    await vi.waitFor(() => expect(fate("gip-voice").kind).toBe("next"));
    expect(panel.offsetHeight).toBe(height);
  }
});
