// What is to be played, in order, and how much of each item has been: no audio in here, so that every sample can be counted
// by a test.

import { toFloat } from "./pcm.js";

/** 120 ms at 24 000 Hz: with less, a cell that computes makes the sound stutter. */
export const START_SAMPLES = 2880;
/** A position at most four times a second of played sound. */
export const POSITION_SAMPLES = 6000;
/** An hour of talk stays small: how many finished and how many silenced items are remembered. */
const REMEMBERED = 256;

/**
 * @typedef {object} Chunk
 * @property {string} item_id
 * @property {number} content_index
 * @property {number} start_sample place of the first sample within the item
 * @property {boolean} last nothing of this item follows
 * @property {Int16Array} samples shape (n,), 24 000 Hz; may be empty
 */

/**
 * @typedef {object} QueueEvent
 * @property {"started" | "position" | "ended"} event
 * @property {string} item_id
 * @property {number} content_index
 * @property {number} played_samples
 * @property {number} underruns so far, over all items
 * @property {number} offset where in the pulled block this was
 */

/**
 * @typedef {object} Entry one item's sound
 * @property {string} item_id
 * @property {number} content_index
 * @property {{ start: number, samples: Int16Array }[]} chunks in order, without those that are played
 * @property {number} buffered samples in chunks
 * @property {number} played place within the item up to which it has been played
 * @property {boolean} complete its last chunk is here
 * @property {boolean} begun a first sample has been played
 * @property {boolean} flowing enough is buffered to go on
 * @property {boolean} starved its sound ran out before its last chunk came
 */

/**
 * What passes between the page and the processor that plays this queue.
 *
 * @typedef {{ kind: "chunk", chunk: Omit<Chunk, "samples">, buffer: ArrayBuffer }
 *   | { kind: "silence" } | { kind: "reset" } | { kind: "flush", flush: number } | { kind: "close" }} ToProcessor
 * @typedef {{ item_id: string, content_index: number, played_samples: number }} Position
 * @typedef {{ flush: number, positions: Position[], at_s: number }} FlushedByProcessor
 * @typedef {{ events: (Omit<QueueEvent, "offset"> & { at_s: number })[], now_s: number }} EventsOfProcessor
 */

/** @param {{ item_id: string, content_index: number }} item */
const keyOf = (item) => `${item.content_index} ${item.item_id}`;

/** @param {Map<string, unknown> | Set<string>} memory drops what is oldest */
function forget(memory) {
  for (const key of memory.keys()) {
    if (memory.size <= REMEMBERED) break;
    memory.delete(key);
  }
}

export class PlaybackQueue {
  /** @param {{ startSamples?: number, positionSamples?: number }} [options] */
  constructor({ startSamples = START_SAMPLES, positionSamples = POSITION_SAMPLES } = {}) {
    this.startSamples = startSamples;
    this.positionSamples = positionSamples;
    /** @type {Entry[]} the first one plays */
    this.waiting = [];
    /** @type {Map<string, Entry>} since the last report, playing and queued ones included */
    this.known = new Map();
    /** @type {Set<string>} no longer played, whatever still arrives of them */
    this.silenced = new Set();
    this.underruns = 0;
    this.sincePosition = 0;
    /** @type {QueueEvent[]} to be taken by whoever pulls */
    this.events = [];
  }

  /** @param {Chunk} chunk in any order within an item, more than once if need be */
  push(chunk) {
    const key = keyOf(chunk);
    if (this.silenced.has(key)) return;
    const entry = this.known.get(key) ?? this.#open(key, chunk);
    const { start_sample: start, samples } = chunk;
    if (start + samples.length > entry.played && samples.length > 0) {
      const at = entry.chunks.findLastIndex((other) => other.start <= start) + 1;
      const before = entry.chunks[at - 1];
      if (before?.start !== start) {
        entry.chunks.splice(at, 0, { start, samples });
        entry.buffered += samples.length;
        // Counted only now: where nothing was to follow but the end mark, nobody heard a gap.
        if (entry.starved) this.underruns += 1;
        entry.starved = false;
      }
    }
    if (chunk.last) entry.complete = true;
    if (!this.waiting.includes(entry) && (entry.buffered > 0 || (chunk.last && entry.played === 0))) {
      this.waiting.push(entry);
    }
  }

  /**
   * Fills one block. What there is nothing for is silence.
   *
   * @param {Float32Array} out
   * @returns {number} samples that come from items
   */
  pull(out) {
    let filled = 0;
    for (let entry = this.#ready(0); entry && filled < out.length; entry = this.#ready(filled)) {
      const count = this.#take(entry, out, filled);
      filled += count;
      this.sincePosition += count;
      if (entry.buffered === 0) this.#ranOut(entry, filled);
    }
    out.fill(0, filled);
    const playing = this.waiting[0];
    if (playing && this.sincePosition >= this.positionSamples) this.#tell("position", playing, filled);
    return filled;
  }

  /** Nothing more is played of what is here; `report` still tells of it. */
  silence() {
    for (const entry of this.waiting) {
      entry.chunks = [];
      entry.buffered = 0;
    }
    this.waiting = [];
    for (const key of this.known.keys()) this.silenced.add(key);
    forget(this.silenced);
  }

  /** Forgets everything: what comes now is counted from where it begins, silenced items too. */
  reset() {
    this.silence();
    this.known.clear();
    this.silenced.clear();
  }

  /**
   * @returns {Position[]} every item since the last report
   */
  report() {
    const positions = [...this.known.values()].map(({ item_id, content_index, played }) => ({
      item_id,
      content_index,
      played_samples: played,
    }));
    this.known = new Map(this.waiting.map((entry) => [keyOf(entry), entry]));
    return positions;
  }

  /**
   * @param {string} key
   * @param {Chunk} chunk
   * @returns {Entry}
   */
  #open(key, { item_id, content_index }) {
    const entry = {
      item_id,
      content_index,
      chunks: [],
      buffered: 0,
      played: 0,
      complete: false,
      begun: false,
      flowing: false,
      starved: false,
    };
    this.known.set(key, entry);
    if (this.waiting.length === 0) forget(this.known);
    return entry;
  }

  /**
   * @param {number} offset
   * @returns {Entry | undefined} the entry that has samples to give now
   */
  #ready(offset) {
    for (let entry = this.waiting[0]; entry; entry = this.waiting[0]) {
      // An item that another one follows gets no more: its end was cancelled, or its last message was lost.
      const complete = entry.complete || this.waiting.length > 1;
      if (entry.buffered === 0 && complete) {
        this.#end(entry, offset);
        continue;
      }
      entry.flowing ||= complete || (entry.buffered > 0 && entry.buffered >= this.startSamples);
      return entry.flowing ? entry : undefined;
    }
    return undefined;
  }

  /**
   * @param {Entry} entry
   * @param {Float32Array} out
   * @param {number} offset
   * @returns {number} samples taken
   */
  #take(entry, out, offset) {
    const chunk = entry.chunks[0];
    if (!chunk) return 0;
    // What overlaps was played already; a gap is passed over, so that positions stay places within the item.
    const from = Math.min(Math.max(0, entry.played - chunk.start), chunk.samples.length);
    const count = Math.min(chunk.samples.length - from, out.length - offset);
    toFloat(chunk.samples, from, out, offset, count);
    const end = from + count;
    if (count > 0) {
      entry.played = chunk.start + from;
      if (!entry.begun) this.#tell("started", entry, offset);
      entry.begun = true;
      entry.played = chunk.start + end;
    }
    entry.buffered -= end;
    if (end === chunk.samples.length) entry.chunks.shift();
    else entry.chunks[0] = { start: chunk.start + end, samples: chunk.samples.subarray(end) };
    return count;
  }

  /**
   * @param {Entry} entry
   * @param {number} offset
   */
  #ranOut(entry, offset) {
    if (entry.complete || this.waiting.length > 1) {
      this.#end(entry, offset);
    } else {
      entry.flowing = false;
      entry.starved = true;
    }
  }

  /**
   * @param {Entry} entry the first one
   * @param {number} offset
   */
  #end(entry, offset) {
    this.waiting.shift();
    entry.flowing = false;
    entry.starved = false;
    this.#tell("ended", entry, offset);
  }

  /**
   * @param {QueueEvent["event"]} event
   * @param {Entry} entry
   * @param {number} offset
   */
  #tell(event, { item_id, content_index, played }, offset) {
    this.sincePosition = 0;
    this.events.push({
      event,
      item_id,
      content_index,
      played_samples: played,
      underruns: this.underruns,
      offset,
    });
  }
}
