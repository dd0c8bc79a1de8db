import { describe, expect, it } from 'vitest';
import { sampleAnswer } from './answers.js';
import { measure, measureGroups, measureTable, seenOf, type Output } from './measure.js';
import { readTopics, splitTopics } from './topics.js';

const split = splitTopics(readTopics(new URL('topics', import.meta.url).pathname), 1);
const examples = measureGroups(1, 30, split, sampleAnswer).flatMap((group) => group.examples);
const seen = (example: (typeof examples)[number]) => seenOf(split, example);
const results = (change: (text: string) => string) =>
  measure(
    examples.map((example): Output => ({ example, output: change(example.completion) })),
    seen,
  );
const share = ({ right, of }: { right: number; of: number }) => right / of;

describe('measure', () => {
  it('finds the right outputs right, whether their topic was seen or not', () => {
    const { all, bySeen } = results((text) => text);
    for (const measured of Object.values(all)) expect([measured.right, measured.of > 0]).toEqual([measured.of, true]);
    expect(Object.keys(bySeen)).toEqual(['seen', 'unseen family', 'unseen subtopic']);
    for (const { citation } of Object.values(bySeen)) expect(citation.of).toBeGreaterThan(10);
  });

  it('takes an altered quote for wrong, and leaves the decision right', () => {
    const { all } = results((text) => text.replace(/^Policy on (.)/m, 'Policy on x$1'));
    expect(share(all.citation)).toBe(0);
    expect(share(all.decision)).toBe(1);
  });

  it('forgives case and marks in the restatement, not another request', () => {
    expect(share(results((text) => text.replace(/^The user.*$/m, (line) => line.toUpperCase())).all.restatement)).toBe(1);
    expect(share(results((text) => text.replace(/^The user.*$/m, 'The user asks how to sing.')).all.restatement)).toBe(0);
  });

  it('counts outputs without a CoT as wrong', () => {
    const { all } = results((text) => text.replace(/<think>[\s\S]*<\/think>\n/, ''));
    expect([share(all.decision), share(all.none), share(all.answerKind)]).toEqual([0, 0, 0]);
  });

  it('counts a flat grade of 5 as what it is', () => {
    const { all } = results((text) => text.replace(/Grade: \d/, 'Grade: 5'));
    expect(share(all.passed)).toBeLessThan(0.7);
    expect(share(all.grade)).toBe(share(all.passed));
  });

  it('prints a row for each breakdown', () => {
    expect(measureTable(results((text) => text))).toMatch(/^ +decision[\s\S]*\nunseen family {2,}1\.00 \(\d+\)/);
  });
});
