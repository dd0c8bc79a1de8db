/** CoTs with their cited clauses marked, and the answers. */
import { readCitations } from '../align/spec/lines.js';
import type { EvalRow } from '../evals/records.js';
import { html, type Html } from './html.js';

/** A piece of a CoT: plain, or a citation that matches the specification exactly, in its code only, or not at all. */
export interface Piece {
  text: string;
  citation?: 'exact' | 'inexact' | 'unknown';
  /** What the specification says at that code. */
  line?: string;
}

const citationWords = { exact: 'quotes the specification word for word', inexact: 'code exists, words differ', unknown: 'no such clause' };

/** Cuts a CoT into plain text and citations. Joined, the pieces are the CoT. */
export function markCitations(cot: string, clauseLines: Record<string, string>): Piece[] {
  return cot.split(/(?<=\n)/).flatMap((line): Piece[] => {
    const match = /^(.*?)(\[[A-Z][A-Za-z0-9-]{0,11}\])/s.exec(line);
    const citation = readCitations(line)[0];
    if (match === null || citation === undefined) return [{ text: line }];
    const lead = /^.*?\b(?:Policy on|Style for)\s+/.exec(match[1]!)?.[0] ?? '';
    const end = match[0].length;
    const cited = line.slice(lead.length, end);
    const known = Object.hasOwn(clauseLines, citation.code) ? clauseLines[citation.code] : undefined;
    const plain = (text: string) => text.replace(/\s+/g, ' ').trim();
    const kind = known === undefined ? 'unknown' : plain(known) === plain(cited) ? 'exact' : 'inexact';
    const pieces: Piece[] = [
      { text: lead },
      { text: cited, citation: kind, ...(known !== undefined && { line: known }) },
      { text: line.slice(end) },
    ];
    return pieces.filter((piece) => piece.text !== '');
  });
}

/**
 * Which rows to show: of the last arm of `arms` that has any, failures first, suites in turn, no prompt twice.
 * At most half are failures where there are enough successes.
 */
export function chooseExamples(rows: readonly EvalRow[], arm: string, count = 12): EvalRow[] {
  const own = rows.filter((row) => row.arm === arm && row.score !== null);
  const failures = inTurn(own.filter((row) => row.score! < 0.5));
  const successes = inTurn(own.filter((row) => row.score! >= 0.5));
  const seen = new Set<string>();
  const unseen = (row: EvalRow) => !seen.has(row.promptId) && seen.add(row.promptId) !== undefined;
  const bad = failures.filter(unseen);
  const good = successes.filter(unseen);
  const goodCount = Math.min(good.length, Math.max(Math.floor(count / 2), count - bad.length));
  return [...bad.slice(0, count - goodCount), ...good.slice(0, goodCount)];
}

/** Suites in turn, each in its own order. */
function inTurn(rows: readonly EvalRow[]): EvalRow[] {
  const turn = new Map<string, number>();
  return rows
    .map((row, index) => {
      const at = turn.get(row.suite) ?? 0;
      turn.set(row.suite, at + 1);
      return { row, at, index };
    })
    .sort((a, b) => a.at - b.at || a.index - b.index)
    .map(({ row }) => row);
}

const kindWords = { comply: 'answered', 'safe-complete': 'safe completion', refuse: 'refused', gibberish: 'gibberish' };

export function exampleCards(rows: readonly EvalRow[], clauseLines: Record<string, string>, titles: ReadonlyMap<string, string>): Html {
  return html`<div class="examples">${rows.map((row) => {
    const failed = row.score !== null && row.score < 0.5;
    return html`<article class="example ${failed ? 'failed' : 'passed'}">
      <header><b>${failed ? '✗' : '✓'} ${titles.get(row.suite) ?? row.suite}</b>
        <span class="tags">${[row.arm, row.category, row.technique === 'none' ? '' : row.technique, kindWords[row.kind]].filter(Boolean).map((tag) => html`<span>${tag}</span>`)}</span></header>
      ${failed && row.faults.length > 0 && html`<p class="faults">${row.faults.join('; ')}</p>`}
      <dl>
        <dt>User</dt><dd class="text">${row.prompt}</dd>
        <dt>CoT</dt><dd class="text cot">${row.cot === null ? html`<i>none</i>` : markCitations(row.cot.trim(), clauseLines).map(piece)}</dd>
        <dt>Answer</dt><dd class="text">${row.answer === '' ? html`<i>none</i>` : row.answer}</dd>
      </dl>
    </article>`;
  })}</div>`;
}

const piece = ({ text, citation, line }: Piece): Html =>
  citation === undefined
    ? html`${text}`
    : html`<mark class="${citation}" title="${citationWords[citation]}${line === undefined || citation === 'exact' ? '' : `: ${line}`}">${text}</mark>`;
