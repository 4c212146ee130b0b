// An AudioWorklet module as text: `import source from "./x-processor.js?worklet"`, for esbuild and for vitest.

import path from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const SUFFIX = "?worklet";

/**
 * One worklet module and all that it imports, as one script.
 *
 * @param {string} entry path of the module
 * @param {boolean} minify
 * @returns {Promise<{ source: string, files: string[] }>} the script, and the files that it was made from
 */
async function bundle(entry, minify) {
  const built = await esbuild.build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    minify,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    metafile: true,
    logLevel: "silent",
    absWorkingDir: path.dirname(fileURLToPath(import.meta.url)),
  });
  const [output] = built.outputFiles;
  if (!output) throw new Error(`esbuild made nothing of ${entry}`);
  return { source: output.text, files: Object.keys(built.metafile.inputs).map((file) => path.resolve(file)) };
}

/**
 * @param {{ minify?: boolean }} [options]
 * @returns {esbuild.Plugin}
 */
export function esbuildWorklets({ minify = false } = {}) {
  return {
    name: "worklet-source",
    setup(build) {
      build.onResolve({ filter: /\?worklet$/ }, (args) => ({
        path: path.resolve(args.resolveDir, args.path.slice(0, -SUFFIX.length)),
        namespace: "worklet-source",
      }));
      build.onLoad({ filter: /.*/, namespace: "worklet-source" }, async (args) => {
        const { source, files } = await bundle(args.path, minify);
        return { contents: source, loader: "text", watchFiles: files };
      });
    },
  };
}

/** @returns {import("vite").Plugin} */
export function viteWorklets() {
  return {
    name: "worklet-source",
    enforce: "pre",
    async load(id) {
      if (!id.endsWith(SUFFIX)) return null;
      const { source } = await bundle(id.slice(0, -SUFFIX.length), false);
      return `export default ${JSON.stringify(source)};`;
    },
  };
}
