// Put into every page before JupyterLab starts: drives the notebook through JupyterLab's own commands and models,
// so that a test says "run this" and not "click there". `window.jupyterapp` comes from LabApp.expose_app_in_browser.
(() => {
  const runs = new Map();
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
    content.activeCellIndex = content.widgets.length - 1;
    content.deselectAll();
    window.jupyterapp.shell.activateById(panel(path).id);
    const { id } = content.activeCell.model;
    const run = window.jupyterapp.commands.execute("notebook:run-cell");
    runs.set(id, run);
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

  /** End the kernel, also one whose tab was closed. */
  async function shutdown(path) {
    const { sessions } = window.jupyterapp.serviceManager;
    await sessions.refreshRunning();
    const session = await sessions.findByPath(path);
    if (session) await sessions.shutdown(session.id);
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

  window.gipLab = { ready, start, outputs, outputsNow, cellIds, evaluate, restart, shutdown, save, clearOutputs, theme };
})();
