/** The table of suites × arms, each cell a rate with its interval as a number and as a bar. */
import type { EvalResult } from '../evals/records.js';
import { mark, markRule, rate, type Scorecard } from '../evals/scorecard.js';
import { html, px, type Html } from './html.js';

export function scoreTable(card: Scorecard): Html {
  const groups = [...new Set(card.suites.map((suite) => suite.group))];
  const rule = markRule(card);
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="Scores">
      <table class="scores">
        <thead>
          <tr>
            <th scope="col">Suite</th>
            ${card.arms.map((arm, i) => html`<th scope="col"><span class="dot arm-${i}"></span>${arm}</th>`)}
          </tr>
        </thead>
        ${groups.map(
          (group) => html`<tbody>
            <tr class="group"><th scope="rowgroup" colspan="${card.arms.length + 1}">${group}</th></tr>
            ${card.suites.filter((suite) => suite.group === group).map((suite) => suiteRow(card, suite))}
          </tbody>`,
        )}
      </table>
    </div>
    <p class="note">
      Rates from 0 to 1, more is better; 95 % intervals by resampling requests. Pale numbers are weak: their interval is wider than .4.
      ${rule !== null && html`<b class="up">↑</b> <b class="down">↓</b>: ${rule}.`}
    </p>`;
}

function suiteRow(card: Scorecard, suite: Scorecard['suites'][number]): Html {
  const results = card.arms.map((arm) => card.results.find((r) => r.arm === arm && r.suite === suite.name));
  const requests = Math.max(0, ...results.map((result) => result?.requests ?? 0));
  return html`<tr>
    <th scope="row">${suite.title}<small>${suite.metric} · ${requests} request${requests === 1 ? '' : 's'}</small></th>
    ${results.map((result, i) => html`<td>${result === undefined ? html`<span class="none">not run</span>` : cell(card, result, i)}</td>`)}
  </tr>`;
}

function cell(card: Scorecard, result: EvalResult, arm: number): Html {
  const unscored = result.unscored > 0 && html`<small class="warn">${result.unscored} of ${result.rows} unscored</small>`;
  const { estimate, low, high } = result;
  if (estimate === null || low === null || high === null) return html`<span class="none">–</span>${unscored}`;
  const change = mark(card, result.arm, result.suite);
  const gibberish = result.kinds.gibberish >= 0.05 && html`<small class="warn">${rate(result.kinds.gibberish)} gibberish</small>`;
  return html`<span class="rate${high - low > 0.4 ? ' weak' : ''}">${rate(estimate)}</span>${
    change !== '' && html`<b class="${change === '↑' ? 'up' : 'down'}" title="differs from ${card.differences[0]?.against}">${change}</b>`
  } <small class="interval">${rate(low)}–${rate(high)}</small>${intervalBar(estimate, low, high, arm)}${unscored}${gibberish}`;
}

/** A whisker from low to high with a dot at the estimate, on a line from 0 to 1. */
function intervalBar(estimate: number, low: number, high: number, arm: number): Html {
  const x = (value: number) => px(3 + 94 * value);
  return html`<svg class="bar arm-${arm}" viewBox="0 0 100 8" aria-hidden="true"><line class="axis" x1="3" x2="97" y1="4" y2="4" /><line class="whisker" x1="${x(low)}" x2="${x(high)}" y1="4" y2="4" /><circle cx="${x(estimate)}" cy="4" r="3" /></svg>`;
}
