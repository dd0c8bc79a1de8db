/** The policy to read, with how each clause was used. */
import { address, get } from './api.js';
import { count, h, redraw, svg, word } from './dom.js';

/** @param {HTMLElement} main @param {import('./app.js').Go} go @returns {import('./app.js').View} */
export function specView(main, go) {
  /** @type {import('./app.js').Params} */
  let params = {};
  let shown = '';
  const part = h('select', { id: 'spec-part', onchange: () => go('/spec', { ...JSON.parse(part.value || '{}') }, { replace: true }) });
  const body = h('div', {}, h('p', { class: 'wait' }, 'Reading the run …'));
  main.append(
    h('h1', { class: 'quiet' }, 'Policy'),
    h(
      'p',
      { class: 'note' },
      'Cited: by how many records. ',
      h('b', { class: 'up' }, 'Followed'),
      ': the answer is of the kind that the clause rules. ',
      h('b', { class: 'down' }, 'Violated'),
      ': it is of another kind. ',
      h('b', { class: 'over' }, 'Over-applied'),
      ': the clause is stricter than the label of the request.',
    ),
    h('div', { class: 'choose' }, h('label', {}, h('span', {}, 'Count in'), part)),
    body,
  );
  return {
    async update(given) {
      params = given;
      const { source, arm, code } = params;
      const [spec, { source: sources, arm: arms }] = await Promise.all([get('spec', { source, arm }), get('facets', {})]);
      const choices = [
        ['{}', 'all records'],
        ...sources.map((/** @type {any} */ one) => [JSON.stringify({ source: one.value }), word(one.value)]),
        ...arms.map((/** @type {any} */ one) => [JSON.stringify({ source: 'eval', arm: one.value }), `evaluation of ${one.value}`]),
      ];
      part.replaceChildren(...choices.map(([value, text]) => h('option', { value: value ?? '' }, text)));
      part.value = JSON.stringify({ ...(source !== undefined && { source }), ...(arm !== undefined && { arm }) });
      draw(body, spec, { source, arm });
      const anchor = location.hash.slice(1);
      if (anchor !== '' && shown !== anchor) {
        document.getElementById(anchor)?.scrollIntoView();
        shown = anchor;
      }
      if (code !== undefined && shown !== code) {
        const entry = document.getElementById(`entry-${code}`);
        entry?.classList.add('lit');
        entry?.scrollIntoView({ block: 'center' });
        shown = code;
      }
    },
    key(key) {
      if (key !== 'j' && key !== 'k') return false;
      const entries = /** @type {HTMLElement[]} */ ([...body.querySelectorAll('.entry')]);
      const at = entries.findIndex((entry) => entry.contains(document.activeElement));
      const next = entries[Math.max(0, Math.min(entries.length - 1, at + (key === 'j' ? 1 : -1)))];
      next?.focus({ preventScroll: true });
      next?.scrollIntoView({ block: 'nearest' });
      return true;
    },
  };
}

/** @param {HTMLElement} body @param {any} spec @param {Record<string, string | undefined>} part */
function draw(body, spec, part) {
  const most = Math.max(
    1,
    ...[...spec.styles, ...spec.categories.flatMap((/** @type {any} */ c) => c.entries)].map((one) => one.use.cited),
  );
  const entries = (/** @type {any[]} */ list) =>
    h(
      'div',
      { class: 'entries' },
      list.map((one) => entry(one, part, most)),
    );
  // What was opened stays open when the numbers change.
  const open = new Set([...body.querySelectorAll('details[open] > summary')].map((one) => one.getAttribute('data-key')));
  redraw(
    body,
    h(
      'div',
      { class: 'policy' },
      h(
        'nav',
        { class: 'contents', 'aria-label': 'Categories' },
        spec.categories.map((/** @type {any} */ c) => {
          const sum = c.entries.reduce((/** @type {number} */ total, /** @type {any} */ one) => total + one.use.cited, 0);
          return h('a', { href: `#category-${c.name}` }, c.title, h('small', {}, sum === 0 ? '' : count(sum)));
        }),
        h('a', { href: '#general' }, 'Principles and styles'),
        spec.unknown.length > 0 && h('a', { href: '#unknown' }, 'Codes of no clause'),
      ),
      h(
        'div',
        {},
        spec.categories.map((/** @type {any} */ c) =>
          h(
            'section',
            { id: `category-${c.name}` },
            h('h2', {}, c.title),
            h('p', { class: 'summary' }, c.summary),
            c.definitions.length > 0 &&
              h(
                'details',
                {},
                h('summary', { 'data-key': `definitions-${c.name}` }, 'Definitions'),
                h(
                  'dl',
                  {},
                  c.definitions.map((/** @type {any} */ d) => [h('dt', {}, d.term), h('dd', {}, d.text)]),
                ),
              ),
            entries(c.entries),
          ),
        ),
        h(
          'section',
          { id: 'general' },
          h('h2', {}, 'Principles and styles'),
          h(
            'ul',
            {},
            spec.principles.map((/** @type {string} */ text) => h('li', {}, text)),
          ),
          entries(spec.styles),
        ),
        spec.unknown.length > 0 &&
          h(
            'section',
            { id: 'unknown' },
            h('h2', {}, 'Codes of no clause'),
            h('p', { class: 'note' }, 'Cited, but not in the policy.'),
            h(
              'p',
              { class: 'chips' },
              spec.unknown.map((/** @type {any} */ one) =>
                h('a', { href: address('/records', { ...part, clause: one.code }) }, `${one.code} ${count(one.cited)}`),
              ),
            ),
          ),
      ),
    ),
  );
  for (const summary of body.querySelectorAll('summary'))
    if (open.has(summary.getAttribute('data-key'))) /** @type {HTMLDetailsElement} */ (summary.parentElement).open = true;
}

/** @param {any} one @param {Record<string, string | undefined>} part @param {number} most */
function entry(one, part, most) {
  const { cited, followed, violated, overApplied } = one.use;
  const number = (/** @type {string} */ title, /** @type {number} */ n, /** @type {string} */ use, /** @type {string} */ sort) =>
    h(
      'span',
      { class: n === 0 ? 'zero' : sort },
      n === 0 ? h('b', {}, 0) : h('a', { href: address('/records', { ...part, clause: one.code, use }) }, count(n)),
      ` ${title}`,
    );
  return h(
    'article',
    { class: `entry${cited === 0 ? ' unused' : ''}`, id: `entry-${one.code}`, tabindex: -1 },
    h(
      'header',
      {},
      h('b', { class: 'code' }, one.code),
      h(
        'span',
        { class: `ruling ${one.ruling}` },
        one.sort === 'style'
          ? `style for ${word(one.ruling)}`
          : { comply: 'allowed', refuse: 'disallowed', 'safe-complete': 'safe completion' }[/** @type {'comply'} */ (one.ruling)],
      ),
      one.sort === 'clause' && h('h3', {}, one.subject),
    ),
    h('p', {}, one.text),
    h(
      'div',
      { class: 'use' },
      cited === 0
        ? h('span', { class: 'zero' }, 'not cited')
        : [
            number('cited', cited, '', ''),
            number('followed', followed, 'followed', 'up'),
            number('violated', violated, 'violated', 'down'),
            number('over-applied', overApplied, 'over-applied', 'over'),
          ],
      cited > 0 &&
        svg(
          'svg',
          { viewBox: '0 0 100 5', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
          svg('rect', { class: 'up', width: (100 * followed) / most, height: 5 }),
          svg('rect', { class: 'down', x: (100 * followed) / most, width: (100 * violated) / most, height: 5 }),
          svg('rect', {
            class: 'none',
            x: (100 * (followed + violated)) / most,
            width: (100 * (cited - followed - violated)) / most,
            height: 5,
          }),
        ),
    ),
    (one.rationale !== null || one.examples.length > 0 || one.exclusions.length > 0) &&
      h(
        'details',
        {},
        h('summary', { 'data-key': `why-${one.code}` }, 'Why, examples'),
        one.rationale !== null && h('p', {}, one.rationale),
        h(
          'ul',
          {},
          one.examples.map((/** @type {string} */ text) => h('li', {}, text)),
          one.exclusions.map((/** @type {string} */ text) => h('li', { class: 'exclusion' }, text)),
        ),
      ),
  );
}
