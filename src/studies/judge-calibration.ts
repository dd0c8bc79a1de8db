/**
 * Calibration of the judge G_RM (paper, section 2.3.2: a judge that knows the specification, run k times, the minimum counts; the
 * paper leaves k open and shows no calibration: the measures are ours). Does it tell good answers from bad ones; does it obey the
 * specification when a clause is turned around, or keep a prior of its own; do answers that talk to it move its verdict; what
 * do k and the minimum buy.
 */
import path from 'node:path';
import { contentId } from '../base/records.js';
import { digestsFor, modelFor } from '../engines/workbench.js';
import { cachedModel } from './cached-model.js';
import { firstRun } from './first-run.js';
import { armItems, judgeItems, type JudgeBench } from './judge-items.js';
import { attackStudy } from './judge-under-attack.js';
import { obeysStudy } from './judge-obeys.js';
import { runsStudy } from './judge-runs.js';
import type { Cell, Findings, Lab, Study } from './study.js';

export const judgeCalibration: Study = {
  name: 'judge',
  title: 'Calibration of the judge',
  source: 'paper, section 2.3.2; measures of our own',
  version: 2,
  async run(lab: Lab): Promise<Findings> {
    const first = await firstRun(lab);
    const { model, concurrency } = await modelFor(lab.bench, 'judge');
    const digest = contentId('judge', digestsFor(lab.bench, 'judge'));
    const cached = await cachedModel(model, digest, path.join(lab.root, 'judge', 'answers.jsonl'));
    const judging: JudgeBench = { lab, first, model: cached.model, concurrency };
    const figures: Record<string, Cell> = {};
    try {
      const own = await armItems(first);
      const { items, note } = await judgeItems(lab, own);
      const runs = await runsStudy(judging, items, figures);
      const obeys = await obeysStudy(judging, own, figures);
      const attacked = await attackStudy(judging, items, figures);
      const { judge } = first.config;
      return {
        tables: [runs.table, runs.reliability, obeys, attacked],
        charts: [runs.chart],
        figures,
        notes: [
          note,
          ...(judge.kindCheck
            ? [
                'The judge of the run gives 0 without grading where the kind, by the same rules, is not what its own reading decided (judge.kindCheck); "grade alone" is without that.',
              ]
            : []),
        ],
      };
    } finally {
      await cached.close();
    }
  },
};
