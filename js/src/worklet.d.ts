/** The text of an AudioWorklet module with all that it imports; see build.mjs. */
declare module "*?worklet" {
  const source: string;
  export default source;
}

/** A stylesheet's text; used by tests only. */
declare module "*.css?inline" {
  const source: string;
  export default source;
}
