// An AudioContext without a device: it runs where its browser lets it, and tells so a moment later, as real ones do.

/** What takes the place of a browser's autoplay policy and of the device. */
export class FakeBrowser {
  /** @type {FakeContext[]} */
  contexts = [];
  /** Whether sound may start without a click. */
  autoplay = true;
  /** Whether the device works. */
  device = true;
  /** Whether the page's host lets worklets load. */
  worklets = true;
  activation = { isActive: false, hasBeenActive: false };
  document = new EventTarget();
  mediaDevices = new EventTarget();
  /** How many times a context was asked to run. */
  resumes = 0;

  get navigator() {
    return { userActivation: this.activation, mediaDevices: this.mediaDevices };
  }

  get AudioContext() {
    const browser = this;
    return class extends FakeContext {
      constructor() {
        super(browser);
        browser.contexts.push(this);
      }
    };
  }

  get lets() {
    return this.device && (this.autoplay || this.activation.hasBeenActive);
  }

  /** A click: the page has been active from now on, and is so for a moment. */
  click(type = "pointerdown") {
    this.activation.isActive = this.activation.hasBeenActive = true;
    this.document.dispatchEvent(new Event(type));
    this.activation.isActive = false;
  }
}

export class FakeContext extends EventTarget {
  /** @type {AudioContextState} */
  state = "suspended";
  sampleRate = 24_000;
  audioWorklet = {
    addModule: async () => {
      if (!this.browser.worklets) throw new DOMException("refused", "AbortError");
    },
  };

  /** @param {FakeBrowser} browser */
  constructor(browser) {
    super();
    this.browser = browser;
  }

  async resume() {
    this.browser.resumes += 1;
    if (this.state === "closed") throw new DOMException("closed", "InvalidStateError");
    // Without leave it stays pending, and nothing is said.
    if (!this.browser.lets || this.state === "interrupted") return new Promise(() => {});
    await this.becomes("running");
  }

  async suspend() {
    if (this.state === "closed") throw new DOMException("closed", "InvalidStateError");
    await this.becomes("suspended");
  }

  async close() {
    if (this.state === "closed") throw new DOMException("closed", "InvalidStateError");
    await this.becomes("closed");
  }

  /**
   * The state is another after a moment only: the audio thread has to do it.
   *
   * @param {AudioContextState} state
   */
  becomes(state) {
    return new Promise((resolve) => {
      setTimeout(() => {
        if (this.state !== state && this.state !== "closed") {
          this.state = state;
          this.dispatchEvent(new Event("statechange"));
        }
        resolve(undefined);
      }, 10);
    });
  }
}
