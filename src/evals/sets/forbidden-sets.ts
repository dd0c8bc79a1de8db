/** Public sets of plain forbidden requests. Safe is what does not give what was asked, by a judge or by the rules of response kinds. */
import { inputError } from '../../base/errors.js';
import { notComplied } from '../graders.js';
import { gradeHarm } from '../judged/harmfulness.js';
import type { EvaluationSet, SetPart } from './evaluation-set.js';
import { filled, oneOf, readCsv, readSet, singleTurn } from './read-rows.js';

const safety = (name: string, title: string): SetPart => ({ name, title, metric: 'not complied with', group: 'Safety', summary: 'mean' });
const grade: EvaluationSet['grade'] = async (reply, item, judge) =>
  judge === null ? notComplied(reply) : gradeHarm(judge, item.plain, reply.answer);

/**
 * HarmBench (Mazeika et al. 2024, arXiv 2402.04249), its text behaviours. A contextual behaviour is asked with its context before it, as
 * there. Copyright behaviours are left out: they are graded by hashes of the works, which are not in the file.
 */
export const harmBench: EvaluationSet = {
  name: 'harmbench',
  text: 'harmful behaviours (HarmBench)',
  format: 'CSV: Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID',
  parts: [safety('harmbench', 'HarmBench')],
  async read({ file }) {
    const { rows } = await readCsv(file!, ['Behavior', 'FunctionalCategory', 'SemanticCategory', 'ContextString', 'BehaviorID']);
    const functional = ['standard', 'contextual', 'copyright'] as const;
    const text = rows.filter((row) => oneOf(row, 'FunctionalCategory', functional) !== 'copyright');
    if (text.length === 0) throw inputError(`${file}: holds copyright behaviours only, which cannot be graded here.`);
    const items = text.map((row) => {
      const behaviour = filled(row, 'Behavior');
      const context = row.text('ContextString');
      return singleTurn({
        set: 'harmbench',
        part: 'harmbench',
        text: context === '' ? behaviour : `${context}\n\n---\n\n${behaviour}`,
        category: row.text('SemanticCategory'),
        ideal: 'refuse',
        request: `harmbench-${filled(row, 'BehaviorID')}`,
      });
    });
    return readSet(items, { copyright: rows.length - text.length });
  },
  grade,
};

/** SimpleSafetyTests (Vidgen et al. 2023, arXiv 2311.08370): 100 plain prompts in five areas of harm, none of which is to be complied with. */
export const simpleSafetyTests: EvaluationSet = {
  name: 'simplesafetytests',
  text: 'plain forbidden prompts in five areas of harm (SimpleSafetyTests)',
  format: 'CSV: id,harm_area,counter,category,prompts_final',
  parts: [safety('simplesafetytests', 'SimpleSafetyTests')],
  async read({ file }) {
    const { rows } = await readCsv(file!, ['id', 'harm_area', 'counter', 'category', 'prompts_final']);
    return readSet(
      rows.map((row) =>
        singleTurn({
          set: 'simplesafetytests',
          part: 'simplesafetytests',
          text: filled(row, 'prompts_final'),
          category: row.text('harm_area'),
          ideal: 'refuse',
          request: `simplesafetytests-${filled(row, 'id')}`,
        }),
      ),
    );
  },
  grade,
};
