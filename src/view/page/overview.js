/** Where the run stands. */
import { address, get } from './api.js';
import { charts } from './charts.js';
import { count, h, plural, rate, redraw, svg, word } from './dom.js';

/** @param {HTMLElement} main @returns {import('./app.js').View} */
export function overviewView(main) {
  return {
    async update() {
      if (main.childElementCount === 0) main.append(h('p', { class: 'wait' }, 'Reading the run …'));
      draw(main, await get('overview'));
    },
  };
}

/** @param {HTMLElement} main @param {any} run */
function draw(main, run) {
  const arms = armOrder(run);
  const records = run.sources.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.count, 0);
  const page = h(
    'div',
    {},
    h('h1', {}, run.name),
    h(
      'p',
      { class: 'lead' },
      [run.model, run.seed !== null && `seed ${run.seed}`, plural(records, 'record')].filter(Boolean).join(' · '),
      run.writer ? ' · a process is writing it now' : '',
    ),
    problems(run),
    h('section', {}, h('h2', {}, 'Stages'), stages(run.stages)),
    run.scorecard && h('section', {}, h('h2', {}, 'Scores'), scores(run.scorecard, arms)),
    h(
      'div',
      { class: 'two' },
      run.funnel.length > 0 && h('section', {}, h('h2', {}, 'From prompts to training data'), funnel(run.funnel)),
      h('section', {}, h('h2', {}, 'Judge and people'), calibration(run)),
    ),
    run.charts.length > 0 &&
      h(
        'section',
        {},
        h('h2', {}, 'Learning'),
        h(
          'p',
          { class: 'key' },
          arms.filter((arm) => trainedArms(run).includes(arm)).map((arm) => h('span', {}, dot(arms, arm), arm)),
        ),
        charts(run.charts, arms),
      ),
  );
  redraw(main, page);
}

/** @param {any} run @returns {string[]} */
const armOrder = (run) => [
  ...new Set([...(run.scorecard?.arms ?? ['base', 'base+spec', 'answer-only', 'sft', 'sft+rl']), ...trainedArms(run)]),
];

/** @param {any} run @returns {string[]} */
const trainedArms = (run) => run.charts.flatMap((/** @type {import('./charts.js').Chart} */ one) => one.curves.map(({ arm }) => arm));

/** @param {string[]} arms @param {string} arm */
const dot = (arms, arm) => h('span', { class: `dot arm-${Math.max(0, arms.indexOf(arm)) % 8}` });

/** @param {any} run */
const problems = (run) => [
  ...run.unreadable.map((/** @type {any} */ { file, lines }) =>
    h('p', { class: 'problem' }, `${file}: ${plural(lines, 'line is', 'lines are')} no JSON that can be read; left out here.`),
  ),
  ...(run.alarms.length === 0
    ? []
    : [
        h(
          'p',
          { class: 'problem' },
          run.alarms.slice(-3).map((/** @type {any} */ one) => `${one.arm}, step ${one.step}: ${one.text}. `),
        ),
      ]),
];

/** @param {any[]} list */
const stages = (list) =>
  h(
    'ol',
    { class: 'stages' },
    list.map(({ name, text, done, total, state }) => {
      const share = state === 'done' ? 1 : total ? Math.min(1, done / total) : 0;
      return h(
        'li',
        { class: state.replaceAll(' ', '-') },
        h('span', { class: 'name' }, name),
        h('span', { class: 'state' }, state === 'under way' && total ? `${Math.floor(100 * share)} %` : state),
        svg(
          'svg',
          { viewBox: '0 0 100 4', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
          svg('rect', { class: 'track', width: 100, height: 4 }),
          svg('rect', { width: 100 * share, height: 4 }),
        ),
        h(
          'small',
          {},
          name === 'report' || state === 'left out'
            ? text
            : total === null || total === done
              ? `${count(done)} ${text}`
              : `${count(done)} of ${count(total)} ${text}`,
        ),
      );
    }),
  );

/** @param {any} card @param {string[]} arms */
function scores(card, arms) {
  const groups = [...new Set(card.suites.map((/** @type {any} */ suite) => suite.group))];
  return h(
    'div',
    {},
    h(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Scores' },
      h(
        'table',
        { class: 'scores' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            h('th', { scope: 'col' }, 'Suite'),
            card.arms.map((/** @type {string} */ arm) => h('th', { scope: 'col' }, dot(arms, arm), arm)),
          ),
        ),
        groups.map((group) =>
          h(
            'tbody',
            {},
            h('tr', { class: 'group' }, h('th', { scope: 'rowgroup', colspan: card.arms.length + 1 }, String(group))),
            card.suites
              .filter((/** @type {any} */ suite) => suite.group === group)
              .map((/** @type {any} */ suite) =>
                h(
                  'tr',
                  {},
                  h('th', { scope: 'row' }, suite.title, h('small', {}, suite.metric)),
                  card.arms.map((/** @type {string} */ arm) => cell(card, arm, suite.name)),
                ),
              ),
          ),
        ),
      ),
    ),
    h(
      'p',
      { class: 'note' },
      `Rates from 0 to 1, more is better, with 95 % intervals. ${card.markRule === null ? '' : `↑ ↓: ${card.markRule}. `}A number leads to its records.`,
    ),
  );
}

/** @param {any} card @param {string} arm @param {string} suite */
function cell(card, arm, suite) {
  const result = card.results.find((/** @type {any} */ r) => r.arm === arm && r.suite === suite);
  if (result === undefined) return h('td', { class: 'none' }, '–');
  const mark = card.marks.find((/** @type {any} */ m) => m.arm === arm && m.suite === suite)?.verdict ?? 0;
  const wide = result.high - result.low > 0.4;
  return h(
    'td',
    {},
    h('a', { class: `rate${wide ? ' weak' : ''}`, href: address('/records', { source: 'eval', arm, suite }) }, rate(result.estimate)),
    mark !== 0 && h('b', { class: mark > 0 ? 'up' : 'down' }, mark > 0 ? '↑' : '↓'),
    h('small', {}, result.estimate === null ? '' : ` ${rate(result.low)}–${rate(result.high)}`),
    result.unscored > 0 && h('small', { class: 'bad' }, ` ${result.unscored} unscored`),
  );
}

/** Where the steps of the funnel lead to. @type {[RegExp, Record<string, string>][]} */
const funnelLinks = [
  [/^Completions$/, { source: 'generate' }],
  [/^Kept/, { kept: 'yes' }],
];

/** @param {any[]} steps */
function funnel(steps) {
  const most = Math.max(1, ...steps.map((step) => step.count));
  return h(
    'ol',
    { class: 'funnel' },
    steps.map(({ title, count: n, note }) => {
      const link = funnelLinks.find(([pattern]) => pattern.test(title))?.[1];
      return h(
        'li',
        {},
        h('span', {}, link === undefined ? title : h('a', { href: address('/records', link) }, title)),
        h('span', { class: 'number' }, count(n)),
        svg(
          'svg',
          { viewBox: '0 0 400 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
          svg('rect', { width: (400 * n) / most, height: 8, rx: 2 }),
        ),
        note !== '' && h('small', {}, note),
      );
    }),
  );
}

/** @param {any} run */
function calibration(run) {
  if (run.calibration.length === 0)
    return h(
      'p',
      { class: 'note' },
      'Nobody has judged a verdict yet. Open a record and say whether its answer is good: that is kept in overrides.jsonl, and compared with the scores here. ',
      h('a', { href: address('/records', { source: 'generate', sort: 'score', score: '.5–.75' }) }, 'Begin with scores around the middle'),
      '.',
    );
  return h(
    'table',
    { class: 'plain' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ['Score from', 'people looked at', 'agree', 'too kind', 'too strict', 'unscored'].map((name) => h('th', { scope: 'col' }, name)),
      ),
    ),
    h(
      'tbody',
      {},
      run.calibration.map((/** @type {any} */ c) => {
        const scored = c.verdicts - c.unscored;
        return h(
          'tr',
          {},
          h('th', { scope: 'row' }, c.source === 'eval' ? 'rules of the evaluation' : `judge in ${word(c.source)}`),
          h('td', {}, h('a', { href: address('/records', { source: c.source, human: 'any' }) }, count(c.verdicts))),
          h('td', {}, scored === 0 ? '–' : `${c.bothGood + c.bothBad} of ${scored}`),
          h('td', {}, count(c.tooKind)),
          h('td', {}, count(c.tooStrict)),
          h('td', {}, count(c.unscored)),
        );
      }),
    ),
  );
}
