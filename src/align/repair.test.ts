import { describe, expect, it } from 'vitest';
import { repairCitations } from './repair.js';
import type { Clause, Spec } from './spec/types.js';

const clause = (code: string, subject: string, ruling: Clause['ruling'], text: string): Clause => ({
  code,
  subject,
  ruling,
  text,
  examples: [],
  exclusions: [],
  file: 'shop.md',
  line: 1,
});
const spec: Spec = {
  categories: [
    {
      name: 'shop',
      title: 'Shop',
      summary: 'Rules of a shop.',
      definitions: [],
      clauses: [
        clause('R1', 'asking about a refund', 'comply', "Explain the shop's rules and how to ask for one."),
        clause('R2', 'refund fraud', 'refuse', 'No help with false claims or fake receipts.'),
      ],
      styles: [],
      file: 'shop.md',
      line: 1,
    },
  ],
  principles: [],
  styles: [{ code: 'S1', kind: 'refuse', text: 'One short apology, no lecture.', file: 'styles.md', line: 1 }],
};
const repair = (line: string) => repairCitations(`The user asks something.\n${line}\nDecision: refuse`, spec, 'shop');

describe('repairCitations', () => {
  it('leaves an exact citation alone', () => {
    const exact = repair('Policy on refund fraud: disallowed. No help with false claims or fake receipts. [R2]');
    expect(exact.repaired).toBe(0);
  });
  it('puts a wrong word right', () => {
    const { cot, repaired } = repair('Policy on refunds by fraud: disallowed. No help with false claims or fake receipts. [R2]');
    expect(cot.split('\n')[1]).toBe('Policy on refund fraud: disallowed. No help with false claims or fake receipts. [R2]');
    expect(repaired).toBe(1);
  });
  it('puts a wrong code right where the words leave no doubt', () => {
    const { cot } = repair('Policy on refund fraud: disallowed. No help with false claims or fake receipts. [R7]');
    expect(cot).toContain('[R2]');
  });
  it('does not change the ruling that was read', () => {
    expect(repair('Policy on refund fraud: allowed. No help with false claims or fake receipts. [R2]').repaired).toBe(0);
  });
  it('does not guess', () => {
    expect(repair('Policy on bread: disallowed. Do not bake it. [R2]').repaired).toBe(0);
    expect(repair('Policy: refuse').repaired).toBe(0);
  });
  it('repairs style lines as well', () => {
    expect(repair('Style for refuse: One short apology, no lectures. [S1]').cot).toContain(
      'Style for refuse: One short apology, no lecture. [S1]',
    );
  });
});
