// Another sample rate for the same sound, a block at a time: band-limited by a windowed sinc. No audio context in here.

/** Stop band of the low-pass, and with it the ripple in the pass band. */
const ATTENUATION_DB = 80;
/** The transition band: from this part of the lower of the two Nyquist frequencies up to that frequency. */
const PASS = 5 / 6;
/** More filters than this are not kept: for odd rates (44 101 Hz) the nearest of so many is good for 68 dB. */
const PHASES = 1024;
/** What an AudioWorkletProcessor is given at once; longer blocks are taken in parts. */
const PART = 128;

/**
 * @param {number} one
 * @param {number} other
 * @returns {number}
 */
const divisor = (one, other) => (other === 0 ? one : divisor(other, one % other));

/**
 * @param {number} x
 * @returns {number} the modified Bessel function of the first kind, of order 0
 */
function bessel(x) {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-12; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/**
 * Kaiser's design (A. V. Oppenheim, R. W. Schafer, Discrete-Time Signal Processing, 3rd ed., 7.6).
 *
 * @param {number} cutoff middle of the transition band, in cycles per input sample
 * @param {number} transition its width, likewise
 * @returns {{ half: number, weight: (t: number) => number }} how far the filter reaches to each side, in input samples;
 *   and its weight t input samples from its middle
 */
function lowPass(cutoff, transition) {
  const half = Math.ceil((ATTENUATION_DB - 7.95) / (2.285 * 2 * Math.PI * transition) / 2);
  const beta = 0.1102 * (ATTENUATION_DB - 8.7);
  const scale = bessel(beta);
  return {
    half,
    weight(t) {
      if (Math.abs(t) > half) return 0;
      const sinc = t === 0 ? 1 : Math.sin(2 * Math.PI * cutoff * t) / (2 * Math.PI * cutoff * t);
      return (sinc * bessel(beta * Math.sqrt(1 - (t / half) ** 2))) / scale;
    },
  };
}

/**
 * One stream from one rate to another. After n samples in, ceil(n * toHz / fromHz) samples are out: the filter's delay
 * is in the sound (`nextS` tells it), and not in the count.
 */
export class Resampler {
  /** What the last `push` made: its first samples, as many as `push` returned. Used again by the next. */
  output = new Float32Array(0);
  /** Where the next output lies, in 1/up input samples after the input that comes next. */
  #ahead = 0;

  /**
   * @param {number} fromHz any rate; a fraction of a hertz is dropped
   * @param {number} toHz
   */
  constructor(fromHz, toHz) {
    this.fromHz = Math.round(fromHz);
    const common = divisor(this.fromHz, toHz);
    this.up = toHz / common;
    this.down = this.fromHz / common;
    const nyquist = Math.min(this.fromHz, toHz) / 2 / this.fromHz;
    const { half, weight } = lowPass((nyquist * (1 + PASS)) / 2, nyquist * (1 - PASS));
    this.half = half;
    this.taps = 2 * half + 1;
    this.phases = Math.min(this.up, PHASES);
    this.weights = this.#table(weight);
    // The inputs that the next output still needs, then room for what comes.
    this.held = new Float32Array(this.taps - 1 + PART);
    this.#reserve(PART);
  }

  /** From the time of the input that comes next to the time of the first output that it gives; negative: a delay. */
  get nextS() {
    return (this.#ahead / this.up - this.half) / this.fromHz;
  }

  /**
   * Nothing is allocated here, unless a block is longer than any before.
   *
   * @param {Float32Array} block any length; cutting the stream elsewhere changes no sample of the output
   * @returns {number} how many samples of `output` came of it
   */
  push(block) {
    if (block.length > PART) this.#reserve(block.length);
    let made = 0;
    for (let from = 0; from < block.length; from += PART) {
      made = this.#convert(block, from, Math.min(PART, block.length - from), made);
    }
    return made;
  }

  /**
   * @param {Float32Array} block
   * @param {number} from
   * @param {number} count PART at most
   * @param {number} offset where to write in output
   * @returns {number} where to write next
   */
  #convert(block, from, count, offset) {
    const { held, output, weights, taps, phases, up, down } = this;
    const kept = taps - 1;
    for (let i = 0; i < count; i += 1) held[kept + i] = /** @type {number} */ (block[from + i]);
    const end = count * up;
    let at = this.#ahead;
    let made = offset;
    for (; at < end; at += down) {
      const place = Math.floor(at / up);
      let weight = Math.round(((at - place * up) / up) * phases) * taps;
      let sum = 0;
      for (let i = place; i < place + taps; i += 1) {
        sum += /** @type {number} */ (held[i]) * /** @type {number} */ (weights[weight]);
        weight += 1;
      }
      output[made] = sum;
      made += 1;
    }
    this.#ahead = at - end;
    held.copyWithin(0, count, count + kept);
    return made;
  }

  /**
   * @param {(t: number) => number} weight
   * @returns {Float64Array} a row of weights for each phase, and one more: the nearest phase may be the next input's first
   */
  #table(weight) {
    const { taps, phases, half } = this;
    const table = new Float64Array((phases + 1) * taps);
    for (let phase = 0; phase <= phases; phase += 1) {
      const row = table.subarray(phase * taps, (phase + 1) * taps);
      for (let i = 0; i < taps; i += 1) row[i] = weight(phase / phases + half - i);
      // Silence stays silence, and a constant the same constant, at every phase.
      const sum = row.reduce((one, other) => one + other, 0);
      for (let i = 0; i < taps; i += 1) row[i] = /** @type {number} */ (row[i]) / sum;
    }
    return table;
  }

  /** @param {number} length of a block */
  #reserve(length) {
    const most = Math.ceil((length * this.up) / this.down) + 1;
    if (this.output.length < most) this.output = new Float32Array(most);
  }
}
