// The microphone: asked for, joined to the capture worklet, and really let go of.

import { INSECURE, UNPLUGGED } from "./trouble.js";

/** Echo cancellation keeps the signal as it is; the other two change it, and the model hears the difference. */
const CONSTRAINTS = {
  audio: { echoCancellation: true, noiseSuppression: false, autoGainControl: false, channelCount: 1 },
};

/**
 * @typedef {object} Capture
 * @property {AnalyserNode} analyser what the microphone gives, for a meter
 * @property {(muted: boolean) => void} mute silence goes on being sent: the server's turn detection counts samples
 */

/**
 * @typedef {object} CapturedFrame
 * @property {number} seq from 0
 * @property {number} at_s time of its first sample, on the context's clock
 * @property {number} now_s when it was posted, on the same clock
 * @property {ArrayBuffer} buffer 960 samples, int16, 24 000 Hz
 */

/** @returns {Promise<MediaStream>} */
function microphone() {
  const { mediaDevices } = navigator;
  if (!mediaDevices) return Promise.reject(new DOMException("this page is not a secure context", INSECURE));
  return mediaDevices.getUserMedia(CONSTRAINTS);
}

/** @param {MediaStream} stream */
function letGo(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/**
 * Opens the microphone. Everything that it opened is closed again when the signal is aborted, at whatever point.
 *
 * @param {object} options
 * @param {AudioContext} options.context at 24 000 Hz
 * @param {Promise<void>} options.ready the worklets are loaded
 * @param {AbortSignal} options.signal
 * @param {(frame: CapturedFrame) => void} options.frame
 * @param {(error: DOMException) => void} options.lost the device went away
 * @returns {Promise<Capture>} rejected with what the browser threw, or with the signal's reason
 */
export async function openCapture({ context, ready, signal, frame, lost }) {
  const stream = await microphone();
  if (signal.aborted) letGo(stream);
  signal.throwIfAborted();
  const closing = new AbortController();
  signal.addEventListener("abort", () => letGo(stream), { once: true, signal: closing.signal });
  try {
    await ready;
    signal.throwIfAborted();
    return join(context, stream, signal, frame, lost);
  } catch (error) {
    closing.abort();
    letGo(stream);
    throw error;
  }
}

/**
 * @param {AudioContext} context
 * @param {MediaStream} stream
 * @param {AbortSignal} signal
 * @param {(frame: CapturedFrame) => void} frame
 * @param {(error: DOMException) => void} lost
 * @returns {Capture}
 */
function join(context, stream, signal, frame, lost) {
  const source = context.createMediaStreamSource(stream);
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
  for (const track of stream.getTracks()) {
    track.addEventListener("ended", () => lost(new DOMException("the microphone's track ended", UNPLUGGED)), {
      signal,
    });
  }
  signal.addEventListener(
    "abort",
    () => {
      node.port.onmessage = null;
      node.port.postMessage("close");
      source.disconnect();
      node.disconnect();
    },
    { once: true },
  );
  return {
    analyser,
    mute(muted) {
      for (const track of stream.getTracks()) track.enabled = !muted;
    },
  };
}
