// Items and talks for tests, with only what a test cares about named.

/**
 * @param {string} item_id
 * @param {Partial<import("../src/messages.js").ItemView>} [rest]
 * @returns {import("../src/messages.js").ItemView}
 */
export const item = (item_id, rest = {}) => ({
  item_id,
  type: "message",
  role: "assistant",
  text: "",
  status: "completed",
  after: null,
  name: null,
  arguments: null,
  output: null,
  heard_ms: null,
  audio_ms: null,
  reason: null,
  duration_ms: null,
  call: null,
  turn: null,
  rating: null,
  label: null,
  tags: [],
  ...rest,
});

/**
 * @param {Partial<import("../src/messages.js").TalkState>} [rest]
 * @returns {import("../src/messages.js").TalkState}
 */
export const talk = (rest = {}) => ({
  state: "idle",
  session_id: null,
  model: "rehearsal",
  dialect: "ga",
  rehearsal: true,
  muted: false,
  error: null,
  audio_page: null,
  turn_detection: "server_vad",
  first_sound_ms: null,
  requests: 0,
  cost_usd: null,
  cost_is_upper_bound: false,
  cost_note: null,
  connected_at_ms: null,
  ended_at_ms: null,
  event_count: 0,
  notice: null,
  reconnecting: null,
  budget: null,
  retry: null,
  log: null,
  settings: {
    instructions: null,
    voice: null,
    voice_fixed: false,
    turn_detection: null,
    transcription: null,
    tools: [],
  },
  ...rest,
});

export const REFUSED = { title: "Key refused", message: "HTTP 401", next_step: "check the key" };

/**
 * @param {number} n
 * @param {Partial<import("../src/event-rows.js").EventRow>} [rest]
 * @returns {import("../src/event-rows.js").EventRow}
 */
export const eventRow = (n, rest = {}) => ({
  n,
  type: "response.created",
  direction: "received",
  elapsed_ms: 1000 + n * 10,
  count: 1,
  audio_ms: null,
  failures: 0,
  note: null,
  unfolded: false,
  inside: null,
  ...rest,
});

/**
 * @param {import("../src/event-rows.js").EventRow[]} rows
 * @param {Partial<import("../src/event-rows.js").EventPage>} [rest]
 * @returns {import("../src/event-rows.js").EventPage}
 */
export const eventPage = (rows, rest = {}) => ({
  log: "1763826000000123456",
  opened_ms: 1000,
  events: rows.length,
  searched: rest.events ?? rows.length,
  matched: rest.events ?? rows.length,
  counts: { sent: 0, received: rows.length, local: 0 },
  failures: 0,
  total: rows.length,
  settled: Math.max(0, rows.length - 1),
  first: 0,
  around: null,
  rows,
  ...rest,
});
