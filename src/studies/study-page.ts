/** study.html: every study on one self-contained page, in the report's style. No script, no network. */
import { stringify } from 'yaml';
import { niceTicks } from '../report/charts.js';
import { type Html, html, px } from '../report/html.js';
import { standalonePage } from '../report/page.js';
import { style } from '../report/style.js';
import { rate } from '../evals/scorecard.js';
import { cellText, verdictWord, type StudyCard, type StudyResult } from './results.js';
import type { Cell, Chart, Table } from './study.js';

const more = `
td.met{color:var(--up);font-weight:600}td.missed{color:var(--down);font-weight:600}td.open{color:var(--soft)}
.studies nav{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:.92rem;margin:0 0 1.4em}.studies nav a{color:inherit}
.studies .scores td{white-space:normal;min-width:88px}.studies h3{font-size:1rem;margin:1.8em 0 .5em;font-weight:600}
.studies figure{max-width:640px;margin:1em 0}.studies li{margin:.2em 0}
`;
/** The whole page. Pure: the same card gives the same bytes. */
export function buildStudyPage(card: StudyCard): string {
  const met = card.targets.filter((target) => target.met === true).length;
  const judged = card.targets.filter((target) => target.met !== null).length;
  const main = html`<p class="eyebrow">Deliberative alignment · study${card.quick && ' · quick: sizes too small to show much'}</p>
<h1>${card.name}</h1>
<p class="lead">${judged === 0 ? 'No target has been measured yet.' : `${met} of ${judged} targets that could be measured are met by ${card.arm}.`}</p>
<nav>${card.studies.map(({ name, title }) => html`<a href="#${name}">${title}</a>`)}</nav>
<section><h2>Targets</h2>${targetsTable(card)}</section>
${card.studies.map(studySection)}
<section><h2>Beside what others have published</h2>${tableHtml(card.published.table)}
<ul class="note">${card.published.others.map((line) => html`<li>${line}</li>`)}</ul></section>
<section><h2>How it was made</h2>
<p class="note">Version ${card.codeVersion}${card.made && madeText(card.made)}, Node ${card.node}, ${card.platform}; seeds ${card.seeds.join(', ')}. Seconds of work: ${card.studies.map(({ name, seconds }) => `${name} ${seconds}`).join(', ')}.</p>
<details><summary>Digests</summary><dl class="digests">${Object.entries(card.digests).map(([name, digest]) => html`<dt>${name}</dt><dd>${digest}</dd>`)}</dl></details>
<details><summary>Settings</summary><pre>${stringify(card.config)}</pre></details>
</section>
`;
  return standalonePage({ title: `${card.name} – deliberate study`, sheet: style + more, className: 'studies', main });
}

const madeText = ({ commit, cpu, packages }: NonNullable<StudyCard['made']>): string =>
  [
    ...(commit === null ? [] : [` (commit ${commit.slice(0, 12)}${commit.endsWith('-dirty') ? ' with changes' : ''})`]),
    `, ${cpu.model} × ${cpu.cores}`,
    ...Object.entries(packages).map(([name, version]) => `, ${name} ${version}`),
  ].join('');

const targetsTable = ({
  targets,
}: StudyCard): Html => html`<div class="scroll" tabindex="0" role="region" aria-label="Targets"><table class="scores">
<thead><tr><th scope="col">Target</th><th scope="col">Against</th><th scope="col">Wanted</th><th scope="col">Measured</th><th scope="col"></th></tr></thead>
<tbody>${targets.map(
  (target) =>
    html`<tr><th scope="row">${target.name}${target.how !== undefined && html`<small>${target.how}</small>`}</th><td>${target.against}</td><td>${target.wanted}</td><td>${cellText(target.measured) || '–'}</td><td class="${target.met === null ? 'open' : target.met ? 'met' : 'missed'}">${verdictWord(target)}</td></tr>`,
)}</tbody></table></div>`;

const studySection = ({ name, title, source, findings }: StudyResult): Html => html`<section id="${name}"><h2>${title}</h2>
<p class="note">After: ${source}.</p>
${findings.tables.map(tableHtml)}
${findings.charts.map(lineChart)}
${findings.notes.length > 0 && html`<ul class="note">${findings.notes.map((note) => html`<li>${note}</li>`)}</ul>`}
</section>`;

const tableHtml = (table: Table): Html => html`<h3>${table.title}</h3>
<div class="scroll" tabindex="0" role="region" aria-label="${table.title}"><table class="scores">
<thead><tr><th scope="col"></th>${table.columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>${table.rows.map((row) => html`<tr><th scope="row">${row.label}</th>${row.cells.map((cell) => html`<td>${cellHtml(cell)}</td>`)}</tr>`)}</tbody>
</table></div>
${table.note !== undefined && html`<p class="note">${table.note}</p>`}`;

function cellHtml(cell: Cell | null): Html {
  if (cell === null) return html`<span class="none">not run</span>`;
  const { estimate, low, high, n, unscored, p, text } = cell;
  const small = n !== undefined && n > 0 && html` <small>n = ${n}</small>`;
  const warn = unscored !== undefined && unscored > 0 && html`<small class="warn">${unscored} unscored</small>`;
  if (text !== undefined) return html`${text}${warn}`;
  if (estimate === null) return html`<span class="none">–</span>${warn}`;
  const weak = low !== undefined && high !== undefined && high - low > 0.4;
  return html`<span class="rate${weak ? ' weak' : ''}">${rate(estimate)}</span>${
    low !== undefined && high !== undefined && html` <small class="interval">${rate(low)} to ${rate(high)}</small>`
  }${p !== undefined && html` <small>p ${p < 0.001 ? '< .001' : `= ${rate(p)}`}</small>`}${small}${warn}`;
}

/** Points joined in their order, with their intervals; one colour a series, named at its last point. */
export function lineChart(chart: Chart): Html {
  const points = chart.series.flatMap((series) => series.points);
  if (points.length === 0) return html`<p class="none">${chart.title}: nothing was measured.</p>`;
  const [left, right, top, bottom] = [52, 430, 14, 250];
  const xs = niceTicks(Math.min(...points.map((p) => p.x)), Math.max(...points.map((p) => p.x)));
  const [first, last] = [xs[0]!, xs.at(-1)!];
  const ys = [0, 0.25, 0.5, 0.75, 1];
  const x = (value: number) => px(left + ((right - left) * (value - first)) / (last - first));
  const y = (value: number) => px(bottom - (bottom - top) * Math.min(1, Math.max(0, value)));
  return html`<figure><figcaption><b>${chart.title}</b></figcaption>
<p class="key">${chart.series.map(({ name }, i) => html`<span><span class="dot arm-${i % 8}"></span>${name}</span>`)}</p>
<svg class="chart" viewBox="0 0 450 300" role="img" aria-label="${chart.title}">
${ys.map((t) => html`<line class="grid" x1="${left}" x2="${right}" y1="${y(t)}" y2="${y(t)}" /><text class="tick" x="${left - 6}" y="${y(t)}" dy=".35em" text-anchor="end">${rate(t)}</text>`)}
${xs.map((t) => html`<text class="tick" x="${x(t)}" y="${bottom + 18}" text-anchor="middle">${t}</text>`)}
<text class="label" x="${px((left + right) / 2)}" y="${bottom + 40}" text-anchor="middle">${chart.x}</text>
<text class="label" transform="translate(12 ${px((top + bottom) / 2)}) rotate(-90)" text-anchor="middle">${chart.y}</text>
${chart.series.map(
  ({ name, points: own }, i) => html`<g class="arm-${i % 8}">
${own.length > 1 && html`<polyline class="curve" points="${own.map((p) => `${x(p.x)},${y(p.y)}`).join(' ')}" />`}
${own.map((p) => html`${p.low !== undefined && p.high !== undefined && html`<line stroke="currentColor" opacity=".45" x1="${x(p.x)}" x2="${x(p.x)}" y1="${y(p.low)}" y2="${y(p.high)}" />`}<circle cx="${x(p.x)}" cy="${y(p.y)}" r="4" fill="currentColor"><title>${`${name}${p.label === undefined ? '' : `, ${p.label}`}: ${rate(p.y)}`}</title></circle>`)}
</g>`,
)}
</svg></figure>`;
}
