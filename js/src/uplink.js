// The microphone's frames on their way to the kernel: numbered, kept until the kernel has said that it has them, sent again where
// one was lost. A kernel that takes nothing (a cell holds it up, its connection is down) gets no more than a few of them at a
// time; the rest waits here, up to a limit. No timer: the frames themselves, which the audio thread makes, are the clock.

export const FRAME_MS = 40;
/** What is kept of what the kernel has not taken: 30 s. The oldest goes first. */
export const KEPT_FRAMES = 750;
/** What may be on its way without an answer: 2 s. More would only wait in a queue that nobody can empty. */
export const WINDOW_FRAMES = 50;
/** Of what has waited, so much goes into one message: a message costs more than its bytes. */
const FRAMES_A_MESSAGE = 25;
/** The kernel answers about every 400 ms: after this it holds nothing against it to say so. */
export const HELD_MS = 1800;
/** Once the wait is over, it is over for the user too. */
const CAUGHT_UP_MS = 600;
/** A frame that was sent again has had time to arrive. */
const AGAIN_MS = 500;
/** How often a kernel that is silent is knocked at, at first and at last: what was on its way may have been lost, all of it. */
const KNOCK_MS = 1000;
const KNOCK_AT_LAST_MS = 4000;
/** How often the user sees how much is kept. */
const TOLD_EVERY_MS = 500;
/** Frames whose times do not follow on are not one sound. */
const JUMP_MS = 20;

/**
 * @typedef {object} Line how it goes
 * @property {boolean} held the kernel has taken nothing for a while
 * @property {number} keptMs of sound that waits here
 * @property {number} lostMs of sound that was dropped here in this wait, or in the last one
 *
 * @typedef {{ captured_at_ms: number, buffer: ArrayBuffer }} Captured 960 samples, int16, 24 000 Hz
 * @typedef {Captured & { seq: number, sentAtMs: number | null, hereAtMs: number }} Frame
 * @typedef {{ kind: "mic", seq: number, base: number, captured_at_ms: number }} MicMessage
 */

/** @type {Line} */
export const PROMPT = { held: false, keptMs: 0, lostMs: 0 };

export class Uplink {
  /** @type {Frame[]} without holes, the oldest first; what the kernel has is not among them */
  #frames = [];
  /** Of the next frame. It never begins anew: a frame's number is its own as long as this page lives. */
  #next = 0;
  /** Of the first frame that has not been sent at all. */
  #unsent = 0;
  /** Frames that were sent, and of which the kernel has not said that it has them; also those that are no longer kept. */
  #onTheWay = 0;
  /** Of the first frame that the kernel has not said it has. */
  #heardTo = 0;
  /** Up to when on the frames' clock all has been sent. */
  #sentToMs = Number.NEGATIVE_INFINITY;
  /** @type {Line} */
  #line = PROMPT;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #knockedAtMs = Number.NEGATIVE_INFINITY;
  #knockEveryMs = KNOCK_MS;
  /** @type {Set<{ atMs: number, done: () => void }>} who waits until what was captured by then is on its way */
  #waiting = new Set();

  /**
   * @param {object} options
   * @param {(message: MicMessage, buffer: ArrayBuffer) => unknown} options.send
   * @param {(line: Line) => void} options.changed
   */
  constructor({ send, changed }) {
    this.send = send;
    this.changed = changed;
  }

  get line() {
    return this.#line;
  }

  /** How many frames there have been. */
  get captured() {
    return this.#next;
  }

  /** The number of the oldest frame that can still be sent. */
  get #base() {
    return this.#frames[0]?.seq ?? this.#next;
  }

  /**
   * @param {Captured} captured
   * @param {number} nowMs
   */
  push({ captured_at_ms, buffer }, nowMs) {
    this.#frames.push({ seq: this.#next, captured_at_ms, buffer, sentAtMs: null, hereAtMs: nowMs });
    this.#next += 1;
    let lost = 0;
    if (this.#frames.length > KEPT_FRAMES) {
      const oldest = this.#frames.shift();
      // One that was sent may have arrived.
      if (oldest?.sentAtMs === null) lost = FRAME_MS;
      this.#unsent = Math.max(this.#unsent, this.#base);
    }
    this.#pump(nowMs);
    this.#knock(nowMs);
    this.#look(nowMs, lost);
    this.#passOn();
  }

  /**
   * The kernel has said what it has.
   *
   * @param {{ next: number, until: number }} heard it lacks `next`, and what lies between that and `until`
   * @param {number} nowMs
   */
  heard({ next, until }, nowMs) {
    const before = this.#frames.length;
    while ((this.#frames[0]?.seq ?? next) < next) this.#frames.shift();
    this.#unsent = Math.max(this.#unsent, this.#base);
    if (this.#frames.length < before) this.#knockEveryMs = KNOCK_MS;
    // It takes what it is sent: what is no longer kept here has arrived, or never will.
    if (next > this.#heardTo)
      this.#onTheWay = this.#frames.filter(({ sentAtMs }) => sentAtMs !== null).length;
    this.#heardTo = Math.max(this.#heardTo, next);
    const lacking = this.#frames.filter(
      ({ seq, sentAtMs }) => seq < Math.min(until, this.#unsent) && nowMs - (sentAtMs ?? nowMs) > AGAIN_MS,
    );
    this.#sendInRuns(lacking, nowMs);
    this.#pump(nowMs);
    this.#look(nowMs, 0);
    this.#passOn();
  }

  /** What is here is not wanted any more: the microphone is closed, the talk is over. The kernel hears of what it will not get. */
  clear() {
    const last = this.#frames.at(-1);
    this.#frames = [];
    this.#unsent = this.#next;
    this.#onTheWay = 0;
    this.#sentToMs = Number.POSITIVE_INFINITY;
    this.#knockEveryMs = KNOCK_MS;
    this.#tell(PROMPT);
    this.#passOn();
    this.#sentToMs = Number.NEGATIVE_INFINITY;
    if (last) this.#tellBase(last.captured_at_ms + FRAME_MS);
  }

  /**
   * @param {number} atMs a moment on the frames' clock
   * @returns {Promise<void>} resolved when all that was captured by then has been sent once, or is not wanted any more
   */
  sentUntil(atMs) {
    return new Promise((resolve) => {
      this.#waiting.add({ atMs, done: resolve });
    });
  }

  /** @param {number} nowMs */
  #pump(nowMs) {
    const room = WINDOW_FRAMES - this.#onTheWay;
    if (room <= 0) return;
    const from = this.#unsent - this.#base;
    this.#sendInRuns(this.#frames.slice(from, from + room), nowMs);
  }

  /**
   * @param {Frame[]} frames
   * @param {number} nowMs
   */
  #sendInRuns(frames, nowMs) {
    for (let from = 0; from < frames.length; ) {
      let to = from + 1;
      while (to < frames.length && to - from < FRAMES_A_MESSAGE && follows(frames, to)) to += 1;
      this.#sendRun(frames.slice(from, to), nowMs);
      from = to;
    }
  }

  /**
   * @param {Frame[]} run of which each follows on the one before
   * @param {number} nowMs
   */
  #sendRun(run, nowMs) {
    const [first] = run;
    if (!first) return;
    const buffer = run.length === 1 ? first.buffer : joined(run);
    for (const frame of run) {
      if (frame.sentAtMs === null) {
        this.#onTheWay += 1;
        this.#sentToMs = frame.captured_at_ms + FRAME_MS;
      }
      frame.sentAtMs = nowMs;
    }
    this.#unsent = Math.max(this.#unsent, first.seq + run.length);
    const { seq, captured_at_ms } = first;
    this.send({ kind: "mic", seq, base: this.#base, captured_at_ms }, buffer);
  }

  /**
   * Where nothing comes back, all that was on its way may be lost, and then nothing would ever come.
   *
   * @param {number} nowMs
   */
  #knock(nowMs) {
    if (this.#waitMs(nowMs) < HELD_MS || nowMs - this.#knockedAtMs < this.#knockEveryMs) return;
    this.#knockedAtMs = nowMs;
    this.#knockEveryMs = Math.min(2 * this.#knockEveryMs, KNOCK_AT_LAST_MS);
    const [oldest] = this.#frames;
    if (oldest && oldest.sentAtMs !== null) this.#sendRun([oldest], nowMs);
    // What was sent is no longer kept.
    else this.#tellBase(nowMs);
  }

  /**
   * A message without sound says what is kept.
   *
   * @param {number} captured_at_ms
   */
  #tellBase(captured_at_ms) {
    this.send({ kind: "mic", seq: this.#base, base: this.#base, captured_at_ms }, new ArrayBuffer(0));
  }

  /**
   * @param {number} nowMs
   * @returns {number} for how long the oldest frame has waited for its answer
   */
  #waitMs(nowMs) {
    // Not since it was captured: a page that stood still is not the kernel's fault.
    return nowMs - (this.#frames[0]?.hereAtMs ?? nowMs);
  }

  /**
   * @param {number} nowMs
   * @param {number} lost milliseconds that were dropped just now
   */
  #look(nowMs, lost) {
    const { held, lostMs } = this.#line;
    const waitMs = this.#waitMs(nowMs);
    const now = held ? waitMs > CAUGHT_UP_MS : waitMs > HELD_MS;
    if (!now && !held) return;
    const line = {
      held: now,
      keptMs: now ? this.#frames.length * FRAME_MS : 0,
      lostMs: (held ? lostMs : 0) + lost,
    };
    if (now === held && nowMs - this.#toldAtMs < TOLD_EVERY_MS) {
      this.#line = line;
      return;
    }
    this.#toldAtMs = nowMs;
    this.#tell(line);
  }

  /** @param {Line} line */
  #tell(line) {
    if (line === this.#line) return;
    this.#line = line;
    this.changed(line);
  }

  #passOn() {
    for (const one of this.#waiting) {
      if (this.#sentToMs < one.atMs) continue;
      this.#waiting.delete(one);
      one.done();
    }
  }
}

/**
 * @param {Frame[]} frames
 * @param {number} place
 */
function follows(frames, place) {
  const [before, after] = [frames[place - 1], frames[place]];
  if (!before || !after || after.seq !== before.seq + 1) return false;
  return Math.abs(after.captured_at_ms - before.captured_at_ms - FRAME_MS) <= JUMP_MS;
}

/** @param {Frame[]} run */
function joined(run) {
  const all = new Uint8Array(run.reduce((bytes, { buffer }) => bytes + buffer.byteLength, 0));
  let at = 0;
  for (const { buffer } of run) {
    all.set(new Uint8Array(buffer), at);
    at += buffer.byteLength;
  }
  return all.buffer;
}
