/** The filters of the table of records: their names, their choices with counts, and those that are set. */
import { count, h, redraw, word } from './dom.js';

/** @typedef {import('./app.js').Params} Params */

/** Filters with choices that the server counts. @type {[string, string][]} */
export const chosen = [
  ['source', 'Made in'],
  ['arm', 'Arm'],
  ['suite', 'Suite'],
  ['category', 'Category'],
  ['label', 'Label'],
  ['technique', 'Technique'],
  ['decision', 'Decision'],
  ['kind', 'Answer is'],
  ['score', 'Score'],
  ['clause', 'Cited clause'],
  ['fault', 'Fault'],
];
/** Filters with fixed choices. @type {[string, string, [string, string][]][]} */
export const fixed = [
  [
    'use',
    'Clause was',
    [
      ['followed', 'followed'],
      ['violated', 'violated'],
      ['over-applied', 'over-applied'],
      ['unclear', 'unclear'],
    ],
  ],
  [
    'kept',
    'Kept for SFT',
    [
      ['yes', 'yes'],
      ['no', 'no'],
    ],
  ],
  [
    'human',
    'People say',
    [
      ['any', 'anything'],
      ['good', 'good'],
      ['bad', 'bad'],
      ['disagrees', 'other than the score'],
    ],
  ],
];
export const filterNames = [...chosen.map(([name]) => name), ...fixed.map(([name]) => name), 'q', 'promptId'];

/** The filters among the parameters of an address. @param {Params} params @returns {Params} */
export const filtersOf = (params) =>
  Object.fromEntries(Object.entries(params).filter(([name]) => filterNames.includes(name) || name === 'sort'));

/** @param {HTMLElement} chips @param {Params} params @param {(change: Record<string, string>) => void} change */
export function drawChips(chips, params, change) {
  const title = (/** @type {string} */ name) =>
    [...chosen, ...fixed].find(([one]) => one === name)?.[1] ?? (name === 'q' ? 'Search' : 'Prompt');
  const given = Object.entries(params).filter(([name]) => filterNames.includes(name));
  redraw(
    chips,
    ...given.map(([name, value]) =>
      h(
        'button',
        { type: 'button', id: `chip-${name}`, 'aria-label': `Remove ${title(name)} ${value}`, onclick: () => change({ [name]: '' }) },
        h('span', {}, `${title(name)}: `),
        name === 'q' ? value : word(value),
        h('i', { 'aria-hidden': 'true' }, ' ×'),
      ),
    ),
    ...(given.length > 1
      ? [
          h(
            'button',
            {
              type: 'button',
              id: 'chip-all',
              class: 'clear',
              onclick: () => change(Object.fromEntries(given.map(([name]) => [name, '']))),
            },
            'Clear all',
          ),
        ]
      : []),
  );
}

/** @param {Map<string, HTMLSelectElement>} selects @param {Params} params @param {Record<string, {value: string, count: number}[]>} facets */
export function drawChoices(selects, params, facets) {
  for (const [name, element] of selects) {
    const choices =
      facets[name]?.map(({ value, count: n }) => ({ value, text: `${word(value)}  (${count(n)})` })) ??
      fixed.find(([one]) => one === name)?.[2].map(([value, text]) => ({ value, text })) ??
      [];
    const now = params[name];
    if (now !== undefined && !choices.some(({ value }) => value === now)) choices.push({ value: now, text: `${word(now)}  (0)` });
    const label = /** @type {HTMLElement} */ (element.parentElement);
    label.classList.toggle('set', now !== undefined);
    // A filter with nothing to choose is only in the way.
    label.hidden = now === undefined && choices.length < 2 && !fixed.some(([one]) => one === name);
    element.replaceChildren(h('option', { value: '' }, 'any'), ...choices.map(({ value, text }) => h('option', { value }, text)));
    element.value = now ?? '';
  }
}
