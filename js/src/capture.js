// The microphone: asked for, joined to the capture worklet, and really let go of.

import { constraintsOf } from "./preferences.js";
import { CLOSED, INSECURE, UNPLUGGED } from "./trouble.js";

/**
 * @typedef {object} Capture
 * @property {AnalyserNode} analyser what the microphone gives, for a meter
 * @property {number} sampleRateHz of the context that captures
 * @property {(muted: boolean) => void} mute silence goes on being sent: the server's turn detection counts samples
 */

/**
 * @typedef {object} CapturedFrame
 * @property {number} seq from 0
 * @property {number} at_s time of its first sample, on the context's clock
 * @property {number} now_s when it was posted, on the same clock
 * @property {ArrayBuffer} buffer 960 samples, int16, 24 000 Hz
 */

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>} rejected with the signal's reason as soon as it is aborted, whatever becomes of the promise
 */
export function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** @param {MediaStream} stream */
function letGo(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/**
 * Asks for the microphone. A prompt may be answered long after the signal was aborted: it is let go of then too.
 *
 * @param {import("./preferences.js").Preferences} preferences which one, and how its sound is treated
 * @param {AbortSignal} signal
 * @returns {Promise<MediaStream>} rejected with what the browser threw, or at once with the signal's reason
 */
export function askForMicrophone(preferences, signal) {
  const { mediaDevices } = navigator;
  if (!mediaDevices?.getUserMedia) {
    return Promise.reject(new DOMException("this page is not a secure context", INSECURE));
  }
  const given = mediaDevices.getUserMedia(constraintsOf(preferences)).then((stream) => {
    if (signal.aborted) letGo(stream);
    else signal.addEventListener("abort", () => letGo(stream), { once: true });
    return stream;
  });
  return unlessAborted(given, signal);
}

/**
 * Joins a microphone to the capture worklet, until the signal is aborted.
 *
 * @param {object} options
 * @param {AudioContext} options.context with the capture worklet loaded
 * @param {MediaStreamAudioSourceNode} options.source of that context
 * @param {AbortSignal} options.signal
 * @param {(frame: CapturedFrame) => void} options.frame
 * @param {(error: DOMException) => void} options.lost the device went away, or the browser closed the context
 * @param {(silent: boolean) => void} options.silenced the system, the browser or a switch on the device mutes it, or no
 *   longer: also when it is closed meanwhile
 * @returns {Capture}
 */
export function joinCapture({ context, source, signal, frame, lost, silenced }) {
  const analyser = new AnalyserNode(context, { fftSize: 1024, smoothingTimeConstant: 0.5 });
  const node = new AudioWorkletNode(context, "gip-capture", {
    numberOfInputs: 1,
    numberOfOutputs: 1,
    outputChannelCount: [1],
    channelCount: 1,
    channelCountMode: "explicit",
  });
  node.port.onmessage = ({ data }) => frame(data);
  source.connect(analyser);
  // Its output is silence; without a way to the destination nothing would make it run.
  source.connect(node).connect(context.destination);
  const tracks = source.mediaStream.getAudioTracks();
  let silent = false;
  /** @param {boolean} now */
  const hush = (now) => {
    if (now === silent) return;
    silent = now;
    silenced(now);
  };
  for (const track of tracks) {
    const ended = () => lost(new DOMException("the microphone's track ended", UNPLUGGED));
    track.addEventListener("ended", ended, { signal });
    track.addEventListener("mute", () => hush(true), { signal });
    track.addEventListener("unmute", () => hush(false), { signal });
  }
  const closed = () => {
    if (context.state === "closed") lost(new DOMException("the browser closed the audio context", CLOSED));
  };
  context.addEventListener("statechange", closed, { signal });
  signal.addEventListener(
    "abort",
    () => {
      node.port.onmessage = null;
      node.port.postMessage("close");
      source.disconnect();
      node.disconnect();
      hush(false);
    },
    { once: true },
  );
  hush(tracks.some((track) => track.muted));
  return {
    analyser,
    sampleRateHz: context.sampleRate,
    mute(muted) {
      for (const track of tracks) track.enabled = !muted;
    },
  };
}
