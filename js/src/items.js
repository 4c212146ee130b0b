// The conversation's items and their order, from `snapshot` and `items` messages. Pure: each step gives a new value, and
// an item that did not change stays the same object, so that a view redraws only what did.

/** @typedef {import("./messages.js").ItemView} ItemView */

/**
 * @typedef {object} Conversation
 * @property {ReadonlyMap<string, ItemView>} items by item_id
 * @property {readonly string[]} order item ids, as spoken
 * @property {ReadonlyMap<string, string | null>} links which item each one follows; null: the start
 */

/** @type {Conversation} */
export const EMPTY = { items: new Map(), order: [], links: new Map() };

/**
 * @param {readonly ItemView[]} items in their order
 * @returns {Conversation}
 */
export function fromSnapshot(items) {
  /** @type {Map<string, string | null>} */
  const links = new Map();
  let before = null;
  for (const { item_id } of items) {
    links.set(item_id, before);
    before = item_id;
  }
  return { items: new Map(items.map((item) => [item.item_id, item])), order: [...links.keys()], links };
}

/**
 * @param {Conversation} conversation
 * @param {Pick<import("./messages.js").Items, "put" | "text" | "drop">} change
 * @returns {Conversation}
 */
export function applyItems(conversation, { put, text, drop }) {
  const items = new Map(conversation.items);
  /** @type {Map<string, string | null> | null} null: the order stays */
  let links = null;
  /** @type {string[] | null} with what came at the end; null: the order is to be found anew */
  let order = null;
  for (const item of put) {
    const known = conversation.links.has(item.item_id) || links?.has(item.item_id) === true;
    items.set(item.item_id, item);
    if (known && !moves(item, links ?? conversation.links, items)) continue;
    /** @type {readonly string[] | null} */
    const before = links ? order : conversation.order;
    order = known || !before ? null : appended(before, item, links ?? conversation.links);
    links ??= new Map(conversation.links);
    // Deleted first, so that of two items after the same one the newer comes first: it was inserted there.
    links.delete(item.item_id);
    links.set(item.item_id, item.after);
  }
  for (const { item_id, delta } of text) {
    const item = items.get(item_id);
    if (item) items.set(item_id, { ...item, text: item.text + delta });
  }
  for (const item_id of drop) {
    if (!items.delete(item_id)) continue;
    order = null;
    links ??= new Map(conversation.links);
    const before = links.get(item_id) ?? null;
    links.delete(item_id);
    for (const [follower, after] of links) if (after === item_id) links.set(follower, before);
  }
  if (!links) return { ...conversation, items };
  return { items, order: order ?? orderOf(links), links };
}

/**
 * Nearly all items come at the end: then the order of the others need not be found again.
 *
 * @param {readonly string[]} order
 * @param {ItemView} item a new one
 * @param {ReadonlyMap<string, string | null>} links
 * @returns {string[] | null} null: it belongs elsewhere, or others have waited for it
 */
function appended(order, { item_id, after }, links) {
  if (after !== (order.at(-1) ?? null)) return null;
  for (const awaited of links.values()) if (awaited === item_id) return null;
  return [...order, item_id];
}

/**
 * @param {ItemView} item one that has its place already
 * @param {ReadonlyMap<string, string | null>} links
 * @param {ReadonlyMap<string, ItemView>} items
 * @returns {boolean} whether it now belongs elsewhere; an item that is not there any more moves nothing
 */
function moves(item, links, items) {
  if (links.get(item.item_id) === item.after) return false;
  return item.after === null || items.has(item.after);
}

/**
 * Walks the tree that the links make. An item whose predecessor has not come yet waits at the end, with all that follows it.
 *
 * @param {ReadonlyMap<string, string | null>} links
 * @returns {string[]}
 */
export function orderOf(links) {
  /** @type {Map<string | null, string[]>} */
  const followers = new Map();
  /** @type {string[]} */
  const orphans = [];
  for (const [item_id, after] of links) {
    if (after !== null && !links.has(after)) orphans.push(item_id);
    else followers.set(after, [...(followers.get(after) ?? []), item_id]);
  }
  /** @type {Set<string>} */
  const order = new Set();
  // A stack, not recursion: a long talk is one long chain.
  const stack = [...orphans.reverse(), ...(followers.get(null) ?? [])];
  for (let item_id = stack.pop(); item_id !== undefined; item_id = stack.pop()) {
    if (order.has(item_id)) continue;
    order.add(item_id);
    stack.push(...(followers.get(item_id) ?? []));
  }
  // Links that run in a circle lead nowhere from the start: show such items rather than lose them.
  for (const item_id of links.keys()) order.add(item_id);
  return [...order];
}

/**
 * Where the heard part of an interrupted answer ends, as near as the figures tell: in proportion, between two words.
 *
 * @param {Pick<ItemView, "text" | "heard_ms" | "audio_ms">} item
 * @returns {number} characters of `text` that were heard
 */
export function heardLength({ text, heard_ms, audio_ms }) {
  if (heard_ms === null || !audio_ms || heard_ms >= audio_ms) return text.length;
  const exact = Math.round((text.length * Math.max(0, heard_ms)) / audio_ms);
  if (exact === 0 || exact >= text.length) return Math.min(exact, text.length);
  const space = text.lastIndexOf(" ", exact - 1);
  if (space > 0) return space + 1;
  // Not between the halves of one sign.
  const after = text.charCodeAt(exact);
  return after >= 0xdc00 && after <= 0xdfff ? exact + 1 : exact;
}

/** Among so many of the newest items a call is looked for that is under way. */
const NEWEST = 50;
/** @type {readonly string[]} where a call is that is under way, what wants the user first */
const UNDER_WAY = ["asked", "waiting", "running"];

/**
 * @param {Conversation} conversation
 * @returns {ItemView | null} the call that the talk waits for: one that the user is asked about before one that runs
 */
export function awaitedCall({ items, order }) {
  /** @type {ItemView | null} */
  let found = null;
  for (const item_id of order.slice(-NEWEST)) {
    const item = items.get(item_id);
    const rank = UNDER_WAY.indexOf(item?.call?.state ?? "");
    if (item && rank >= 0 && (!found || rank < UNDER_WAY.indexOf(found.call?.state ?? ""))) found = item;
  }
  return found;
}
