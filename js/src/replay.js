// Plays an item's recording again, one at a time, beside the talk: what the talk counts as heard does not change.

/** At which the kernel gives them. */
const SAMPLE_RATE_HZ = 24_000;

export class Replay {
  /** @type {string | null} the item that is played, or on its way to be */
  playing = null;
  #life = new AbortController();

  /**
   * @param {object} options
   * @param {AbortSignal} options.signal ends it
   * @param {(item_id: string) => Promise<Int16Array<ArrayBuffer>>} options.recording mono, 24 000 Hz; empty: there is none
   * @param {(signal: AbortSignal) => Promise<AudioNode>} options.output where it is played; wanted until the signal
   * @param {(playing: string | null) => void} options.changed
   */
  constructor({ signal, recording, output, changed }) {
    this.recording = recording;
    this.output = output;
    this.changed = changed;
    signal.addEventListener("abort", () => this.#life.abort(), { once: true });
  }

  /**
   * Plays it; stops it where it is the one that plays. To be called inside the click.
   *
   * @param {string} item_id
   */
  async toggle(item_id) {
    const again = this.playing === item_id;
    this.stop();
    if (again) return;
    const life = new AbortController();
    this.#life = life;
    this.#is(item_id);
    try {
      const output = this.output(life.signal);
      const [node, samples] = await Promise.all([output, this.recording(item_id)]);
      if (samples.length > 0) await sound(node, samples, life.signal);
    } catch {
      // Where there is no sound, or no answer, the page says so already.
    }
    if (this.#life === life) this.stop();
  }

  stop() {
    this.#life.abort();
    if (this.playing !== null) this.#is(null);
  }

  /** @param {string | null} playing */
  #is(playing) {
    this.playing = playing;
    this.changed(playing);
  }
}

/**
 * @param {AudioNode} output
 * @param {Int16Array<ArrayBuffer>} samples
 * @param {AbortSignal} signal stops it
 * @returns {Promise<void>} when it has ended, however
 */
function sound(output, samples, signal) {
  if (signal.aborted) return Promise.resolve();
  const { context } = output;
  const buffer = new AudioBuffer({ length: samples.length, sampleRate: SAMPLE_RATE_HZ });
  buffer.copyToChannel(
    Float32Array.from(samples, (sample) => sample / 32_768),
    0,
  );
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(output);
  return new Promise((resolve) => {
    const over = new AbortController();
    const end = () => {
      over.abort();
      source.disconnect();
      resolve();
    };
    source.addEventListener("ended", end, { signal: over.signal });
    signal.addEventListener("abort", end, { signal: over.signal });
    // One that the browser has closed ends nothing any more.
    context.addEventListener("statechange", () => context.state === "closed" && end(), {
      signal: over.signal,
    });
    source.start();
  });
}
