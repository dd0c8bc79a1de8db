/** Everyday topics that the reader learns on, read from `topics/*.txt`, and which of them are kept for measuring. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { inputError } from '../../src/base/errors.js';
import { Random } from '../../src/base/random.js';

/** What one clause can be about. */
export interface Subtopic {
  subject: string;
  /** As users would type them; four or more. */
  requests: string[];
  /** Words of its requests that hardly any other subtopic's requests hold; most telling first. Filled by `readTopics`. */
  words: string[];
  file: string;
  line: number;
}

/** What one policy can be about. */
export interface Family {
  name: string;
  /** One clause: "rules about bicycles and riding them". */
  description: string;
  subtopics: Subtopic[];
  file: string;
  line: number;
}

/**
 * Parses one file: `family: name | description`, then lines `subject | request | request | …`; a blank line between families.
 * @throws inputError with file and line for a malformed line, a repeated subject, or fewer than four requests.
 */
export function parseTopics(text: string, file: string): Family[] {
  const families: Family[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    const fail = (what: string): never => {
      throw inputError(`${file}:${line}: ${what}`);
    };
    if (raw.trim() === '' || raw.startsWith('#')) continue;
    const [head = '', ...rest] = raw.split('|').map((cell) => cell.trim());
    const family = /^family:\s*(.*)$/.exec(head);
    if (family !== null) {
      const name = family[1] ?? '';
      if (name === '' || rest.length !== 1 || rest[0] === '') fail('write "family: name | one-clause description"');
      families.push({ name, description: rest[0] as string, subtopics: [], file, line });
      continue;
    }
    const current = families.at(-1) ?? fail('a subtopic stands before the first "family:" line');
    if (head === '' || rest.includes('')) fail('a cell is empty; write "subject | request | request | …"');
    if (rest.length < 4) fail(`${JSON.stringify(head)} has ${rest.length} requests; write at least 4`);
    if (new Set(rest).size < rest.length) fail(`${JSON.stringify(head)} has the same request twice`);
    if (/[[\]:]/.test(head)) fail(`${JSON.stringify(head)}: a subject may hold no colon and no brackets`);
    if (current.subtopics.some((subtopic) => subtopic.subject === head)) fail(`${JSON.stringify(head)} stands twice in ${current.name}`);
    current.subtopics.push({ subject: head, requests: rest, words: [], file, line });
  }
  return families;
}

/** Every family of a folder's .txt files, in the order of the file names. @throws inputError also for a family named twice or with fewer than 5 subtopics. */
export function readTopics(folder: string): Family[] {
  const families = readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .sort()
    .flatMap((name) => parseTopics(readFileSync(join(folder, name), 'utf8'), name));
  const seen = new Map<string, Family>();
  for (const family of families) {
    const other = seen.get(family.name.toLowerCase());
    if (other !== undefined)
      throw inputError(`${family.file}:${family.line}: family ${family.name} stands in ${other.file}:${other.line} already`);
    if (family.subtopics.length < 5) throw inputError(`${family.file}:${family.line}: family ${family.name} has fewer than 5 subtopics`);
    seen.set(family.name.toLowerCase(), family);
  }
  findWords(families);
  return families;
}

/** Real clauses name things that requests name too; these are the words to name. */
function findWords(families: readonly Family[]): void {
  const wordsOf = (subtopic: Subtopic) =>
    new Set(
      subtopic.requests.flatMap((request) => request.match(/\b[a-z]{4,}\b/g) ?? []).filter((word) => !subtopic.subject.includes(word)),
    );
  const all = families.flatMap((family) => family.subtopics).map((subtopic) => ({ subtopic, words: wordsOf(subtopic) }));
  const count = new Map<string, number>();
  for (const { words } of all) for (const word of words) count.set(word, (count.get(word) ?? 0) + 1);
  const rare = (word: string) => count.get(word) as number;
  for (const { subtopic, words } of all)
    subtopic.words = [...words].filter((word) => rare(word) <= 6).sort((a, b) => rare(a) - rare(b) || (a < b ? -1 : 1));
}

export interface TopicSplit {
  /** Families for training, without their held-out subtopics. */
  training: Family[];
  /** The same families whole: for measuring on subtopics never trained on. */
  trainingWhole: Family[];
  /** Families never trained on. */
  heldOut: Family[];
  /** `family/subject` of each subtopic that is held out within a training family. */
  heldOutSubtopics: ReadonlySet<string>;
}

export const subtopicKey = (family: Family, subtopic: Subtopic): string => `${family.name}/${subtopic.subject}`;

/**
 * About 12 % of the families and, in the rest, about 10 % of the subtopics (at least one family, at least one subtopic a
 * family) are kept for measuring. The same families and seed give the same split.
 */
export function splitTopics(families: readonly Family[], seed: number | string): TopicSplit {
  const random = new Random(`topics ${seed}`);
  const shuffled = random.shuffle(families);
  const count = Math.max(1, Math.round(shuffled.length * 0.12));
  const heldOut = shuffled.slice(0, count);
  const trainingWhole = shuffled.slice(count);
  const heldOutSubtopics = new Set<string>();
  const training = trainingWhole.map((family) => {
    const kept = Math.max(1, Math.round(family.subtopics.length * 0.1));
    for (const subtopic of random.shuffle(family.subtopics).slice(0, kept)) heldOutSubtopics.add(subtopicKey(family, subtopic));
    return { ...family, subtopics: family.subtopics.filter((subtopic) => !heldOutSubtopics.has(subtopicKey(family, subtopic))) };
  });
  return { training, trainingWhole, heldOut, heldOutSubtopics };
}
