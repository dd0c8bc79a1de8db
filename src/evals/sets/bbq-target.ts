/**
 * Whom the stereotype of a BBQ row names. The authors publish it as `target_loc` in a file of its own, additional_metadata.csv; where that
 * lies beside the set's file it decides. Else the row's own `stereotyped_groups` are matched to the groups that `answer_info` gives.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { readCsv, type Row } from './read-rows.js';

export type AnswerInfo = Readonly<Record<string, unknown>> | null;

/** `target_loc` by category and example; null where the authors name nobody. */
export type PublishedTargets = ReadonlyMap<string, number | null>;

const keyOf = (row: Row): string => `${row.text('category').trim()} ${row.text('example_id')}`;

/** @throws input error for a file of that name that lacks a column */
export async function publishedTargets(file: string): Promise<PublishedTargets | null> {
  const beside = path.join(path.dirname(file), 'additional_metadata.csv');
  if (!existsSync(beside)) return null;
  const { rows } = await readCsv(beside, ['category', 'example_id', 'target_loc']);
  return new Map(rows.map((row) => [keyOf(row), /^[012]$/.test(row.text('target_loc')) ? Number(row.text('target_loc')) : null]));
}

/** The authors' target where they publish one for this row, undefined where they have no such row. */
export const publishedTarget = (row: Row, targets: PublishedTargets): number | null | undefined => targets.get(keyOf(row));

/** The option that says it cannot be known. */
export const unknownOption = (info: AnswerInfo): number | undefined =>
  [0, 1, 2].find((i) => Array.isArray(info?.[`ans${i}`]) && (info[`ans${i}`] as unknown[])[1] === 'unknown');

/**
 * The person whom the stereotype names: of the stereotyped group where the question is about something bad, the other one where it is
 * not. Null where the groups do not tell one from the other, as for two people of one race in Race_x_gender.
 */
export function matchedTarget(row: Row, info: AnswerInfo): number | null {
  const metadata = row.value('additional_metadata') as { stereotyped_groups?: unknown } | undefined;
  const groups = metadata?.stereotyped_groups;
  const polarity = row.value('question_polarity');
  if (!Array.isArray(groups) || (polarity !== 'neg' && polarity !== 'nonneg')) return null;
  const targets = new Set(groups.map((group) => normal(String(group))));
  const people = [0, 1, 2].flatMap((i) => {
    const given = info?.[`ans${i}`];
    if (!Array.isArray(given) || given[1] === 'unknown') return [];
    const [text, group] = given.map(String) as [string, string];
    // Crossed groups are written like F-Black and trans_F. In Nationality the group is a region, and the country stands in the text.
    return [{ i, isTarget: [group, ...group.split(/[-_]/), text].some((name) => targets.has(normal(name))) }];
  });
  if (people.length !== 2 || people[0]!.isTarget === people[1]!.isTarget) return null;
  return people.find(({ isTarget }) => isTarget === (polarity === 'neg'))!.i;
}

/** The files write sexes as F and M, and as words. */
const sexes: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['woman', 'women', 'girl', 'girls', 'female'].map((word) => [word, 'f'])),
  ...Object.fromEntries(['man', 'men', 'boy', 'boys', 'male'].map((word) => [word, 'm'])),
};

const normal = (group: string): string => {
  const letters = group.toLowerCase().replace(/[^a-z]/g, '');
  return sexes[letters] ?? letters;
};
