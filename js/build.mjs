// The page's half as one ESM file and one stylesheet, where the Python package looks for them.
//
//   node build.mjs            build once, minified; a bundle over the limit is an error
//   node build.mjs --watch    build again whenever a source changes
//   node build.mjs --outdir DIR

import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { esbuildWorklets } from "./worklet-source.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const LIMIT_BYTES = 60_000;

const { values } = parseArgs({
  options: {
    watch: { type: "boolean", default: false },
    outdir: { type: "string", default: path.join(HERE, "../src/gip_nb/notebook/static") },
  },
});

/** @type {esbuild.BuildOptions} */
const options = {
  absWorkingDir: HERE,
  entryPoints: ["src/widget.js", "src/widget.css"],
  outdir: path.resolve(values.outdir),
  bundle: true,
  minify: true,
  format: "esm",
  // What JupyterLab 4.4 itself asks of a browser, and container queries.
  target: ["chrome111", "firefox115", "safari16.4"],
  charset: "utf8",
  legalComments: "none",
  plugins: [esbuildWorklets({ minify: true })],
  logLevel: "info",
};

await mkdir(values.outdir, { recursive: true });

if (values.watch) {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  await esbuild.build(options);
  let total = 0;
  for (const name of ["widget.js", "widget.css"]) {
    const text = await readFile(path.join(values.outdir, name));
    const gzipped = gzipSync(text).length;
    total += gzipped;
    process.stdout.write(`${name}: ${text.length} bytes, ${gzipped} gzipped\n`);
  }
  if (total > LIMIT_BYTES) throw new Error(`${total} bytes gzipped: the limit is ${LIMIT_BYTES}`);
}
