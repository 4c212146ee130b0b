// A microphone that a test speaks into, where `gipMicrophone.scripted`: `getUserMedia` then gives a stream that is silent
// until `gipMicrophone.say` plays a WAV into it. The real getUserMedia is still asked for the permission, so a refusal
// stays a refusal.
(() => {
  const real = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
  if (!real) return;
  let context = null;
  let mouth = null;
  const streams = new Set();

  navigator.mediaDevices.getUserMedia = async (constraints) => {
    if (!constraints?.audio || !window.gipMicrophone.scripted) return real(constraints);
    const permitted = await real(constraints);
    for (const track of permitted.getTracks()) track.stop();
    context ??= new AudioContext();
    // A page that was loaded again has to wait for a click: the stream is there, and silent until then.
    context.resume().catch(() => {});
    addEventListener("pointerdown", () => context?.resume(), { capture: true });
    mouth ??= context.createGain();
    const destination = context.createMediaStreamDestination();
    mouth.connect(destination);
    streams.add(destination.stream);
    return destination.stream;
  };

  /** Say a WAV (base64); resolves with its length in seconds when it has been said to its end. */
  async function say(base64) {
    if (!mouth) throw new Error("nobody asked for the microphone yet");
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const source = new AudioBufferSourceNode(context, { buffer: await context.decodeAudioData(bytes.buffer) });
    source.connect(mouth);
    const ended = new Promise((resolve) => source.addEventListener("ended", resolve, { once: true }));
    source.start();
    await ended;
    return source.buffer.duration;
  }

  /** How many of the streams given out still have a live track: 0 once the page has let the microphone go. */
  function open() {
    return [...streams].filter((stream) => stream.getTracks().some((track) => track.readyState === "live")).length;
  }

  /** As if nobody had asked for it yet. Its context is closed with all others. */
  function reset() {
    context = null;
    mouth = null;
    streams.clear();
  }

  window.gipMicrophone = { scripted: false, say, open, reset };
})();
