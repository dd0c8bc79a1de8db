/** Elements out of data. Text is only ever text: nothing here parses HTML. */

/** @typedef {Node | string | number | null | undefined | false | Child[]} Child */
/** @typedef {Record<string, unknown>} Props */

/** @param {Element} element @param {Props} props @param {Child[]} children */
function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

/** @param {Element} element @param {Child} child */
function append(element, child) {
  if (child === null || child === undefined || child === false) return;
  if (Array.isArray(child)) for (const one of child) append(element, one);
  else element.append(child instanceof Node ? child : visible(String(child)));
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Props} [props] functions are listeners: `onclick` @param {Child[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export const h = (tag, props = {}, ...children) =>
  /** @type {HTMLElementTagNameMap[T]} */ (fill(document.createElement(tag), props, children));

/** @param {string} tag @param {Props} [props] @param {Child[]} children */
export const svg = (tag, props = {}, ...children) => fill(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);

/**
 * Replaces what an element holds and leaves the focus where it was, also when it came there while the new content was on its way.
 * @param {Element} element @param {Child[]} children
 */
export function redraw(element, ...children) {
  const active = document.activeElement;
  const focused = active !== null && element.contains(active) ? focusKey(active) : null;
  element.replaceChildren();
  append(element, children);
  if (focused === null) return;
  for (const one of element.querySelectorAll('[id], a[href], [data-key]')) {
    if (focusKey(one) === focused) return /** @type {HTMLElement} */ (one).focus({ preventScroll: true });
  }
}

/** By what an element is known when it is drawn again. @param {Element} element */
const focusKey = (element) => (element.id !== '' && `#${element.id}`) || element.getAttribute('href') || element.getAttribute('data-key');

/** Shows what would hide or reorder text: an answer must not look like another one. @param {string} text */
export const visible = (text) =>
  text
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(
      /[\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g,
      (c) => `‹U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}›`,
    );

/** `.87`, `1.00`, `–` for none. @param {number | null | undefined} value */
export const rate = (value) => (value === null || value === undefined ? '–' : value.toFixed(2).replace(/^(-?)0\./, '$1.'));

/** @param {number} value */
export const count = (value) => value.toLocaleString('en');

/** @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** Words for the values in records. @type {Record<string, string>} */
export const words = {
  generate: 'stage 1',
  rl: 'RL',
  eval: 'evaluation',
  comply: 'comply',
  'safe-complete': 'safe completion',
  refuse: 'refuse',
  gibberish: 'gibberish',
  '(none)': 'none',
  wellFormed: 'well-formed',
  citedClauseExists: 'cited clause exists',
  quoteOccurs: 'quote occurs in it',
  rulingMatchesDecision: 'ruling fits decision',
  answerMatchesDecision: 'answer fits decision',
  leaksSpec: 'speaks of the policy text',
};

/** @param {unknown} value */
export const word = (value) =>
  value === null || value === undefined ? '–' : ((Object.hasOwn(words, String(value)) ? words[String(value)] : undefined) ?? String(value));

/** A score as a number with a bar; what has none says so. @param {{score: number | null, state?: string | null}} record */
export function score({ score: value, state }) {
  if (value === null) return h('span', { class: 'score none' }, state === 'not judged' ? '–' : 'unscored');
  const bar = svg('svg', { viewBox: '0 0 36 6', class: 'meter', 'aria-hidden': 'true' });
  bar.append(
    svg('rect', { width: 36, height: 6, rx: 3, class: 'track' }),
    svg('rect', { width: Math.max(2, 36 * value), height: 6, rx: 3 }),
  );
  return h('span', { class: `score ${value >= 0.5 ? 'good' : 'bad'}` }, bar, rate(value));
}

/** What a person said. @param {number | null | undefined} verdict */
export const human = (verdict) =>
  verdict !== null &&
  verdict !== undefined &&
  h('span', { class: `human ${verdict === 1 ? 'good' : 'bad'}` }, verdict === 1 ? '✓ person: good' : '✗ person: bad');
