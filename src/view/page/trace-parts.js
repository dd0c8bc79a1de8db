/** The parts of a trace: what was asked, thought, cited and answered; what was made of it. */
import { address } from './api.js';
import { h, rate, score, word } from './dom.js';

/** Conversation, CoT, answer; the rail at the left says what the judge saw. @param {any} record */
export function reading(record) {
  const request = record.rollout?.judgeRequest ?? null;
  const rl = record.source === 'rl';
  const seen = rl ? request !== null : record.source === 'generate' && record.runs.length > 0;
  /** @type {any[]} */
  const messages = request?.messages ?? record.messages;
  const top = rl
    ? request === null
      ? `The judge was not asked: ${record.rollout?.outcome ?? 'no answer to judge'}.`
      : 'The judge in RL saw only this'
    : record.source === 'generate'
      ? record.runs.length > 0
        ? 'The judge of stage 1 saw all three: conversation, CoT, answer'
        : 'The judge was not asked'
      : 'Graded by rules; no judge';
  return h(
    'div',
    { class: `reading ${rl ? 'rl' : record.source}` },
    h(
      'p',
      { class: `rail-title ${seen ? 'seen' : ''}` },
      top,
      rl && request !== null && h('span', {}, ' – the two parts with a solid edge, and the policy of the category'),
    ),
    h(
      'section',
      { class: `part ${seen ? 'seen' : ''}` },
      messages.map((message) => [h('h2', {}, message.role), h('div', { class: 'text' }, message.content)]),
    ),
    h(
      'section',
      { class: `part cot ${rl ? 'unseen' : seen ? 'seen' : ''}` },
      h('h2', {}, 'chain of thought', rl && h('span', { class: 'hidden-note' }, 'never shown to the judge in RL')),
      record.cot === null ? h('div', { class: 'text none' }, 'none') : h('div', { class: 'text' }, record.pieces.map(piece)),
    ),
    h(
      'section',
      { class: `part ${seen ? 'seen' : ''}` },
      h('h2', {}, 'answer'),
      h('div', { class: `text${record.answer === '' ? ' none' : ''}` }, (request?.answer ?? record.answer) || 'none'),
    ),
    request !== null &&
      h('details', {}, h('summary', {}, 'The judge’s request, as recorded'), h('pre', {}, JSON.stringify(request, null, 2))),
  );
}

/** @param {{text: string, citation?: string, code?: string}} one */
function piece({ text, citation, code }) {
  if (citation === undefined || code === undefined) return text;
  const show = (/** @type {boolean} */ on) => {
    const card = document.getElementById(`clause-${code}`);
    const beside = card?.closest('aside');
    card?.classList.toggle('lit', on);
    // Beside the text the card comes into view; below it, on a narrow screen, only a click goes there.
    if (on && beside && card && getComputedStyle(beside).position === 'sticky')
      beside.scrollTop += card.getBoundingClientRect().top - beside.getBoundingClientRect().top - 60;
  };
  return h(
    'mark',
    {
      class: citation,
      tabindex: 0,
      role: 'button',
      'aria-describedby': `clause-${code}`,
      'data-key': `mark-${code}`,
      onmouseenter: () => show(true),
      onmouseleave: () => show(false),
      onfocus: () => show(true),
      onblur: () => show(false),
      onclick: () => document.getElementById(`clause-${code}`)?.scrollIntoView({ block: 'nearest', behavior: 'smooth' }),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === 'Enter') /** @type {HTMLElement} */ (event.target).click();
      },
    },
    text,
  );
}

const citationWords = { exact: 'quoted word for word', inexact: 'the words differ', unknown: 'no such clause' };

/** Every clause cited, as the policy has it. @param {any} record */
export function cited(record) {
  const pieces = record.pieces.filter((/** @type {any} */ one) => one.code !== undefined);
  /** @type {string[]} */
  const codes = [...new Set(pieces.map((/** @type {any} */ one) => one.code))];
  return h(
    'section',
    { class: 'panel' },
    h('h2', {}, 'Cited clauses'),
    codes.length === 0 && h('p', { class: 'note' }, 'None.'),
    codes.map((code) => {
      const clause = record.clauses[code];
      const how = /** @type {keyof typeof citationWords} */ (pieces.find((/** @type {any} */ one) => one.code === code).citation);
      return h(
        'article',
        { class: `clause ${how}`, id: `clause-${code}` },
        h('header', {}, h('b', {}, code), h('small', {}, citationWords[how])),
        clause === undefined
          ? h('p', {}, 'The policy has no clause of this code.')
          : [
              h(
                'p',
                {},
                h(
                  'span',
                  { class: `ruling ${clause.ruling}` },
                  clause.sort === 'style'
                    ? `style for ${word(clause.ruling)}`
                    : { comply: 'allowed', refuse: 'disallowed', 'safe-complete': 'safe completion' }[
                        /** @type {'comply'} */ (clause.ruling)
                      ],
                ),
                ' ',
                clause.sort === 'clause' && h('b', {}, clause.subject),
              ),
              h('p', {}, clause.text),
              clause.rationale !== null && h('p', { class: 'note' }, clause.rationale),
              h('a', { href: `/spec?code=${encodeURIComponent(code)}` }, 'In the policy'),
              ' · ',
              h('a', { href: address('/records', { clause: code }) }, 'All that cite it'),
            ],
      );
    }),
  );
}

/** @param {any} record */
export function runs(record) {
  if (record.rollout !== null) return [reward(record.rollout), judgeRuns(record.runs)];
  if (record.source === 'eval')
    return (
      record.faults.length > 0 &&
      h(
        'section',
        { class: 'panel' },
        h('h2', {}, 'Faults found'),
        h(
          'ul',
          {},
          record.faults.map((/** @type {string} */ fault) => h('li', {}, fault)),
        ),
      )
    );
  return judgeRuns(record.runs);
}

/** @param {any} rollout */
function reward(rollout) {
  return h(
    'section',
    { class: 'panel' },
    h('h2', {}, 'Reward'),
    h(
      'p',
      {},
      `${word(rollout.outcome)}; reward ${rate(rollout.reward)}, advantage ${rollout.advantage === null ? 'none: not trained on' : rollout.advantage.toFixed(3)}; ${rollout.tokens} tokens`,
    ),
  );
}

/** Each run with its rationale. @param {any[]} said @returns {HTMLElement | false} */
function judgeRuns(said) {
  if (said.length === 0) return false;
  return h(
    'section',
    { class: 'judge' },
    h('h2', {}, `Judge, ${said.length} ${said.length === 1 ? 'run' : 'runs'}`),
    h('p', { class: 'note' }, 'The lowest counts; one unscored run leaves it unscored.'),
    h(
      'div',
      { class: 'runs' },
      said.map((run, i) =>
        h(
          'article',
          { class: 'run' },
          h('header', {}, h('b', {}, `Run ${i + 1}`), score({ score: run.score, state: 'unscored' })),
          run.unscored && h('p', { class: 'bad' }, run.unscored),
          run.rationale !== '' && h('p', { class: 'text' }, run.rationale),
        ),
      ),
    ),
  );
}

/** @param {any} record */
export function checks(record) {
  if (record.checks === null) return false;
  return h(
    'section',
    { class: 'panel' },
    h('h2', {}, 'Mechanical checks'),
    h(
      'ul',
      { class: 'checks' },
      Object.entries(record.checks).map(([name, value]) => {
        const good = name === 'leaksSpec' ? !value : value;
        return h(
          'li',
          { class: value === null ? 'none' : good ? 'good' : 'bad' },
          h('span', { 'aria-hidden': 'true' }, value === null ? '·' : good ? '✓' : '✗'),
          name === 'leaksSpec' ? (value ? word(name) : 'does not speak of the policy text') : word(name),
          h('span', { class: 'sr' }, value === null ? ': nothing to check' : good ? ': holds' : ': fails'),
        );
      }),
    ),
    record.source === 'rl' && h('p', { class: 'note' }, 'Made here to be read. They are no part of the reward.'),
  );
}

/** @param {any} record */
export function related(record) {
  const others = record.related.filter((/** @type {any} */ one) => one.key !== record.key);
  if (others.length === 0) return false;
  return h(
    'section',
    { class: 'panel' },
    h('h2', {}, 'The same prompt elsewhere'),
    h(
      'ul',
      { class: 'related' },
      others.map((/** @type {any} */ one) =>
        h(
          'li',
          {},
          h(
            'a',
            { href: address('/trace', { key: one.key }) },
            one.source === 'eval'
              ? `${one.arm}, ${one.suite}`
              : one.source === 'rl'
                ? `RL step ${one.step}, ${one.sample + 1}`
                : `stage 1, ${one.sample + 1}`,
          ),
          h('small', {}, word(one.kind)),
          score(one),
        ),
      ),
    ),
    h('a', { href: address('/records', { promptId: record.promptId }) }, 'As a list'),
  );
}
