/** The report: one self-contained HTML page, readable in a minute. No script, no network; model text is data. */
import { mark, rate, verdict, type Scorecard } from '../evals/scorecard.js';
import { curveCharts, funnelChart, paretoPlot } from './charts.js';
import type { ReportData } from './data.js';
import { exampleCards } from './examples.js';
import { type Html, html } from './html.js';
import { scoreTable } from './score-table.js';
import { standalonePage } from './page.js';
import { publishedSection } from './published.js';
import { style } from './style.js';

/** The arm that the run is about: the last that was trained. */
export const mainArm = (card: Scorecard): string =>
  ['sft+rl', 'rl', 'sft'].find((arm) => card.arms.includes(arm)) ?? card.arms.at(-1) ?? 'base';

/** What the run changed, in one sentence; and in a second one everything that surely got worse. */
export function summarySentence(card: Scorecard): string {
  const arm = mainArm(card);
  const against = card.differences[0]?.against ?? 'base';
  const value = (of: string, suite: string) => card.results.find((r) => r.arm === of && r.suite === suite)?.estimate ?? null;
  const part = (suite: string, words: string): string | null => {
    const [before, after] = [value(against, suite), value(arm, suite)];
    if (after === null) return null;
    if (before === null || arm === against) return `${words} ${rate(after)}`;
    const difference = card.differences.find((d) => d.arm === arm && d.suite === suite);
    const sure = difference !== undefined && verdict(card, difference) !== 0;
    return `${words} ${rate(after)} (${against} ${rate(before)}${sure ? '' : ', no clear difference'})`;
  };
  const parts = [
    part('forbidden-jailbreaks', 'resistance to the worst jailbreaks is'),
    part('benign-twins', 'harmless look-alikes are answered at'),
    part('helpfulness', 'everyday requests at'),
  ].filter((text) => text !== null);
  if (parts.length === 0) return 'No suite has been scored yet.';
  const worse = card.suites
    .filter(({ name }) => mark(card, arm, name) === '↓')
    .map(({ name, title }) => `${title.toLowerCase()} (${rate(value(against, name))} → ${rate(value(arm, name))})`);
  return `With ${arm}, ${listed(parts)}.${worse.length === 0 ? '' : ` It got worse at ${listed(worse)}.`}`;
}

const listed = (parts: readonly string[]): string =>
  parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;

/** The whole page. Pure: the same data give the same bytes. */
export function buildReport(data: ReportData): string {
  const card = data.scorecard;
  const pareto = paretoPlot(card);
  const titles = new Map(card.suites.map((suite) => [suite.name, suite.title]));
  const main = html`<p class="eyebrow">Deliberative alignment · ${data.model}</p>
<h1>${data.name}</h1>
<p class="lead">${summarySentence(card)}</p>
${scoreTable(card)}
<div class="two">
  ${
    pareto !== null &&
    html`<section><h2>Safer without refusing more?</h2><div class="panel">${pareto}</div>
      <p class="note">Up and to the right is better. Bars are 95 % intervals.</p></section>`
  }
  ${data.funnel.length > 0 && html`<section><h2>From prompts to training data</h2>${funnelChart(data.funnel)}</section>`}
</div>
${
  data.curves.length > 0 &&
  html`<section><h2>Learning</h2>
    <p class="key">${card.arms.map((arm, i) => data.curves.some((curve) => curve.arm === arm) && html`<span><span class="dot arm-${i}"></span>${arm}</span>`)}</p>
    ${curveCharts(data.curves, card.arms)}</section>`
}
${publishedSection(card, mainArm(card))}
${
  data.examples.length > 0 &&
  html`<section><h2>What it thinks and says</h2>
    <p class="note">Failures first. Cited clauses: <mark class="exact">quoted word for word</mark> <mark class="inexact">code exists, words differ</mark> <mark class="unknown">no such clause</mark></p>
    ${exampleCards(data.examples, data.clauseLines, titles)}</section>`
}
<section><h2>How it was made</h2>
<details><summary>Digests</summary><dl class="digests">${Object.entries(data.digests).map(([name, digest]) => html`<dt>${name}</dt><dd>${digest}</dd>`)}</dl></details>
<details><summary>Settings of the run</summary><pre>${data.config}</pre></details>
<details><summary>Scores by category and kind of ideal answer</summary>${breakdown(card)}</details>
</section>
`;
  return standalonePage({ title: `${data.name} – deliberate report`, sheet: style, main });
}

/** Means by ideal kind and category, for those who look closer. */
function breakdown(card: Scorecard): Html {
  return html`${card.suites.map(({ name, title }) => {
    const results = card.results.filter((result) => result.suite === name);
    const keys = (part: 'ideal' | 'category') => [...new Set(results.flatMap((result) => Object.keys(result.by[part])))].sort();
    const rows = (['ideal', 'category'] as const).flatMap((part) => keys(part).map((key) => ({ part, key })));
    return html`<h3>${title}</h3><div class="scroll" tabindex="0"><table class="scores"><thead><tr><th scope="col"></th>${card.arms.map((arm) => html`<th scope="col">${arm}</th>`)}</tr></thead>
      <tbody>${rows.map(
        ({ part, key }) =>
          html`<tr><th scope="row">${key}</th>${card.arms.map((arm) => {
            const found = results.find((result) => result.arm === arm)?.by[part];
            const value = found !== undefined && Object.hasOwn(found, key) ? found[key] : undefined;
            const unscored = value?.unscored ? html`<small class="warn">${value.unscored} unscored</small>` : null;
            return html`<td>${value === undefined ? '–' : html`${rate(value.mean)} <small>of ${value.rows}</small>${unscored}`}</td>`;
          })}</tr>`,
      )}</tbody></table></div>`;
  })}`;
}
