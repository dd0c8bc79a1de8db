/** One record: conversation, CoT with its clauses, answer, and who saw and said what. */
import { address, get, mayWrite, post } from './api.js';
import { h, human, redraw, score, word } from './dom.js';
import { filtersOf } from './filters.js';
import { pageSize } from './records.js';
import { checks, cited, reading, related, runs } from './trace-parts.js';

/** @typedef {import('./app.js').Params} Params */

/** @param {HTMLElement} main @param {import('./app.js').Go} go @returns {import('./app.js').View} */
export function traceView(main, go) {
  /** @type {Params} */
  let params = {};
  let shown = '';
  const list = () =>
    address('/records', { ...filtersOf(params), offset: Math.floor(Number(params['at'] ?? 0) / pageSize) * pageSize || undefined });

  /** @param {1 | -1} by */
  async function step(by) {
    if (params['at'] === undefined) return;
    const at = Number(params['at']) + by;
    if (at < 0) return;
    const { rows } = await get('records', { ...filtersOf(params), offset: at, limit: 1 });
    if (rows.length > 0) go('/trace', { key: rows[0].key, ...filtersOf(params), at }, { replace: true });
  }

  /** @param {any} record @param {0 | 1 | null} verdict */
  async function judge(record, verdict) {
    const note = /** @type {HTMLTextAreaElement | null} */ (main.querySelector('#note'))?.value ?? '';
    const said = /** @type {HTMLElement} */ (main.querySelector('#said'));
    try {
      await post('overrides', { record: record.key, verdict, note, answerDigest: record.answerDigest });
      await draw();
      /** @type {HTMLElement} */ (main.querySelector('#said')).textContent = verdict === null ? 'Taken back.' : 'Kept in overrides.jsonl.';
    } catch (error) {
      said.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  async function draw() {
    const record = await get('trace', { key: params['key'] });
    shown = params['key'] ?? '';
    redraw(
      main,
      page(record, {
        list: list(),
        walk: params['at'] !== undefined,
        step: (by) => void step(by),
        judge: (verdict) => void judge(record, verdict),
      }),
    );
    document.title = `${String(record.prompt ?? 'Trace').slice(0, 60)} – deliberate`;
  }

  return {
    async update(given, why) {
      params = given;
      // What is being read, and a note being written, stay as they are.
      if (why === 'live' && shown === params['key']) return;
      await draw();
      if (why === 'address') scrollTo(0, 0);
    },
    key(key) {
      if (key === 'j' || key === 'ArrowRight') void step(1);
      else if (key === 'k' || key === 'ArrowLeft') void step(-1);
      else if (key === 'u') {
        const url = new URL(list(), location.href);
        go(url.pathname, Object.fromEntries(url.searchParams));
      } else if (key === '+' || key === '-')
        /** @type {HTMLElement | null} */ (main.querySelector(key === '+' ? '#good' : '#bad'))?.click();
      else return false;
      return true;
    },
  };
}

/** @param {any} record @param {{list: string, walk: boolean, step: (by: 1 | -1) => void, judge: (verdict: 0 | 1 | null) => void}} does */
function page(record, does) {
  const from = {
    generate: `stage 1, sample ${record.sample + 1}`,
    rl: `RL, step ${record.step}, sample ${record.sample + 1}`,
    eval: `${record.arm}, ${record.suite}`,
  }[/** @type {'rl'} */ (record.source)];
  return h(
    'div',
    { class: 'trace' },
    h(
      'div',
      { class: 'walk' },
      h('a', { href: does.list, id: 'back' }, '↑ Records'),
      does.walk && h('button', { type: 'button', id: 'trace-previous', onclick: () => does.step(-1) }, '← Previous'),
      does.walk && h('button', { type: 'button', id: 'trace-next', onclick: () => does.step(1) }, 'Next →'),
    ),
    h(
      'header',
      {},
      h('h1', { class: 'quiet' }, from ?? ''),
      h(
        'p',
        { class: 'facts' },
        fact('Category', record.category),
        fact('Technique', record.technique === 'none' ? null : record.technique),
        fact('Label', word(record.ideal)),
        fact('Decision', word(record.decision)),
        fact('Answer is', word(record.kind), record.ideal !== null && record.kind !== null && record.ideal !== record.kind),
        h('span', {}, h('i', {}, record.source === 'rl' ? 'Reward' : 'Score'), score(record)),
        record.kept && h('span', { class: 'tag' }, 'kept for SFT'),
        human(record.human),
      ),
    ),
    h(
      'div',
      { class: 'columns' },
      h('div', { class: 'main' }, reading(record), runs(record)),
      h(
        'aside',
        { 'aria-label': 'Clauses, verdict and checks' },
        cited(record),
        verdict(record, does.judge),
        checks(record),
        related(record),
      ),
    ),
  );
}

/** @param {string} title @param {string | null} value @param {boolean} [bad] */
const fact = (title, value, bad = false) => value !== null && h('span', { class: bad ? 'bad' : '' }, h('i', {}, title), value);

/** What a person says of it. @param {any} record @param {(verdict: 0 | 1 | null) => void} judge */
function verdict(record, judge) {
  const now = record.human ?? null;
  const stale = record.override !== null && record.override.verdict !== null && now === null;
  return h(
    'section',
    { class: 'panel' },
    h('h2', {}, 'Your verdict'),
    mayWrite()
      ? [
          h('p', { class: 'note' }, 'By the policy, is this a good answer?'),
          h(
            'div',
            { class: 'buttons' },
            h('button', { type: 'button', id: 'good', 'aria-pressed': String(now === 1), onclick: () => judge(1) }, '✓ Good'),
            h('button', { type: 'button', id: 'bad', 'aria-pressed': String(now === 0), onclick: () => judge(0) }, '✗ Bad'),
            now !== null && h('button', { type: 'button', id: 'take-back', class: 'clear', onclick: () => judge(null) }, 'Take back'),
          ),
          h(
            'label',
            { class: 'note-field' },
            h('span', {}, 'Note'),
            h('textarea', { id: 'note', rows: 2, maxlength: 4000 }, now === null ? '' : (record.override?.note ?? '')),
          ),
        ]
      : h('p', { class: 'note' }, 'To give one, open the link with the token that ', h('code', {}, 'deliberate view'), ' printed.'),
    stale && h('p', { class: 'note' }, `A verdict of ${String(record.override.at).slice(0, 10)} was for another answer.`),
    h('p', { id: 'said', class: 'note', role: 'status' }),
  );
}
