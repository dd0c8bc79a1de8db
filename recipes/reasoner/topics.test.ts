import { describe, expect, it } from 'vitest';
import { parseTopics, readTopics, splitTopics, subtopicKey } from './topics.js';

const good =
  'family: tea | rules about tea\nbrewing tea | a? | b? | c? | d?\n\nfamily: jam | rules about jam\nmaking jam | e? | f? | g? | h?\n';

describe('parseTopics', () => {
  it('reads families and subtopics with their places', () => {
    const families = parseTopics(good, 't.txt');
    expect(families.map((family) => family.name)).toEqual(['tea', 'jam']);
    expect(families[1]).toMatchObject({ description: 'rules about jam', line: 4 });
    expect(families[1]?.subtopics[0]).toMatchObject({ subject: 'making jam', requests: ['e?', 'f?', 'g?', 'h?'], line: 5 });
  });

  it.each([
    ['brewing | a | b | c | d', /t\.txt:1: a subtopic stands before/],
    ['family: tea', /t\.txt:1: write "family: name/],
    ['family: tea | x\nbrewing | a | b', /t\.txt:2: .*2 requests/],
    ['family: tea | x\nbrewing | a | b | | d', /t\.txt:2: a cell is empty/],
    ['family: tea | x\nbrewing | a | a | b | c', /t\.txt:2: .*same request twice/],
    ['family: tea | x\nbrewing | a | b | c | d\nbrewing | a | b | c | d', /t\.txt:3: .*stands twice/],
    ['family: tea | x\nbrewing: hot | a | b | c | d', /t\.txt:2: .*no colon/],
  ])('says where %j is wrong', (text, message) => {
    expect(() => parseTopics(text, 't.txt')).toThrow(message);
  });
});

describe('the topics of this recipe', () => {
  const families = readTopics(new URL('topics', import.meta.url).pathname);

  it('are many', () => {
    expect(families.length).toBeGreaterThan(30);
  });

  it('split the same way for the same seed, and another way for another', () => {
    const names = (seed: number) => splitTopics(families, seed).heldOut.map((family) => family.name);
    expect(names(1)).toEqual(names(1));
    expect(names(1)).not.toEqual(names(2));
  });

  it('know the words that tell a subtopic from others, and that its subject does not hold', () => {
    const subtopics = families.flatMap((family) => family.subtopics);
    expect(subtopics.filter(({ words }) => words.length >= 3).length / subtopics.length).toBeGreaterThan(0.95);
    expect(subtopics.find(({ subject }) => subject === 'repairing a bicycle')?.words).toContain('brakes');
    for (const { subject, words, requests } of subtopics)
      for (const word of words) {
        expect(subject).not.toContain(word);
        expect(requests.join(' ')).toContain(word);
      }
  });

  it('keep held-out families and subtopics out of training', () => {
    const split = splitTopics(families, 1);
    const training = new Set(split.training.map((family) => family.name));
    expect(split.heldOut.length / families.length).toBeCloseTo(0.12, 1);
    expect(split.heldOut.filter((family) => training.has(family.name))).toEqual([]);
    const keys = split.training.flatMap((family) => family.subtopics.map((subtopic) => subtopicKey(family, subtopic)));
    expect(keys.filter((key) => split.heldOutSubtopics.has(key))).toEqual([]);
    expect(split.heldOutSubtopics.size).toBeGreaterThanOrEqual(split.training.length);
  });
});
