/** The numbers that others have published, in a table beside a study's. */
import { otherThings, paperFigures, type PublishedFigure } from '../evals/published.js';
import type { Findings, Table } from './study.js';

/** Policy retrieval: untrained against trained, not GPT-4o against o1. */
export function besidePublished(headline: Findings | undefined, arm: string): Table {
  const ours = ({ suite, ideal }: PublishedFigure, who: string) => {
    const figure = (measure: string) => headline?.figures[`${measure} ${who}`];
    const cell = suite === 'benign-twins' ? complement(figure('over-refusal')) : figure(ideal === undefined ? suite : `retrieval-${ideal}`);
    return cell ?? null;
  };
  return {
    title: `The paper's numbers beside ours: ${otherThings}`,
    note: 'Paper: GPT-4o → o1 (policy retrieval: without → with the training). Ours: base → the last arm.',
    columns: ['paper, before', 'paper, after', 'ours, base', `ours, ${arm}`],
    rows: paperFigures.map((figure) => ({
      label: figure.title,
      cells: [{ estimate: figure.before }, { estimate: figure.after }, ours(figure, 'base'), ours(figure, arm)],
    })),
  };
}

const complement = (cell: Findings['figures'][string] | undefined) =>
  cell?.estimate == null
    ? undefined
    : {
        ...cell,
        estimate: 1 - cell.estimate,
        ...(cell.high !== undefined && cell.low !== undefined && { low: 1 - cell.high, high: 1 - cell.low }),
      };
