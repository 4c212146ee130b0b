// The session's settings: always what the server has, unless a change of it is under way.

import { Change } from "../change.js";
import { RequestError } from "../comm.js";
import {
  detectionFields,
  fateOf,
  refusal,
  TRANSCRIPTION_MODELS,
  transcriptionFields,
  VOICES,
  voiceFields,
} from "../session-fields.js";
import { isLive } from "../store.js";
import { make, setText, show } from "./dom.js";
import { editable, row, section, suggesting, tick } from "./form.js";
import { instructionsRow } from "./settings-instructions.js";
import { turnRows } from "./settings-turns.js";

/**
 * @typedef {import("../page.js").Page} Page
 * @typedef {import("../store.js").State} State
 * @typedef {import("../messages.js").SettingsView} SettingsView
 * @typedef {import("../session-fields.js").Fields} Fields
 */

/** @type {SettingsView} */
const UNKNOWN = {
  instructions: null,
  voice: null,
  voice_fixed: false,
  turn_detection: null,
  transcription: null,
  tools: [],
};
const ABOUT = {
  live: "What the server has now. A change is sent at once.",
  next: "What the next session begins with.",
  lost: "The kernel is gone: nothing can be changed here.",
};

/**
 * @param {Page} page
 * @param {AbortSignal} signal
 * @returns {{ element: HTMLElement, draw: (state: State) => void }}
 */
export function sessionSettings(page, signal) {
  const { element, about } = section("gip-settings-session", "The session");

  /** @param {Fields} fields */
  const send = async (fields) => {
    try {
      const { value } = await page.request("update", { fields });
      return fateOf(value);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      return refusal(error.view);
    }
  };
  /**
   * @template T
   * @param {(value: T) => Fields} fieldsOf
   * @returns {Change<T>}
   */
  const changeOf = (fieldsOf) =>
    new Change({
      send: (/** @type {T} */ value) => send(fieldsOf(value)),
      settled: () => signal.aborted || draw(page.store.get()),
    });

  const voices = changeOf(voiceFields);
  const voice = suggesting("gip-voice", VOICES, "the server's own");
  const voiceRow = row("Voice", voice.input, [voice.input, voice.list], signal);
  const showVoice = editable(voice.input, ({ value }) => {
    const wanted = value.trim();
    // A session that runs has a voice: there is no way back to none.
    if (wanted === told().voice || (wanted === "" && runs())) draw(page.store.get());
    else voices.ask(wanted, voiceRow.tell);
  });

  const instructions = instructionsRow(
    changeOf((/** @type {string} */ text) => ({ instructions: text })),
    signal,
  );
  const turns = turnRows(changeOf(detectionFields), () => told().turn_detection, signal);

  const transcriptions = changeOf(transcriptionFields);
  const transcribed = tick("gip-transcription", "What you say is written down");
  const model = suggesting("gip-transcription-model", TRANSCRIPTION_MODELS, "model");
  model.input.setAttribute("aria-label", "Transcription model");
  const transcriptionRow = row("Transcription", null, [transcribed.element, model.input, model.list], signal);
  const asked = () => transcriptions.over(told().transcription);
  const showTranscribed = editable(transcribed.box, ({ checked }) => {
    const wanted = checked ? { model: model.input.value.trim() || TRANSCRIPTION_MODELS[0] } : null;
    transcriptions.ask(wanted, transcriptionRow.tell);
  });
  const showModel = editable(model.input, ({ value }) => {
    const name = value.trim();
    if (name === "" || name === asked()?.model) draw(page.store.get());
    else transcriptions.ask({ ...asked(), model: name }, transcriptionRow.tell);
  });

  const tools = make("dl", "gip-tools");
  const noTools = make("p", "gip-setting-note", {}, "None. Functions are given in a cell: talk(tools=[…]).");
  const toolRow = row("Tools", null, [tools, noTools], signal);
  let listed = "";

  element.append(
    voiceRow.element,
    instructions.element,
    ...turns.elements,
    transcriptionRow.element,
    toolRow.element,
  );

  const told = () => page.store.get().talk?.settings ?? UNKNOWN;
  const runs = () => isLive(page.store.get().talk?.state ?? "idle");

  /** @param {SettingsView["tools"]} given */
  function drawTools(given) {
    const list = JSON.stringify(given);
    if (list === listed) return;
    listed = list;
    tools.replaceChildren(
      ...given.flatMap(({ name, description }) => [
        make("dt", "gip-tool-name", {}, name),
        make("dd", "gip-tool-about", { dir: "auto" }, description),
      ]),
    );
    show(tools, given.length > 0);
    show(noTools, given.length === 0);
  }

  /** @param {State} state */
  function draw({ talk, local }) {
    const settings = talk?.settings ?? UNKNOWN;
    const live = talk !== null && isLive(talk.state);
    element.disabled = talk === null || local.kernel !== "live";
    setText(about, local.kernel === "lost" ? ABOUT.lost : live ? ABOUT.live : ABOUT.next);
    showVoice((input) => {
      input.value = voices.over(settings.voice ?? "");
    });
    voice.input.disabled = settings.voice_fixed;
    voiceRow.note(
      settings.voice_fixed ? "The model has spoken: its voice stays until the session ends." : "",
    );
    instructions.draw(settings.instructions ?? "");
    turns.draw(settings.turn_detection);
    const transcription = transcriptions.over(settings.transcription);
    showTranscribed((box) => {
      box.checked = transcription !== null;
    });
    showModel((input) => {
      if (transcription) input.value = String(transcription.model ?? "");
    });
    model.input.disabled = transcription === null;
    drawTools(settings.tools);
  }

  return { element, draw };
}
