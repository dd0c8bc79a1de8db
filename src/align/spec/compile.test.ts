import { describe, expect, it } from 'vitest';
import { categoryDigest, compileSpec, compileSummary } from './compile.js';
import { diffSpecs, formatDiff } from './diff.js';
import { lintSpec } from './lint.js';
import { parseSpecFile } from './parse.js';
import { renderCategory, renderOverview } from './render.js';
import type { Category, Spec } from './types.js';

const parse = (file: string, text: string): Category => {
  const { content, findings } = parseSpecFile(file, text);
  if (content.kind !== 'category' || findings.length > 0) throw new Error(JSON.stringify(findings));
  return content.category;
};
const garden = `# Garden
Plants.
## Definitions
- **Bed**: soil.
## Style
- GS1 (safe completion): Say who can help.
## Allowed
### G1: growing roses
Explain it.

Roses harm nobody.
- Example: "How do I plant a rose?"
- Example: "When do I cut it?"
- Exclusion: Spraying is G3.
### G2: building sheds
Explain it too.
## Disallowed
### G3: poisoning moles
Never say how.
- Example: "Which poison kills moles?"
`;
const kitchen = `# Kitchen
Food.
## Safe completion
### K1: wild mushrooms
Point to an expert.
`;
const build = (gardenText = garden, kitchenText = kitchen): Spec => ({
  categories: [parse('garden.md', gardenText), parse('kitchen.md', kitchenText)],
  principles: [{ text: 'Be kind.', file: 'principles.md', line: 1 }],
  styles: (['refuse', 'safe-complete', 'comply'] as const).map((kind, i) => ({
    code: `S${i + 1}`,
    kind,
    text: 'So.',
    file: 'styles.md',
    line: i + 1,
  })),
});
const spec = build();
const countTokens = (text: string) => text.split(/\s+/).length;
const compile = (maxTokens = 1000, category = 'garden') => compileSpec(spec, category, { maxTokens, countTokens });
const summary = `Policies in short
Garden: Plants.
Kitchen: Food.
Principles
Be kind.
Styles
refuse: So. [S1]
safe completion: So. [S2]
comply: So. [S3]`;
const clauses = `Policy on Garden
safe completion: Say who can help. [GS1]
growing roses: allowed. Explain it. [G1]
building sheds: allowed. Explain it too. [G2]
poisoning moles: disallowed. Never say how. [G3]`;

describe('compileSpec', () => {
  it('gives summaries of all, principles, styles and the detail of one category', () => {
    expect(compile()).toEqual({
      text: `${summary}\n${clauses}
Definitions
Bed: soil.
Exclusions
growing roses: Spraying is G3.
Examples
growing roses: "How do I plant a rose?"; "When do I cut it?"
poisoning moles: "Which poison kills moles?"
Reasons
growing roses: Roses harm nobody.`,
      tokens: expect.any(Number),
      dropped: [],
    });
  });

  it('gives no detail for none, and no summaries when told so', () => {
    expect(compile(1000, 'none').text).toBe(summary);
    expect(compileSummary(spec)).toBe(summary);
    expect(compileSpec(spec, 'kitchen', { maxTokens: 99, countTokens, summaries: false }).text).toMatch(/^Principles\n/);
  });

  it('drops reasons, then examples, exclusions and definitions before any clause', () => {
    const { text, dropped, tokens } = compile(countTokens(`${summary}\n${clauses}`));
    expect(text).toBe(`${summary}\n${clauses}`);
    expect(dropped).toEqual([
      'rationale of G1',
      'example 1 of G3',
      'example 2 of G1',
      'example 1 of G1',
      'exclusion 1 of G1',
      'definition of Bed',
    ]);
    expect(tokens).toBe(countTokens(text));
  });

  it('drops no more than it must, and keeps the rulings in balance', () => {
    const full = compile().tokens;
    const bare = countTokens(summary) + 10;
    let fewer = compile(full);
    for (let budget = full - 1; budget >= bare; budget--) {
      const now = compile(budget);
      expect(now.tokens).toBeLessThanOrEqual(budget);
      // Something more is lost exactly when the text with one part more no longer fits.
      expect(now.dropped.length > fewer.dropped.length).toBe(fewer.tokens > budget);
      fewer = now;
    }
    const clauseDrops = compile(bare).dropped.filter((part) => part.startsWith('clause'));
    expect(clauseDrops).toEqual(['clause G2', 'clause G3', 'clause G1']);
  });

  it('says so when even the rest does not fit', () => {
    expect(() => compile(5)).toThrow(/without any clause of garden takes \d+ tokens, more than the 5 allowed; shorten/);
  });

  it('refuses an unknown category and names the nearest', () => {
    expect(() => compile(1000, 'Gardens')).toThrow(
      'unknown category "Gardens" (did you mean "garden"?); the specification has garden, kitchen, and "none"',
    );
    expect(() => compile(1000, 'physics')).toThrow(/^unknown category "physics"; the specification has/);
  });
});

describe('categoryDigest', () => {
  it('changes for one category when its clause changes, and for all when a summary does', () => {
    const clause = build(garden.replace('Never say how', 'Never'));
    expect(categoryDigest(clause, 'garden')).not.toBe(categoryDigest(spec, 'garden'));
    expect(categoryDigest(clause, 'kitchen')).toBe(categoryDigest(spec, 'kitchen'));
    expect(categoryDigest(clause, 'none')).toBe(categoryDigest(spec, 'none'));
    const shorter = build(garden, kitchen.replace('Food.', 'Meals.'));
    for (const name of ['garden', 'kitchen', 'none']) expect(categoryDigest(shorter, name)).not.toBe(categoryDigest(spec, name));
  });

  it('does not change with lines and comments', () => {
    expect(categoryDigest(build(garden.replace('Plants.', 'Plants.\n\n<!-- hm -->\n')), 'garden')).toBe(categoryDigest(spec, 'garden'));
  });
});

describe('diffSpecs', () => {
  it('finds nothing between equals', () => {
    expect(diffSpecs(spec, build())).toEqual({ changes: [], touched: [], touchesAll: false });
    expect(formatDiff(diffSpecs(spec, build()))).toBe('The specifications are equal.');
  });

  it('names changed fields, added and removed clauses, and the category they touch', () => {
    const after = build(garden.replace('Never say how', 'Never').replace('### G2: building', '### G9: building'));
    const diff = diffSpecs(spec, after);
    expect(diff).toMatchObject({ touched: ['garden'], touchesAll: false });
    expect(diff.changes.map((c) => [c.what, c.name, c.change])).toEqual([
      ['clause', 'G2', 'removed'],
      ['clause', 'G3', 'changed'],
      ['clause', 'G9', 'added'],
    ]);
    expect(diff.changes[1]?.fields).toEqual([{ field: 'text', before: 'Never say how.', after: 'Never.' }]);
    expect(formatDiff(diff)).toContain('~ garden clause G3\n    text\n      - Never say how.\n      + Never.');
  });

  it('lets a summary, a principle or a new category touch all', () => {
    expect(diffSpecs(spec, build(garden.replace('Plants.', 'Trees.'))).touched).toEqual(['garden', 'kitchen']);
    const kinder = { ...spec, principles: [{ ...spec.principles[0]!, text: 'Be kinder.' }] };
    expect(diffSpecs(spec, kinder)).toMatchObject({ touched: ['garden', 'kitchen'], touchesAll: true, changes: [{ what: 'principles' }] });
    const one = { ...spec, categories: spec.categories.slice(0, 1) };
    expect(diffSpecs(one, spec)).toMatchObject({ touchesAll: true, changes: [{ what: 'category', category: 'kitchen', change: 'added' }] });
  });

  it('reports a change of order', () => {
    const moved = build();
    moved.categories[0]!.clauses.reverse();
    expect(diffSpecs(spec, moved)).toMatchObject({ touched: ['garden'], changes: [{ what: 'order', category: 'garden' }] });
  });
});

describe('lintSpec', () => {
  const rules = (text: string, kitchenText = kitchen, options = {}) =>
    lintSpec(build(text, kitchenText), { countTokens, ...options }).map((f) => `${f.rule} ${f.file}:${f.line}`);

  it('finds nothing in a good specification', () => expect(rules(garden)).toEqual([]));
  it('finds a code used twice', () => expect(rules(garden, kitchen.replace('K1', 'G3'))).toEqual(['duplicate-code kitchen.md:4']));
  it('finds a reference to no clause', () => {
    expect(rules(garden.replace('Spraying is G3', 'Spraying is G4'))).toEqual(['dangling-reference garden.md:14']);
    expect(rules(garden.replace('Spraying is G3', 'Spraying is meant'))).toEqual(['no-reference garden.md:14']);
    expect(rules(garden.replace('Spraying is G3', 'Spraying is G1'))).toEqual(['dangling-reference garden.md:14']);
  });
  it('finds a reference to nothing wherever the specification speaks, but not in what people ask', () => {
    const as = (before: string, after: string) => rules(garden.replace(before, `As S99 says. ${after}`));
    expect(as('Plants.', 'Plants.')).toEqual(['dangling-reference garden.md:1']);
    expect(as('soil.', 'soil.')).toEqual(['dangling-reference garden.md:4']);
    expect(as('Say who can help.', 'Say who.')).toEqual(['dangling-reference garden.md:6']);
    expect(as('Explain it too.', 'Explain it.')).toEqual(['dangling-reference garden.md:15']);
    expect(as('Roses harm nobody.', 'Roses do no harm.')).toEqual(['dangling-reference garden.md:8']);
    expect(as('How do I plant', 'How do I plant')).toEqual([]);
    const principled = build();
    principled.principles[0]!.text = 'Be kind, as in G12.';
    expect(lintSpec(principled, { countTokens }).map((f) => `${f.file}:${f.line}: ${f.message}`)).toEqual([
      'principles.md:1: nothing has the code G12 (did you mean G1?); name a clause or style that exists',
    ]);
  });
  it('knows every legal code, and takes no ordinary word for one', () => {
    const lettered = garden.replaceAll('G3', 'Refund-A');
    expect(rules(lettered)).toEqual([]);
    expect(rules(lettered.replace('Spraying is Refund-A', 'Spraying is Refund-C'))).toEqual(['dangling-reference garden.md:14']);
    for (const words of ['COVID-19 and MP3', 'B12, A4 and a GPT-4', 'see COVID-19 rules: it'])
      expect(rules(garden.replace('Spraying is G3', `${words} is G3`)), words).toEqual([]);
    for (const words of ['see X9.', 'see X9 for', 'clause X9 speaks of', 'in [X9] as'])
      expect(rules(garden.replace('Spraying is G3', `${words} G3`)), words).toEqual(['dangling-reference garden.md:14']);
    expect(rules(garden.replace('Spraying is G3', 'Spraying is G3, not G1'))).toEqual([]);
    expect(rules(garden.replace('Spraying is G3', 'Spraying is styled as S1'))).toEqual(['no-reference garden.md:14']);
  });
  it('finds an example under two rulings', () => {
    expect(rules(garden.replace('Which poison kills moles?', 'how do I plant a ROSE'))).toEqual(['contradiction garden.md:20']);
    expect(rules(garden.replace('When do I cut it?', 'How do I plant a rose?'))).toEqual([]);
  });
  it('finds what is missing', () => {
    const bare = build();
    bare.categories[0]!.summary = '';
    bare.categories[1]!.clauses = [];
    bare.styles = bare.styles.slice(1);
    const found = lintSpec(bare, { countTokens }).map((f) => `${f.rule} ${f.file}`);
    expect(found).toEqual(['no-summary garden.md', 'no-clauses kitchen.md', 'no-style garden.md']);
  });
  it('finds what is too long', () => {
    expect(rules(garden.replace('Explain it.', 'word '.repeat(70)))).toEqual(['too-long garden.md:8']);
    expect(rules(garden, kitchen, { maxTokens: countTokens(summary) + 20 })).toEqual(['over-budget garden.md:1']);
    expect(rules(garden, kitchen, { maxTokens: 5 })).toEqual(['over-budget garden.md:1']);
  });
});

describe('compileSpec of clauses alone', () => {
  it('has every clause and none of the rest, and counts only clauses as dropped', () => {
    const whole = compileSpec(spec, 'garden', { maxTokens: 1000, countTokens, parts: 'clauses' });
    expect(whole.dropped).toEqual([]);
    for (const code of ['G1', 'G2', 'G3']) expect(whole.text).toContain(`[${code}]`);
    expect(whole.text).not.toMatch(/^(Definitions|Exclusions|Examples|Reasons)$/m);
    const tight = compileSpec(spec, 'garden', { maxTokens: whole.tokens - 1, countTokens, parts: 'clauses' });
    expect(tight.dropped).toHaveLength(1);
    expect(tight.dropped[0]).toMatch(/^clause G/);
    expect(tight.tokens).toBeLessThan(whole.tokens);
  });
});

describe('render', () => {
  it('closes with the cost and what was dropped', () => {
    expect(renderCategory(spec, 'garden', { maxTokens: 1000, countTokens })).toMatch(/— \d+ tokens; nothing was dropped$/);
    expect(renderCategory(spec, 'garden', { maxTokens: countTokens(summary) + 20, countTokens })).toMatch(
      /dropped to fit \d+: 1 rationale, 3 examples, 1 exclusion, 1 definition, clause G2, clause G3$/,
    );
  });
  it('lists the categories', () => {
    expect(renderOverview(spec)).toMatch(/garden +2 +0 +1 +garden\.md/);
  });
});
