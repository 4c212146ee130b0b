// What crosses the comm: every message both ways, its types, its shape as a table, and the one `send`.
//
// The Python side lists the same in notebook/messages.py; tests/fixtures/comm_messages.json holds one example or more of each,
// and both test suites check it. Sound travels as one binary buffer beside its message: int16, little endian, mono, 24 000 Hz.
// No message has a key called `id`: ipykernel 7.4 remembers such ids for its routing, and they would leak.

/**
 * @typedef {"idle" | "connecting" | "listening" | "hearing" | "thinking" | "speaking" | "muted" | "reconnecting"
 *   | "closed" | "error"} TalkPhase
 * @typedef {"server_vad" | "semantic_vad" | "none"} TurnDetection
 * @typedef {"message" | "function_call" | "function_call_output"} ItemType
 * @typedef {"user" | "assistant" | "system"} Role
 * @typedef {"in_progress" | "completed" | "incomplete" | "interrupted" | "failed"} ItemStatus
 * @typedef {"start" | "stop" | "retry" | "text" | "sound" | "interrupt" | "mute" | "take" | "press" | "release" | "update"
 *   | "delete" | "approve" | "label" | "play" | "events" | "event"} Verb
 */

/**
 * What went wrong, and what to do now.
 *
 * @typedef {object} ErrorView
 * @property {string} title what kind of trouble, in three words or so
 * @property {string} message what happened
 * @property {string} next_step what to do now
 */

/**
 * A function that the model may call.
 *
 * @typedef {{ name: string, description: string }} ToolView
 */

/**
 * The session's settings as the server has them; before it has said, as they will be asked for.
 *
 * @typedef {object} SettingsView
 * @property {string | null} instructions
 * @property {string | null} voice
 * @property {boolean} voice_fixed the model has spoken, and keeps its voice until the session's end
 * @property {Record<string, unknown> | null} turn_detection the API's object; null: push to talk
 * @property {Record<string, unknown> | null} transcription the API's object; null: off
 * @property {ToolView[]} tools
 */

/**
 * That the talk is written to disk.
 *
 * @typedef {object} LogView
 * @property {string} folder where
 * @property {boolean} stopped whether it is not any more
 */

/**
 * The connection is lost, and is opened again.
 *
 * @typedef {object} ReconnectingView
 * @property {number} attempt from 1
 * @property {number} attempts how many are made at the most
 * @property {number | null} due_at_ms when it is made, Unix time; null: now
 * @property {string} message why there is a need
 */

/**
 * One talk, as the kernel knows it.
 *
 * @typedef {object} TalkState
 * @property {TalkPhase} state
 * @property {string | null} session_id
 * @property {string} model
 * @property {string} dialect "beta", "ga", or "auto" while it is not known yet
 * @property {boolean} rehearsal whether this is the embedded server and no model
 * @property {boolean} muted
 * @property {ErrorView | null} error
 * @property {string | null} audio_page the page that hears and speaks
 * @property {TurnDetection} turn_detection
 * @property {number | null} first_sound_ms from the end of the last turn's speech to the first sound of the answer
 * @property {number} requests responses that were finished, each of them billed
 * @property {number | null} cost_usd so far, transcriptions included where their price is known; null: not known
 * @property {boolean} cost_is_upper_bound whether it is that at the most: the server left out the kind of some tokens
 * @property {string | null} cost_note why it is not known, or only a bound, or what is not in it
 * @property {number | null} connected_at_ms Unix time, by the kernel's clock
 * @property {number | null} ended_at_ms the same; null while it goes on
 * @property {number} event_count rows of the event log
 * @property {ReconnectingView | null} reconnecting null while there is a connection, or none is wanted
 * @property {ErrorView | null} notice something about this host that the user should know; nothing has failed
 * @property {ErrorView | null} budget that the budget is nearly spent, or that it stops the talk
 * @property {ErrorView | null} retry that a failed answer is asked for again after a wait
 * @property {LogView | null} log that the talk is written to disk; null: it is not
 * @property {SettingsView} settings
 */

/**
 * Where a function call is that the kernel runs; times are Unix milliseconds, the kernel's. One that is `asked` about is answered
 * by the verb `approve`, until `until_ms`: `answer` is "once", "talk" (for all calls of this function in this talk) or "deny".
 *
 * @typedef {object} CallView
 * @property {"asked" | "waiting" | "running" | "done" | "failed" | "timed_out" | "denied" | "cancelled"} state
 * @property {number | null} since_ms
 * @property {number | null} until_ms
 * @property {string | null} traceback of one that raised
 */

/**
 * One item of the conversation.
 *
 * @typedef {object} ItemView
 * @property {string} item_id
 * @property {ItemType} type
 * @property {Role | null} role null for function calls and their outputs, and where a response failed before it had an item
 * @property {string} text
 * @property {ItemStatus} status
 * @property {string | null} after the item before this one; null: this is the first
 * @property {string | null} name the function's name
 * @property {string | null} arguments of the function, as JSON text; where somebody is asked, as they were checked and will be used
 * @property {string | null} output of the function
 * @property {number | null} heard_ms how much of the sound was heard
 * @property {number | null} audio_ms how much sound there is
 * @property {string | null} reason why it failed, or is incomplete
 * @property {number | null} duration_ms how long the function took
 * @property {CallView | null} call of a function call that the kernel runs: where it is
 * @property {number | null} turn that it belongs to
 * @property {1 | -1 | null} rating of its turn, in each of its answers
 * @property {string | null} label of its turn, in the last of its answers
 * @property {string[]} tags of its turn, there too
 */

/**
 * @typedef {object} PlayedPosition
 * @property {string} item_id
 * @property {number} content_index
 * @property {number} played_samples samples of this item that the worklet has played, at 24 000 Hz
 */

// ------------------------------------------------------------------------------------------------ page -> kernel

/**
 * Sent in initialize, when the first view appears, and when a message was missed; answered by `snapshot`.
 * `tab` is the browser tab's own name, which outlives the page; `views` counts the views that are shown; `plays` is false where
 * the browser has no sound for pages at all.
 *
 * @typedef {{ kind: "hello", page: string, tab: string, views: number, plays: boolean }} Hello
 */

/**
 * The page is left, or its last view has gone: nobody here hears or speaks.
 *
 * @typedef {{ kind: "bye", page: string }} Bye
 */

/**
 * Answers `clock`: milliseconds since the Unix epoch, by the page's monotonic clock. `acked` and `rev` say up to where audio and
 * state messages have arrived.
 *
 * @typedef {{ kind: "clock", page: string, clock: number, page_ms: number, acked: number, rev: number }} PageTime
 */

/**
 * Always answered by a `reply` with the same number. Arguments: text `{text}`, mute `{muted}`, update `{fields}` (a part of the
 * API's session, in GA's shape; answered by `{ignored, next}`: a line each, and whether it is the next session that changes),
 * delete and play `{item_id}`, label `{item_id, rating}` (of the item's turn: 1, -1, or 0 for none any more), sound `{name}` and a WAV file as its buffer; events and event as their views say; the others
 * none.
 *
 * @typedef {{ kind: "request", page: string, request: number, verb: Verb, args: Record<string, unknown> }} Request
 */

/**
 * 40 ms of the microphone (960 samples), or several such frames that follow on, with one buffer. `seq` is the first one's number;
 * numbers begin at 0 with the page and are never given twice. `base` is the oldest frame that the page still has.
 * `captured_at_ms`: milliseconds since the Unix epoch, of the first sample, by the page's monotonic clock.
 *
 * @typedef {{ kind: "mic", page: string, seq: number, base: number, captured_at_ms: number }} Mic
 */

/**
 * @typedef {object} MicState
 * @property {"mic_state"} kind
 * @property {string} page
 * @property {"on" | "off" | "error"} state
 * @property {{ name: string, message: string } | null} error
 * @property {number} sample_rate_hz of the context that captures; 0 where there is none
 */

/**
 * Where playback is. `position` comes at most four times a second, while sound plays.
 *
 * @typedef {object} Playback
 * @property {"playback"} kind
 * @property {string} page
 * @property {"started" | "position" | "ended"} event
 * @property {string} item_id
 * @property {number} content_index
 * @property {number} played_samples
 * @property {number} output_latency_ms from the worklet to the loudspeaker
 * @property {number} underruns how often sound ran out in mid-item, since this page began to play
 * @property {number} at_ms milliseconds since the Unix epoch at which the worklet had played so much
 * @property {number} acked the highest audio `seq` up to which nothing is missing; -1: none
 */

/**
 * Answers `flush`: every item that had sound queued, was playing, or has finished since the last `flushed`.
 * `flush` is the number that was asked for, or -1 where the page fell silent by itself (its last view is gone).
 *
 * @typedef {object} Flushed
 * @property {"flushed"} kind
 * @property {string} page
 * @property {number} flush
 * @property {PlayedPosition[]} positions
 * @property {number} output_latency_ms
 * @property {number} at_ms
 */

/**
 * Answers `facts`: what this page can tell of itself and its host.
 *
 * @typedef {object} PageFacts
 * @property {import("./hosts.js").Host} host
 * @property {string | null} host_version
 * @property {boolean} secure
 * @property {boolean | null} allowed whether the host lets its frames have the microphone; null: the browser does not say
 * @property {"granted" | "denied" | "prompt" | "unknown"} permission
 * @property {string[] | null} microphones their names, empty ones while the browser does not tell them; null: it tells nothing
 * @property {ErrorView | null} trouble why there would be no microphone, in the words that the page itself has for it
 * @property {number} sample_rate_hz of the context that captures; 0: none was made yet
 * @property {"ready" | "blocked" | "none"} sound
 * @property {string} user_agent
 *
 * @typedef {{ kind: "facts", page: string, facts: number } & PageFacts} Facts
 */

/** @typedef {Hello | Bye | PageTime | Request | Mic | MicState | Playback | Flushed | Facts} PageMessage */

// ------------------------------------------------------------------------------------------------ kernel -> page
// `page` null: for every page; else only that page acts on it.

/**
 * The whole talk; items in their order. `at_ms`: when it was sent, Unix milliseconds by the kernel's clock.
 *
 * @typedef {{ kind: "snapshot", page: string | null, rev: number, at_ms: number, talk: TalkState, items: ItemView[] }} Snapshot
 */

/**
 * What changed in the bar. `rev` counts these and `items`: whoever misses one says hello again.
 *
 * @typedef {{ kind: "talk", page: string | null, rev: number, patch: Partial<TalkState> }} TalkPatch
 */

/**
 * Changes of the conversation, applied in this order: `put`, `text`, `drop`.
 *
 * @typedef {object} Items
 * @property {"items"} kind
 * @property {string | null} page
 * @property {number} rev
 * @property {ItemView[]} put
 * @property {{ item_id: string, delta: string }[]} text
 * @property {string[]} drop
 */

/**
 * A piece of an answer, with one buffer: 100 ms or more, but for the last one, which may be empty.
 * `start_sample` is the place of its first sample within the item.
 *
 * @typedef {object} Audio
 * @property {"audio"} kind
 * @property {string | null} page
 * @property {number} seq
 * @property {string} item_id
 * @property {number} content_index
 * @property {number} start_sample
 * @property {boolean} last
 */

/**
 * Up to where the microphone's frames have arrived: `next` has not, nor what lies between it and `until`.
 *
 * @typedef {{ kind: "heard", page: string | null, next: number, until: number }} Heard
 */

/**
 * Be silent at once and answer `flushed`. What still arrives of these items is not played.
 *
 * @typedef {{ kind: "flush", page: string | null, flush: number }} Flush
 */

/**
 * What time is it here? Answered at once, by the same number.
 *
 * @typedef {{ kind: "clock", page: string | null, clock: number }} AskTime
 */

/**
 * What do you know of yourself? Answered by the same number, within a second or two.
 *
 * @typedef {{ kind: "facts", page: string | null, facts: number }} AskFacts
 */

/**
 * `value` is what was asked for; what is sound comes as one buffer.
 *
 * @typedef {object} Reply
 * @property {"reply"} kind
 * @property {string | null} page
 * @property {number} request
 * @property {boolean} ok
 * @property {ErrorView | null} error
 * @property {Record<string, unknown> | null} value
 */

/**
 * The kernel wants this page's microphone open, or shut.
 *
 * @typedef {{ kind: "capture", page: string | null, on: boolean }} Capture
 */

/** @typedef {Snapshot | TalkPatch | Items | Audio | Heard | Flush | AskTime | AskFacts | Reply | Capture} KernelMessage */

/** @typedef {Pick<import("@anywidget/types").AnyModel, "on" | "off" | "send">} Model */

/**
 * The only place that puts a message on the comm.
 *
 * @param {Pick<Model, "send">} model
 * @param {PageMessage} message
 * @param {ArrayBuffer[]} [buffers]
 * @throws whatever the host throws where the comm is gone
 */
export function send(model, message, buffers = []) {
  model.send(message, undefined, buffers);
}

/**
 * The bytes of a message's buffer as samples. The host gives a view into a larger message: its offset and length count, and
 * the offset need not be even, hence the copy.
 *
 * @param {ArrayBufferView | ArrayBuffer | undefined} buffer int16, little endian
 * @returns {Int16Array<ArrayBuffer>} shape (n,), owns its memory; a trailing odd byte is left out
 */
export function samplesOf(buffer) {
  if (!buffer) return new Int16Array(0);
  const bytes =
    buffer instanceof ArrayBuffer
      ? new Uint8Array(buffer)
      : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const even = bytes.byteLength - (bytes.byteLength % 2);
  return new Int16Array(bytes.slice(0, even).buffer);
}

// -------------------------------------------------------------------------------------------------------- shapes

/** @typedef {(value: unknown) => boolean} Check */

/** @type {Check} */
const text = (value) => typeof value === "string";
/** @type {Check} */
const flag = (value) => typeof value === "boolean";
/** @type {Check} */
const number = (value) => typeof value === "number" && Number.isFinite(value);
/** @type {Check} */
const whole = (value) => Number.isInteger(value);
/** @type {Check} */
const count = (value) => Number.isInteger(value) && Number(value) >= 0;
/** @type {Check} */
const record = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
/** @type {(check: Check) => Check} */
const orNull = (check) => (value) => value === null || check(value);
/** @type {(check: Check) => Check} */
const listOf = (check) => (value) => Array.isArray(value) && value.every(check);
/** @type {(...values: unknown[]) => Check} */
const oneOf =
  (...values) =>
  (value) =>
    values.includes(value);
/** @type {(shape: Record<string, Check>) => Check} */
const object = (shape) => (value) => record(value) && misfit(value, shape) === null;
/** @type {(shape: Record<string, Check>) => Check} */
const part = (shape) => (value) =>
  record(value) &&
  Object.entries(/** @type {object} */ (value)).every(([key, field]) => shape[key]?.(field) === true);

/**
 * @param {unknown} value
 * @param {Record<string, Check>} shape
 * @returns {string | null} the first field that is missing, unknown or of another type
 */
function misfit(value, shape) {
  const fields = /** @type {Record<string, unknown>} */ (value);
  for (const [key, check] of Object.entries(shape)) {
    if (!(key in fields)) return `${key} is missing`;
    if (!check(fields[key])) return `${key} is ${JSON.stringify(fields[key])}`;
  }
  for (const key of Object.keys(fields)) if (!(key in shape)) return `${key} is not part of the message`;
  return null;
}

/** @type {Record<keyof ErrorView, Check>} */
const ERROR = { title: text, message: text, next_step: text };

/** @type {Record<keyof ToolView, Check>} */
const TOOL = { name: text, description: text };

/** @type {Record<keyof SettingsView, Check>} */
const SETTINGS = {
  instructions: orNull(text),
  voice: orNull(text),
  voice_fixed: flag,
  turn_detection: orNull(record),
  transcription: orNull(record),
  tools: listOf(object(TOOL)),
};

/** @type {Record<keyof LogView, Check>} */
const LOG = { folder: text, stopped: flag };

/** @type {Record<keyof ReconnectingView, Check>} */
const RECONNECTING = { attempt: count, attempts: count, due_at_ms: orNull(number), message: text };

/** @type {Record<keyof TalkState, Check>} */
const TALK = {
  state: oneOf(
    "idle",
    "connecting",
    "listening",
    "hearing",
    "thinking",
    "speaking",
    "muted",
    "reconnecting",
    "closed",
    "error",
  ),
  session_id: orNull(text),
  model: text,
  dialect: text,
  rehearsal: flag,
  muted: flag,
  error: orNull(object(ERROR)),
  audio_page: orNull(text),
  turn_detection: oneOf("server_vad", "semantic_vad", "none"),
  first_sound_ms: orNull(number),
  requests: count,
  cost_usd: orNull(number),
  cost_is_upper_bound: flag,
  cost_note: orNull(text),
  connected_at_ms: orNull(number),
  ended_at_ms: orNull(number),
  event_count: count,
  notice: orNull(object(ERROR)),
  reconnecting: orNull(object(RECONNECTING)),
  budget: orNull(object(ERROR)),
  retry: orNull(object(ERROR)),
  log: orNull(object(LOG)),
  settings: object(SETTINGS),
};

/** @type {Record<keyof CallView, Check>} */
const CALL = {
  state: oneOf("asked", "waiting", "running", "done", "failed", "timed_out", "denied", "cancelled"),
  since_ms: orNull(number),
  until_ms: orNull(number),
  traceback: orNull(text),
};

/** @type {Record<keyof ItemView, Check>} */
const ITEM = {
  item_id: text,
  type: oneOf("message", "function_call", "function_call_output"),
  role: orNull(oneOf("user", "assistant", "system")),
  text,
  status: oneOf("in_progress", "completed", "incomplete", "interrupted", "failed"),
  after: orNull(text),
  name: orNull(text),
  arguments: orNull(text),
  output: orNull(text),
  heard_ms: orNull(number),
  audio_ms: orNull(number),
  reason: orNull(text),
  duration_ms: orNull(number),
  call: orNull(object(CALL)),
  turn: orNull(count),
  rating: oneOf(1, -1, null),
  label: orNull(text),
  tags: listOf(text),
};

/** @type {Record<keyof PlayedPosition, Check>} */
const POSITION = { item_id: text, content_index: count, played_samples: count };

/**
 * A table that has every message kind, and every field of each: leaving one out is a type error.
 *
 * @template {{ kind: string }} M
 * @typedef {{ [K in M["kind"]]: { [F in Exclude<keyof Extract<M, { kind: K }>, "kind">]: Check } }} Shapes
 */

/** @type {Shapes<PageMessage>} */
export const PAGE_MESSAGES = {
  hello: { page: text, tab: text, views: count, plays: flag },
  bye: { page: text },
  clock: { page: text, clock: count, page_ms: number, acked: whole, rev: count },
  request: {
    page: text,
    request: count,
    verb: oneOf(
      ...[
        "start",
        "stop",
        "retry",
        "text",
        "sound",
        "interrupt",
        "mute",
        "take",
        "press",
        "release",
        "update",
      ],
      ...["delete", "approve", "label", "play", "events", "event"],
    ),
    args: record,
  },
  mic: { page: text, seq: count, base: count, captured_at_ms: number },
  mic_state: {
    page: text,
    state: oneOf("on", "off", "error"),
    error: orNull(object({ name: text, message: text })),
    sample_rate_hz: count,
  },
  playback: {
    page: text,
    event: oneOf("started", "position", "ended"),
    item_id: text,
    content_index: count,
    played_samples: count,
    output_latency_ms: number,
    underruns: count,
    at_ms: number,
    acked: whole,
  },
  flushed: {
    page: text,
    flush: whole,
    positions: listOf(object(POSITION)),
    output_latency_ms: number,
    at_ms: number,
  },
  facts: {
    page: text,
    facts: count,
    host: oneOf("jupyterlab", "notebook", "vscode", "colab", "marimo", "unknown"),
    host_version: orNull(text),
    secure: flag,
    allowed: orNull(flag),
    permission: oneOf("granted", "denied", "prompt", "unknown"),
    microphones: orNull(listOf(text)),
    trouble: orNull(object(ERROR)),
    sample_rate_hz: count,
    sound: oneOf("ready", "blocked", "none"),
    user_agent: text,
  },
};

/** @type {Shapes<KernelMessage>} */
export const KERNEL_MESSAGES = {
  snapshot: {
    page: orNull(text),
    rev: count,
    at_ms: number,
    talk: object(TALK),
    items: listOf(object(ITEM)),
  },
  talk: { page: orNull(text), rev: count, patch: part(TALK) },
  items: {
    page: orNull(text),
    rev: count,
    put: listOf(object(ITEM)),
    text: listOf(object({ item_id: text, delta: text })),
    drop: listOf(text),
  },
  audio: {
    page: orNull(text),
    seq: count,
    item_id: text,
    content_index: count,
    start_sample: count,
    last: flag,
  },
  heard: { page: orNull(text), next: count, until: count },
  flush: { page: orNull(text), flush: count },
  clock: { page: orNull(text), clock: count },
  facts: { page: orNull(text), facts: count },
  reply: {
    page: orNull(text),
    request: count,
    ok: flag,
    error: orNull(object(ERROR)),
    value: orNull(record),
  },
  capture: { page: orNull(text), on: flag },
};

/**
 * @param {unknown} message
 * @param {Record<string, Record<string, Check>>} shapes PAGE_MESSAGES or KERNEL_MESSAGES
 * @returns {string | null} what is wrong with it; null: nothing
 */
export function problemWith(message, shapes) {
  if (!record(message)) return "not an object";
  const { kind, ...fields } = /** @type {Record<string, unknown>} */ (message);
  const shape = typeof kind === "string" && Object.hasOwn(shapes, kind) ? shapes[kind] : undefined;
  if (!shape) return `kind is ${JSON.stringify(kind)}`;
  const problem = misfit(fields, shape);
  return problem && `${kind}: ${problem}`;
}
