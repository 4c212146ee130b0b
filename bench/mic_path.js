// Put into a page before its first script: stamps each microphone frame on its way from the worklet to the comm, and
// sends a copy of it at once to a plain WebSocket. All times are Unix milliseconds of the system's clock, which the
// kernel's are too.
(() => {
  const arrived = new Map();
  const sent = new Map();
  let raw = null;

  // performance.now() runs by a clock that nobody sets; Date.now() has whole milliseconds. Where the second ticks, the
  // first says how far they are apart.
  function offset() {
    const apart = [];
    for (let ticks = 0; ticks < 20; ticks += 1) {
      const before = Date.now();
      let now = before;
      while (now === before) now = Date.now();
      apart.push(now - performance.now());
    }
    return apart.sort((a, b) => a - b)[10];
  }
  let apart = offset();
  const unixMs = () => performance.now() + apart;

  // In the worklet: each message with a number is stamped when it leaves. Its clock has whole milliseconds only.
  const STAMP = `{
    const post = MessagePort.prototype.postMessage;
    MessagePort.prototype.postMessage = function (data, transfer) {
      if (data !== null && typeof data === "object" && "seq" in data && "buffer" in data) data.left_ms = Date.now() + 0.5;
      return post.call(this, data, transfer);
    };
  }\n`;
  const { addModule } = AudioWorklet.prototype;
  AudioWorklet.prototype.addModule = async function (url, options) {
    const source = await (await fetch(url)).text();
    const stamped = URL.createObjectURL(new Blob([STAMP, source], { type: "text/javascript" }));
    return addModule.call(this, stamped, options);
  };

  window.AudioWorkletNode = new Proxy(AudioWorkletNode, {
    construct(target, args, newTarget) {
      const node = Reflect.construct(target, args, newTarget);
      node.port.addEventListener("message", ({ data }) => {
        if (data?.left_ms === undefined) return;
        arrived.set(data.seq, [data.left_ms, unixMs()]);
        if (raw?.readyState !== WebSocket.OPEN) return;
        const message = new Uint8Array(8 + data.buffer.byteLength);
        new DataView(message.buffer).setFloat64(0, data.seq);
        message.set(new Uint8Array(data.buffer), 8);
        raw.send(message);
      });
      return node;
    },
  });

  const text = new TextDecoder();
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    if (this !== raw && typeof data !== "string") {
      const bytes = ArrayBuffer.isView(data)
        ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
        : new Uint8Array(data);
      const head = text.decode(bytes.subarray(0, 2500));
      const found = /"kind":"mic"[,}]/.test(head) && /"seq":(\d+)/.exec(head);
      if (found) sent.set(Number(found[1]), unixMs());
    }
    return send.call(this, data);
  };

  window.gipBench = {
    connect: (url) =>
      new Promise((resolve, reject) => {
        raw = new WebSocket(url);
        raw.binaryType = "arraybuffer";
        raw.onopen = () => resolve(true);
        raw.onerror = () => reject(new Error(`no connection with ${url}`));
      }),
    now() {
      return Date.now();
    },
    calibrate() {
      apart = offset();
      return apart;
    },
    frames: () => [...arrived].map(([seq, [left, came]]) => [seq, left, came, sent.get(seq) ?? null]),
  };
})();
