// Put into every page before JupyterLab starts: drives the notebook through JupyterLab's own commands and models,
// so that a test says "run this" and not "click there". `window.jupyterapp` comes from LabApp.expose_app_in_browser.
(() => {
  const runs = new Map();
  let crash = null;
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  function panel(path) {
    for (const widget of window.jupyterapp?.shell.widgets("main") ?? []) {
      if (widget.context?.path === path && widget.sessionContext) return widget;
    }
    return null;
  }

  function kernel(path) {
    return panel(path)?.sessionContext.session?.kernel ?? null;
  }

  /** Open a notebook in the loaded JupyterLab; `ready` waits for it. */
  async function open(path) {
    await window.jupyterapp.commands.execute("docmanager:open", { path, factory: "Notebook" });
  }

  async function ready(path, timeoutMs) {
    const deadline = performance.now() + timeoutMs;
    const steps = {
      application: () => window.jupyterapp?.shell,
      notebook: () => panel(path)?.context.isReady,
      kernel: () => panel(path).sessionContext.isReady && kernel(path)?.connectionStatus === "connected",
      idle: () => kernel(path)?.status === "idle",
    };
    for (const [name, holds] of Object.entries(steps)) {
      while (!holds()) {
        if (performance.now() > deadline) {
          const found = kernel(path);
          throw new Error(`no ${name} after ${timeoutMs} ms (kernel ${found?.status}, ${found?.connectionStatus})`);
        }
        await pause(20);
      }
    }
  }

  function cell(path, id) {
    return panel(path).content.widgets.find((one) => one.model.id === id);
  }

  function cellIds(path) {
    return panel(path).content.widgets.map((one) => one.model.id);
  }

  /** Append a code cell and run it; its id. The run goes on when this returns. */
  function start(path, source) {
    const { content } = panel(path);
    const shared = content.model.sharedModel;
    const cells = shared.cells;
    const last = cells.length - 1;
    const blank = last >= 0 && cells[last].cell_type === "code" && cells[last].getSource() === "";
    if (blank) cells[last].setSource(source);
    else shared.insertCell(last + 1, { cell_type: "code", source });
    return run(path, content.widgets.length - 1);
  }

  /** Run a cell that is there once more. */
  function again(path, id) {
    return run(path, cellIds(path).indexOf(id));
  }

  function run(path, place) {
    const { content, id: tab } = panel(path);
    content.activeCellIndex = place;
    content.deselectAll();
    window.jupyterapp.shell.activateById(tab);
    const { id } = content.activeCell.model;
    const running = window.jupyterapp.commands.execute("notebook:run-cell");
    running.catch(() => {}); // whose end nobody waits for may be cancelled with its notebook
    runs.set(id, running);
    return id;
  }

  /** Outputs of a cell as the notebook file has them, once its run ended. */
  async function outputs(path, id, timeoutMs) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the cell still runs after ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      await Promise.race([runs.get(id), late]);
    } finally {
      clearTimeout(timer);
    }
    return cell(path, id).model.outputs.toJSON();
  }

  /** What a cell shows at this moment, running or not. */
  function outputsNow(path, id) {
    return cell(path, id).model.outputs.toJSON();
  }

  /** Value of a Python expression, evaluated beside the notebook: no cell, no history, no output. */
  async function evaluate(path, expression, timeoutMs) {
    const odd = "lambda o: o.item() if hasattr(o, 'item') else None if str(o) == '<NA>' else str(o)";
    const python = `__import__("json").dumps((${expression}), default=${odd})`;
    const future = kernel(path).requestExecute({
      code: "",
      silent: true,
      store_history: false,
      user_expressions: { value: python },
    });
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no value of ${expression} after ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      const reply = await Promise.race([future.done, late]);
      const value = reply.content.user_expressions?.value;
      if (value?.status !== "ok") throw new Error(`${expression}: ${value?.ename ?? reply.content.status}: ${value?.evalue}`);
      return value.data["text/plain"];
    } finally {
      clearTimeout(timer);
    }
  }

  async function restart(path) {
    await panel(path).sessionContext.session.kernel.restart();
  }

  /** Begin to watch for the end of the kernel's process. */
  function expectCrash(path) {
    const { sessionContext } = panel(path);
    crash = new Promise((resolve) => {
      const look = (_, status) => {
        if (status !== "autorestarting") return;
        sessionContext.statusChanged.disconnect(look);
        resolve(true);
      };
      sessionContext.statusChanged.connect(look);
    });
  }

  /** JupyterLab has noticed, and said so in a dialog that stands in the way of clicks. */
  async function crashed(_path, timeoutMs) {
    const late = pause(timeoutMs).then(() => false);
    if (!(await Promise.race([crash, late]))) throw new Error(`no crash was noticed in ${timeoutMs} ms`);
    for (let tries = 0; tries < 50 && !document.querySelector(".jp-Dialog"); tries += 1) await pause(20);
    await dismissDialogs();
  }

  async function dismissDialogs() {
    for (let button; (button = document.querySelector(".jp-Dialog .jp-mod-accept")); await pause(20)) button.click();
  }

  async function closeTab(path) {
    const tab = panel(path);
    tab.close();
    while (!tab.isDisposed) await pause(20);
  }

  /** Close all that is open, sound too, so that another notebook finds the page as if new; what is wrong, or null. */
  async function tidy() {
    if (!window.jupyterapp?.shell) return "JupyterLab is not there";
    if (document.querySelector(".jp-Dialog")) return "a dialog is open";
    for (const widget of [...window.jupyterapp.shell.widgets("main")]) {
      if (!widget.context) continue;
      widget.context.model.dirty = false;
      widget.dispose();
    }
    // A notebook's widgets outlive it in the page: what they left open would play and listen on.
    for (const track of sounds.tracks) track.stop();
    await Promise.all([...sounds.contexts].filter((one) => one.state !== "closed").map((one) => one.close()));
    sounds.tracks.clear();
    sounds.contexts.clear();
    window.gipMicrophone?.reset();
    runs.clear();
    return null;
  }

  async function save(path) {
    await panel(path).context.save();
  }

  function clearOutputs(path, id) {
    cell(path, id).model.sharedModel.setOutputs([]);
  }

  async function theme(name) {
    await window.jupyterapp.commands.execute("apputils:change-theme", { theme: name });
    const wanted = name.includes("Dark") ? "false" : "true";
    const splash = () => document.getElementById("jupyterlab-splash"); // covers the page until the theme is there
    while (document.body.dataset.jpThemeLight !== wanted || splash()) await pause(20);
  }

  // Every AudioContext and every track of a microphone that the page ever made.
  const sounds = { contexts: new Set(), tracks: new Set() };

  function watchSounds() {
    if (typeof AudioContext === "undefined" || !navigator.mediaDevices) return; // not a secure context
    window.AudioContext = new Proxy(AudioContext, {
      construct(target, args, newTarget) {
        const context = Reflect.construct(target, args, newTarget);
        sounds.contexts.add(context);
        return context;
      },
    });
    const { mediaDevices } = navigator;
    const real = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = async (constraints) => {
      const stream = await real(constraints);
      for (const track of stream.getTracks()) sounds.tracks.add(track);
      return stream;
    };
  }

  /** How much of it is alive: contexts that are not closed, those that run, tracks that are live. */
  function soundsOpen() {
    const open = [...sounds.contexts].filter((one) => one.state !== "closed");
    return {
      contexts: open.length,
      running: open.filter((one) => one.state === "running").length,
      tracks: [...sounds.tracks].filter((one) => one.readyState === "live").length,
    };
  }

  watchSounds();
  window.gipLab = {
    again,
    open,
    ready,
    start,
    outputs,
    outputsNow,
    cellIds,
    evaluate,
    restart,
    expectCrash,
    crashed,
    closeTab,
    tidy,
    save,
    clearOutputs,
    theme,
    soundsOpen,
  };
})();
