/** Two arms on the same prompts: a paired test, then the answers beside each other, flipped ones first. */
import { address, get } from './api.js';
import { h, plural, rate, redraw, score, word } from './dom.js';

const pageSize = 25;
/** @type {[string, string][]} */
const shows = [
  ['flipped', 'flipped'],
  ['better', 'only those that got better'],
  ['worse', 'only those that got worse'],
  ['all', 'all, flipped first'],
];

/** @param {HTMLElement} main @param {import('./app.js').Go} go @returns {import('./app.js').View} */
export function compareView(main, go) {
  /** @type {import('./app.js').Params} */
  let params = {};
  let found = 0;
  /** @type {Record<string, HTMLSelectElement>} */
  const selects = {};
  /** @param {string} name @param {string} title */
  const select = (name, title) => {
    const element = h('select', {
      id: `compare-${name}`,
      onchange: () => go('/compare', { ...params, offset: undefined, [name]: element.value }, { replace: true }),
    });
    selects[name] = element;
    return h('label', {}, h('span', {}, title), element);
  };
  const body = h('div', {}, h('p', { class: 'wait' }, 'Reading the run …'));
  main.append(
    h('h1', { class: 'quiet' }, 'Side by side'),
    h('div', { class: 'choose' }, select('a', 'Before'), select('b', 'After'), select('suite', 'Suite'), select('show', 'Show')),
    body,
  );

  /** @param {1 | -1} by */
  const turn = (by) => {
    const offset = Number(params['offset'] ?? 0) + by * pageSize;
    if (offset >= 0 && (by < 0 || found === pageSize)) go('/compare', { ...params, offset: offset || undefined }, { replace: true });
  };

  return {
    async update(given) {
      params = given;
      const { arm: arms } = await get('facets', { source: 'eval' });
      /** @type {string[]} */
      const names = arms.map((/** @type {any} */ one) => one.value);
      if (names.length < 2)
        return redraw(
          body,
          h('p', { class: 'note' }, 'There are not yet two arms with graded answers. ', h('code', {}, 'deliberate eval'), ' makes them.'),
        );
      const last = ['sft+rl', 'sft', 'answer-only'].find((arm) => names.includes(arm)) ?? names.at(-1);
      const a = params['a'] ?? (names.includes('base') && last !== 'base' ? 'base' : names[0]);
      const b = params['b'] ?? last;
      const show = params['show'] ?? 'flipped';
      const offset = Number(params['offset'] ?? 0);
      const compared = await get('compare', { a, b, suite: params['suite'], show, offset, limit: pageSize });
      choices(selects['a'], names, a);
      choices(selects['b'], names, b);
      choices(selects['suite'], compared.suites, params['suite'], 'all suites');
      choices(selects['show'], shows, show);
      found = compared.rows.length;
      redraw(
        body,
        summary(compared, a ?? '', b ?? '', params['suite']),
        found === 0
          ? h('p', { class: 'note' }, 'No pair of this sort.')
          : h(
              'div',
              { class: 'pairs' },
              compared.rows.map((/** @type {any} */ row) => pair(row, a ?? '', b ?? '')),
            ),
        h(
          'nav',
          { class: 'pager', 'aria-label': 'Pages of pairs' },
          h('button', { type: 'button', id: 'previous', disabled: offset === 0, onclick: () => turn(-1) }, '← Previous'),
          h('button', { type: 'button', id: 'next', disabled: found < pageSize, onclick: () => turn(1) }, 'Next →'),
        ),
      );
    },
    key(key) {
      const links = /** @type {HTMLElement[]} */ ([...body.querySelectorAll('.pair > header a')]);
      const at = links.findIndex((link) => link === document.activeElement);
      if (key === 'j' || key === 'k') {
        const next = links[Math.max(0, Math.min(links.length - 1, at + (key === 'j' ? 1 : -1)))];
        next?.focus({ preventScroll: true });
        next?.closest('.pair')?.scrollIntoView({ block: 'start', behavior: 'smooth' });
      } else if (key === 'n') turn(1);
      else if (key === 'p') turn(-1);
      else return false;
      return true;
    },
  };
}

/** @param {HTMLSelectElement | undefined} select @param {(string | [string, string])[]} values @param {string | undefined} now @param {string} [none] */
function choices(select, values, now, none) {
  if (select === undefined) return;
  select.replaceChildren(
    ...(none === undefined ? [] : [h('option', { value: '' }, none)]),
    ...values.map((one) => (typeof one === 'string' ? h('option', { value: one }, one) : h('option', { value: one[0] }, one[1]))),
  );
  select.value = now ?? '';
}

/** @param {any} compared @param {string} a @param {string} b @param {string | undefined} suite */
function summary(compared, a, b, suite) {
  const { pairs, better, worse, bothGood, bothBad, unscored, mcnemar, difference } = compared;
  if (pairs === 0) return h('p', { class: 'note' }, 'No prompt has a score in both arms.');
  // A gain only where both ways of looking agree: variants of one request make McNemar's test too sure.
  const sure = mcnemar < 0.05 && (difference.low > 0 || difference.high < 0);
  const net = better - worse;
  const p = mcnemar < 0.001 ? 'p < .001' : `p = ${mcnemar.toFixed(3).replace(/^0/, '')}`;
  return h(
    'section',
    { class: 'verdict' },
    h(
      'p',
      { class: 'lead' },
      `Of ${plural(pairs, 'pair')}, ${better} got better and ${worse} got worse from ${a} to ${b}`,
      sure ? (net > 0 ? ': a gain' : ': a loss') : ': no clear difference',
      ` (McNemar, exact: ${p}).`,
    ),
    h(
      'div',
      { class: 'cells' },
      tile('Got better', better, 'up'),
      tile('Got worse', worse, 'down'),
      tile('Good in both', bothGood, ''),
      tile('Bad in both', bothBad, ''),
    ),
    h(
      'p',
      { class: 'note' },
      `Mean change ${difference.estimate >= 0 ? '+' : '−'}${rate(Math.abs(difference.estimate))}, 95 % interval ${signed(difference.low)} to ${signed(difference.high)}, by resampling ${plural(difference.requests, 'request')}. `,
      difference.requests < pairs &&
        'Several pairs are variants of one request, which McNemar’s test does not know: where the two disagree, read the interval. ',
      'This p is of the one comparison shown, not corrected for others that you look at. ',
      suite === undefined && 'Suites measure different things; choose one for a clean test. ',
      unscored > 0 && `${plural(unscored, 'pair')} with an unscored side left out.`,
    ),
  );
}

/** @param {number} value */
const signed = (value) => `${value < 0 ? '−' : '+'}${rate(Math.abs(value))}`;
/** @param {string} title @param {number} value @param {string} sort */
const tile = (title, value, sort) => h('div', { class: `tile ${sort}` }, h('b', {}, value.toLocaleString('en')), h('span', {}, title));

/** @param {any} row @param {string} a @param {string} b */
function pair(row, a, b) {
  const change =
    row.a.score === null || row.b.score === null
      ? ''
      : row.a.score < 0.5 && row.b.score >= 0.5
        ? 'better'
        : row.a.score >= 0.5 && row.b.score < 0.5
          ? 'worse'
          : '';
  return h(
    'article',
    { class: `pair ${change}` },
    h(
      'header',
      {},
      h('a', { href: address('/trace', { key: row.b.key }), class: 'text' }, row.prompt),
      h(
        'small',
        {},
        [row.suite, row.category, row.technique !== 'none' && row.technique, row.ideal && `label: ${word(row.ideal)}`]
          .filter(Boolean)
          .join(' · '),
      ),
      change !== '' && h('span', { class: `tag ${change === 'better' ? 'up' : 'down'}` }, `got ${change}`),
    ),
    h('div', { class: 'sides' }, side(row.a, a), side(row.b, b)),
  );
}

/** @param {any} one @param {string} arm */
const side = (one, arm) =>
  h(
    'div',
    { class: 'side' },
    h('header', {}, h('a', { href: address('/trace', { key: one.key }) }, arm), h('small', {}, word(one.kind)), score(one)),
    one.cot !== null && h('div', { class: 'text cot' }, one.cot),
    h('div', { class: `text${one.answer === '' ? ' none' : ''}` }, one.answer || 'no answer'),
    one.faults.length > 0 && h('small', { class: 'bad' }, one.faults.join('; ')),
  );
