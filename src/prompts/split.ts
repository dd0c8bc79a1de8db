/** Train, validation and test: by request, the same on every machine, no near-duplicate across. */
import { inputError } from '../base/errors.js';
import { contentId, type Prompt, type Split } from '../base/records.js';
import { userText } from './conversation.js';
import { clusterNearDuplicates, findNearDuplicates, type NearDuplicate, type OverlapOptions } from './overlap.js';

export interface SplitOptions {
  seed: number | string;
  /** Parts of 1. Default .60 / .12 / .28. */
  shares?: Record<Split, number>;
  /** Prompts of one cell are shared out together, so that each split has its part of each. Default: category × ideal × tags. */
  cell?: (prompt: Prompt) => string;
  overlap?: OverlapOptions;
}

const splits: readonly Split[] = ['train', 'validation', 'test'];
const defaultShares: Record<Split, number> = { train: 0.6, validation: 0.12, test: 0.28 };

/** The cell of a prompt: category × ideal × tags. */
export const promptCell = (prompt: Prompt): string =>
  [prompt.category ?? 'unknown', prompt.ideal ?? 'unknown', [...prompt.tags].sort().join('+')].join('/');

/**
 * The same prompts, in the same order, each with a split. Variants of a request, and requests that are near-duplicates of each
 * other, go to one split. Order within a cell is a hash of the seed and the request, so it does not depend on the file's order.
 * @throws an input error when the shares are not parts of 1.
 */
export function splitPrompts(prompts: readonly Prompt[], options: SplitOptions): Prompt[] {
  const shares = options.shares ?? defaultShares;
  const sum = splits.reduce((total, split) => total + shares[split], 0);
  if (splits.some((split) => !(shares[split] >= 0)) || Math.abs(sum - 1) > 1e-9) {
    throw inputError(`split shares: ${JSON.stringify(shares)} must be numbers ≥ 0 that add up to 1.`);
  }
  const cell = options.cell ?? promptCell;
  const groups = requestGroups(prompts, options.overlap);
  const ranked = groups
    .map((group) => ({ group, cell: cell(group[0]!), rank: contentId('split', options.seed, group[0]!.request) }))
    .sort((x, y) => compare(x.cell, y.cell) || compare(x.rank, y.rank));

  // Each group goes where its cell lacks most; where that is a tie, where the whole lacks most.
  const cellCounts = new Map<string, Record<Split, number>>();
  const total: Record<Split, number> = { train: 0, validation: 0, test: 0 };
  const splitOf = new Map<string, Split>();
  for (const { group, cell: name } of ranked) {
    const counts = cellCounts.get(name) ?? { train: 0, validation: 0, test: 0 };
    cellCounts.set(name, counts);
    const lack = (have: Record<Split, number>, split: Split) =>
      shares[split] * (have.train + have.validation + have.test + group.length) - have[split];
    const best = splits
      .filter((split) => shares[split] > 0)
      .reduce((x, y) => (lack(counts, y) - lack(counts, x) + 0.25 * (lack(total, y) - lack(total, x)) > 1e-9 ? y : x));
    counts[best] += group.length;
    total[best] += group.length;
    for (const prompt of group) splitOf.set(prompt.id, best);
  }
  return prompts.map((prompt) => ({ ...prompt, split: splitOf.get(prompt.id)! }));
}

/**
 * Pairs of near-duplicate requests that stand in different splits; empty when the splits are clean.
 * Compares each request by its plain prompt where there is one.
 */
export function overlapAcrossSplits(prompts: readonly Prompt[], options?: OverlapOptions): NearDuplicate[] {
  const plain = plainPrompts(prompts);
  const splitOf = new Map(plain.map((prompt) => [prompt.request, prompt.split]));
  return requestDuplicates(plain, options).filter(({ a, b }) => splitOf.get(a) !== splitOf.get(b));
}

/** Prompts grouped by request, requests that are near-duplicates joined. */
function requestGroups(prompts: readonly Prompt[], options?: OverlapOptions): Prompt[][] {
  const byRequest = new Map<string, Prompt[]>();
  for (const prompt of prompts) {
    const list = byRequest.get(prompt.request);
    if (list === undefined) byRequest.set(prompt.request, [prompt]);
    else list.push(prompt);
  }
  const pairs = requestDuplicates(plainPrompts(prompts), options);
  return clusterNearDuplicates([...byRequest.keys()], pairs).map((cluster) => cluster.flatMap((request) => byRequest.get(request)!));
}

const requestDuplicates = (plain: readonly Prompt[], options?: OverlapOptions): NearDuplicate[] =>
  findNearDuplicates(
    plain.map((prompt) => ({ id: prompt.request, text: userText(prompt.messages) })),
    options,
  );

/** One prompt a request: the plain one, or the first variant. */
function plainPrompts(prompts: readonly Prompt[]): Prompt[] {
  const chosen = new Map<string, Prompt>();
  for (const prompt of prompts) {
    const have = chosen.get(prompt.request);
    if (have === undefined || (have.technique !== 'none' && prompt.technique === 'none')) chosen.set(prompt.request, prompt);
  }
  return [...chosen.values()];
}

const compare = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0);
