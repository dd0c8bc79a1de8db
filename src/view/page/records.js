/** The table of records: filters with counts, search, sort, keys; everything stands in the address. */
import { address, get } from './api.js';
import { count, h, human, plural, redraw, score, word } from './dom.js';
import { chosen, drawChips, drawChoices, filtersOf, fixed } from './filters.js';

/** @typedef {import('./app.js').Params} Params */

export const pageSize = 50;

/** @type {[string, string][]} */
const sorts = [
  ['order', 'as made'],
  ['score', 'lowest score first'],
  ['-score', 'highest score first'],
  ['category', 'by category'],
  ['technique', 'by technique'],
  ['length', 'longest answer first'],
  ['prompt', 'by prompt'],
];

/** @param {HTMLElement} main @param {import('./app.js').Go} go @returns {import('./app.js').View} */
export function recordsView(main, go) {
  /** @type {Params} */
  let params = {};
  let total = 0;
  /** @type {AbortController} */
  let asking = new AbortController();
  /** @type {'first' | 'last' | null} */
  let focusNext = null;

  /** @param {Params} change */
  const change = (change) => go('/records', { ...params, offset: undefined, ...change }, { replace: true });
  const search = h('input', {
    type: 'search',
    id: 'q',
    name: 'q',
    placeholder: 'Search prompts, CoTs and answers',
    'aria-label': 'Search',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  search.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => change({ q: search.value }), 100);
  });
  /** @type {Map<string, HTMLSelectElement>} */
  const selects = new Map();
  /** @param {string} name @param {string} title */
  const select = (name, title) => {
    const element = h('select', { id: `filter-${name}`, name, onchange: () => change({ [name]: element.value }) });
    selects.set(name, element);
    return h('label', {}, h('span', {}, title), element);
  };
  const sort = h(
    'select',
    { id: 'sort', 'aria-label': 'Sort', onchange: () => change({ sort: sort.value === 'order' ? '' : sort.value }) },
    sorts.map(([value, title]) => h('option', { value }, title)),
  );
  const filters = h(
    'details',
    { class: 'filters' },
    h('summary', {}, 'Filters'),
    h(
      'div',
      {},
      chosen.map(([name, title]) => select(name, title)),
      fixed.map(([name, title]) => select(name, title)),
    ),
  );
  filters.open = matchMedia('(min-width: 900px)').matches;
  const chips = h('div', { class: 'chips' });
  const status = h('p', { class: 'status', role: 'status' }, 'Reading the run …');
  const table = h('table', { class: 'records' });
  const pager = h('nav', { class: 'pager', 'aria-label': 'Pages of records' });
  main.append(
    h('h1', { class: 'quiet' }, 'Records'),
    h(
      'div',
      { class: 'browse' },
      filters,
      h('div', { class: 'found' }, h('div', { class: 'bar' }, search, sort), chips, status, h('div', { class: 'scroll' }, table), pager),
    ),
  );

  /** @param {any} page */
  const draw = (page) => {
    total = page.total;
    const offset = Number(params['offset'] ?? 0);
    status.textContent =
      total === 0 ? 'No record fits.' : `${count(offset + 1)}–${count(offset + page.rows.length)} of ${plural(total, 'record')}`;
    redraw(
      table,
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ['Prompt and answer', 'Category', 'Label', 'Answer is', 'Cites', 'Score'].map((title) => h('th', { scope: 'col' }, title)),
        ),
      ),
      h(
        'tbody',
        {},
        page.rows.map((/** @type {any} */ row, /** @type {number} */ i) =>
          tableRow(row, address('/trace', { key: row.key, ...filtersOf(params), at: offset + i })),
        ),
      ),
    );
    redraw(
      pager,
      h('button', { type: 'button', id: 'previous', disabled: offset === 0, onclick: () => turn(-1) }, '← Previous'),
      h('button', { type: 'button', id: 'next', disabled: offset + page.rows.length >= total, onclick: () => turn(1) }, 'Next →'),
    );
    pager.hidden = total <= pageSize;
    if (focusNext !== null)
      links()
        .at(focusNext === 'first' ? 0 : -1)
        ?.focus();
    focusNext = null;
  };

  /** @param {1 | -1} by @param {'first' | 'last' | null} [focus] */
  const turn = (by, focus = null) => {
    const offset = Number(params['offset'] ?? 0) + by * pageSize;
    if (offset < 0 || offset >= total) return;
    focusNext = focus;
    go('/records', { ...params, offset: offset === 0 ? undefined : offset }, { replace: true });
    scrollTo(0, 0);
  };

  const links = () => /** @type {HTMLElement[]} */ ([...table.querySelectorAll('tbody a.open')]);
  /** Elsewhere the arrows scroll, as they should. */
  const inList = () => table.contains(document.activeElement);
  /** @param {1 | -1} by */
  const move = (by) => {
    const all = links();
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const next = at === -1 ? (by === 1 ? 0 : all.length - 1) : at + by;
    if (next < 0) turn(-1, 'last');
    else if (next >= all.length) turn(1, 'first');
    else {
      all[next]?.focus({ preventScroll: true });
      all[next]?.closest('tr')?.scrollIntoView({ block: 'nearest' });
    }
  };

  return {
    async update(given) {
      params = given;
      asking.abort();
      asking = new AbortController();
      const { signal } = asking;
      if (document.activeElement !== search) search.value = params['q'] ?? '';
      sort.value = params['sort'] ?? 'order';
      drawChips(chips, params, change);
      const asked = filtersOf(params);
      const page = await get('records', { ...asked, offset: params['offset'], limit: pageSize }, signal);
      draw(page);
      // Counts may come later than the records.
      drawChoices(selects, params, await get('facets', asked, signal));
      const active = Object.keys(asked).filter((name) => name !== 'sort' && name !== 'q').length;
      /** @type {HTMLElement} */ (filters.firstElementChild).textContent = active === 0 ? 'Filters' : `Filters (${active})`;
    },
    key(key) {
      if (key === '/') search.focus();
      else if (key === 'j' || (key === 'ArrowDown' && inList())) move(1);
      else if (key === 'k' || (key === 'ArrowUp' && inList())) move(-1);
      else if (key === 'n') turn(1);
      else if (key === 'p') turn(-1);
      else return false;
      return true;
    },
  };
}

/** @param {any} row @param {string} href */
function tableRow(row, href) {
  const from =
    row.source === 'eval'
      ? [row.arm, row.suite]
      : row.source === 'rl'
        ? ['RL', `step ${row.step}`, `sample ${row.sample + 1}`]
        : ['stage 1', `sample ${row.sample + 1}`];
  const other = row.ideal !== null && row.kind !== null && row.ideal !== row.kind;
  return h(
    'tr',
    {},
    h(
      'td',
      { class: 'what' },
      h('a', { class: 'open', href }, h('span', { class: 'prompt' }, row.prompt ?? '–')),
      h('span', { class: 'answer' }, row.answer === '' ? 'no answer' : row.answer),
      h(
        'small',
        {},
        [...from, row.technique !== null && row.technique !== 'none' && row.technique].filter(Boolean).join(' · '),
        row.kept && h('span', { class: 'tag' }, 'kept'),
        human(row.human),
      ),
    ),
    h('td', { 'data-title': 'Category' }, row.category),
    h('td', { 'data-title': 'Label' }, word(row.ideal)),
    h('td', { 'data-title': 'Answer is', class: other ? 'bad' : '' }, word(row.kind)),
    h('td', { 'data-title': 'Cites', class: 'codes' }, row.codes.length === 0 ? '–' : row.codes.join(' ')),
    h('td', { 'data-title': 'Score' }, score(row)),
  );
}
