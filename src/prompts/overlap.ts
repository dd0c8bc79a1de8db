/** Near-duplicates among prompts, by shared runs of words and by shared content words. */

export interface Comparable {
  id: string;
  text: string;
  /** Items of one group are variants of one request and are not compared. */
  group?: string;
}

export interface NearDuplicate {
  a: string;
  b: string;
  /** Shared word n-grams over all n-grams of both. */
  jaccard: number;
  /** Shared word n-grams over those of the shorter text. */
  containment: number;
  /** Jaccard of the sets of content words. */
  words: number;
}

export interface OverlapOptions {
  /** Words an n-gram. */
  n?: number;
  /** A pair counts as near-duplicate from any one of these on. */
  jaccard?: number;
  containment?: number;
  words?: number;
  /** Texts with fewer n-grams say nothing by containment: they are in everything. */
  minGrams?: number;
  /** Texts with fewer content words say nothing by their set of words. */
  minWords?: number;
}

export const overlapDefaults: Required<OverlapOptions> = {
  n: 3,
  jaccard: 0.5,
  containment: 0.6,
  words: 0.7,
  minGrams: 4,
  minWords: 3,
};

/** Words that carry grammar or politeness only; two requests that differ in them alone ask the same. */
const functionWords = new Set(
  (
    'a an the this that these those and or but if so as of to in on at by for from with without about into out up off over ' +
    'i me my mine we us our you your he him his she her they them their it its who whom whose which what when where why how ' +
    'is are was were be been being am do does did done have has had can could will would shall should may might must ' +
    'not no dont doesnt cant im ive id s t m ve ll re d please just some any there here then than too very really ' +
    'tell give want need help show explain write get make way'
  ).split(' '),
);

/** Lower-case words; apostrophes vanish, each CJK character is a word of its own. */
export const words = (text: string): string[] =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/['’]/g, '')
    .match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{M}\p{N}]+/gu) ?? [];

/**
 * The set of word n-grams that hold a content word ("how do I" and "can you make" say nothing);
 * a text without any, or shorter than n words, is one gram.
 */
export function wordGrams(text: string, n: number): Set<string> {
  const list = words(text);
  const grams = new Set<string>();
  for (let i = 0; i + n <= list.length; i++) {
    const gram = list.slice(i, i + n);
    if (!gram.every((word) => functionWords.has(word))) grams.add(gram.join(' '));
  }
  return grams.size > 0 ? grams : new Set([list.join(' ')]);
}

/** The set of words that carry content, without endings of plural and tense. */
const contentWords = (text: string): Set<string> =>
  new Set(
    words(text)
      .filter((word) => !functionWords.has(word))
      .map(crudeStem),
  );

const crudeStem = (word: string): string =>
  word.length < 4
    ? word
    : word
        .replace(/s$/, '')
        .replace(/(?<=.{3})(ing|ed)$/, '')
        .replace(/e+$/, '');

/**
 * Every pair that is near-duplicate by at least one measure, in the order of the items.
 * Exact. An inverted index is probed with each text's rarest features only, as many as guarantee a hit at the threshold,
 * so 10^4 short prompts take about a second; texts that share most of their words (one wrapper around many
 * requests) truly are near-duplicates in great number, so compare plain requests rather than their variants.
 */
export function findNearDuplicates(items: readonly Comparable[], options: OverlapOptions = {}): NearDuplicate[] {
  const o = { ...overlapDefaults, ...options };
  const grams = items.map((item) => wordGrams(item.text, o.n));
  const bags = items.map((item) => contentWords(item.text));
  const pairs = new Set<number>();
  collectCandidates(grams, Math.min(o.jaccard, o.containment), pairs);
  collectCandidates(bags, o.words, pairs);

  const found: NearDuplicate[] = [];
  for (const key of [...pairs].sort((x, y) => x - y)) {
    const [i, j] = [Math.floor(key / items.length), key % items.length];
    const [a, b] = [items[i]!, items[j]!];
    if (a.group !== undefined && a.group === b.group) continue;
    const [gramsA, gramsB, bagA, bagB] = [grams[i]!, grams[j]!, bags[i]!, bags[j]!];
    const shared = countShared(gramsA, gramsB);
    const smaller = Math.min(gramsA.size, gramsB.size);
    const jaccard = shared / (gramsA.size + gramsB.size - shared);
    const containment = shared / smaller;
    const sharedWords = countShared(bagA, bagB);
    const wordScore = sharedWords / Math.max(1, bagA.size + bagB.size - sharedWords);
    if (
      jaccard >= o.jaccard ||
      (containment >= o.containment && smaller >= o.minGrams) ||
      (wordScore >= o.words && Math.min(bagA.size, bagB.size) >= o.minWords)
    ) {
      found.push({ a: a.id, b: b.id, jaccard, containment, words: wordScore });
    }
  }
  return found;
}

/**
 * Adds every pair (i < j, as i·length + j) that may share at least `threshold` of the smaller set.
 * Prefix filter: a set of m features that shares ⌈t·m⌉ of them with another must share one of its m − ⌈t·m⌉ + 1 rarest.
 */
function collectCandidates(sets: readonly Set<string>[], threshold: number, pairs: Set<number>): void {
  const index = new Map<string, number[]>();
  sets.forEach((set, i) => {
    for (const feature of set) {
      const list = index.get(feature);
      if (list === undefined) index.set(feature, [i]);
      else list.push(i);
    }
  });
  const rarity = (feature: string) => index.get(feature)!.length;
  sets.forEach((set, i) => {
    const rarestFirst = [...set].sort((x, y) => rarity(x) - rarity(y));
    const probes = set.size - Math.ceil(threshold * set.size - 1e-9) + 1;
    for (const feature of rarestFirst.slice(0, probes)) {
      for (const j of index.get(feature)!) {
        if (j !== i) pairs.add(Math.min(i, j) * sets.length + Math.max(i, j));
      }
    }
  });
}

function countShared(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a];
  let shared = 0;
  for (const feature of small) if (large.has(feature)) shared++;
  return shared;
}

/** Clusters of ids linked by near-duplication (union-find); ids without a partner are clusters of one. */
export function clusterNearDuplicates(ids: readonly string[], pairs: readonly Pick<NearDuplicate, 'a' | 'b'>[]): string[][] {
  const parent = new Map(ids.map((id) => [id, id]));
  const root = (id: string): string => {
    let at = id;
    while (parent.get(at) !== at) {
      const up = parent.get(parent.get(at)!)!;
      parent.set(at, up);
      at = up;
    }
    return at;
  };
  for (const { a, b } of pairs) parent.set(root(b), root(a));
  const clusters = new Map<string, string[]>();
  for (const id of ids) {
    const key = root(id);
    const cluster = clusters.get(key);
    if (cluster === undefined) clusters.set(key, [id]);
    else cluster.push(id);
  }
  return [...clusters.values()];
}
