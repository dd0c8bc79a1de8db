/** What others have published, beside the run: other models, other prompts, so a size of effect and not a bar to clear. */
import { otherThings, paperFigures, smallModels, type PublishedFigure } from '../evals/published.js';
import { rate, type Scorecard } from '../evals/scorecard.js';
import { html, type Html } from './html.js';

interface Ours {
  estimate: number;
  unscored: number;
}

/** Null where the run has asked nothing that stands beside it. */
export function publishedSection(card: Scorecard, arm: string): Html | null {
  const against = card.differences[0]?.against ?? 'base';
  const arms = arm === against ? [arm] : [against, arm];
  const rows = paperFigures.map((figure) => ({ figure, ours: arms.map((one) => oursOf(card, one, figure)) }));
  const shown = rows.filter(({ ours }) => ours.some((value) => value !== null));
  if (shown.length === 0) return null;
  return html`<section><h2>Beside what others have published</h2>
    <p class="note">The paper (GPT-4o → o1; policy retrieval: without → with the training) and the nearest suite of this run: ${otherThings}. It shows how large the effect was there, not what it should be here.</p>
    <div class="scroll" tabindex="0" role="region" aria-label="Beside what others have published"><table class="scores published">
    <thead><tr><th scope="col">As the paper names it</th><th scope="col">paper, before</th><th scope="col">paper, after</th>${arms.map((one) => html`<th scope="col">here, ${one}</th>`)}</tr></thead>
    <tbody>${shown.map(({ figure, ours }) => html`<tr><th scope="row">${figure.title}</th><td>${rate(figure.before)}</td><td>${rate(figure.after)}</td>${ours.map(cell)}</tr>`)}</tbody>
    </table></div>
    <p class="note">Small models, published, again ${otherThings}:</p>
    <ul class="note">${smallModels.map((line) => html`<li>${line}</li>`)}</ul></section>`;
}

function oursOf(card: Scorecard, arm: string, { suite, ideal }: PublishedFigure): Ours | null {
  const result = card.results.find((one) => one.arm === arm && one.suite === suite);
  if (result === undefined) return null;
  if (ideal === undefined) return result.estimate === null ? null : { estimate: result.estimate, unscored: result.unscored };
  const part = Object.hasOwn(result.by.ideal, ideal) ? result.by.ideal[ideal] : undefined;
  return part?.mean == null ? null : { estimate: part.mean, unscored: part.unscored ?? 0 };
}

const cell = (ours: Ours | null): Html =>
  html`<td>${ours === null ? '–' : html`<b>${rate(ours.estimate)}</b>${ours.unscored > 0 && html`<small class="warn">${ours.unscored} unscored</small>`}`}</td>`;
