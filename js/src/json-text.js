// JSON as text, laid out without its numbers being read: JavaScript would make others of them (9007199254740993, 1e400). Pure.

/** A text in quotes, a mark, or a word: a number, true, NaN. What Python writes is taken, which knows NaN and Infinity. */
const TOKEN =
  /\s*("[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|(?:-?\d[\d.eE+-]*|-?Infinity|NaN|true|false|null)(?![^\s{}[\],:"]))\s*/sy;
/** From here on no line begins further right: what is nested a thousand deep would be mostly blanks. */
const DEEPEST = 20;

/** @param {string | undefined} token */
const opens = (token) => token === "{" || token === "[";
/** @param {string} token */
const closes = (token) => token === "}" || token === "]";
/** @param {string} token */
const separates = (token) => token === "," || token === ":" || opens(token);

/**
 * @param {string} json
 * @returns {string[] | null} its tokens, texts without needless escapes; null: something else is in it
 */
function tokens(json) {
  /** @type {string[]} */
  const found = [];
  let end = 0;
  TOKEN.lastIndex = 0;
  for (let next = TOKEN.exec(json); next; next = TOKEN.exec(json)) {
    const [, token = ""] = next;
    // Without the blank between them two numbers would be one.
    const begins = token !== "," && token !== ":" && !closes(token);
    if (begins && !separates(found.at(-1) ?? ",")) return null;
    end = TOKEN.lastIndex;
    found.push(token);
  }
  if (end < json.length) return null;
  try {
    return found.map((token) => (token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : token));
  } catch {
    return null;
  }
}

/**
 * @param {string} json
 * @returns {string} spread over lines; what is no JSON stays as it is
 */
export function spread(json) {
  const all = tokens(json);
  if (!all) return json;
  /** @type {string[]} */
  const parts = [];
  let depth = 0;
  for (const [n, token] of all.entries()) {
    const before = all[n - 1];
    if (closes(token)) depth -= 1;
    const begins = closes(token) ? !opens(before) : opens(before) || before === ",";
    if (begins) parts.push("\n", "  ".repeat(Math.max(0, Math.min(depth, DEEPEST))));
    parts.push(token === ":" ? ": " : token);
    if (opens(token)) depth += 1;
  }
  return parts.join("");
}

/**
 * @param {string} json of an object
 * @returns {[string, string][]} its names, and the text of each one's value; of a name that stands there twice the last counts
 */
export function entries(json) {
  /** @type {Map<string, string>} */
  const found = new Map();
  /** @type {string[]} of the name and value at hand */
  let part = [];
  let depth = 0;
  for (const token of tokens(json) ?? []) {
    if (closes(token)) depth -= 1;
    const ends = (depth === 1 && token === ",") || depth === 0;
    if (!ends) part.push(token);
    else if (part.length > 0) {
      found.set(JSON.parse(part[0] ?? ""), part.slice(2).join(""));
      part = [];
    }
    if (opens(token)) depth += 1;
  }
  return [...found];
}
