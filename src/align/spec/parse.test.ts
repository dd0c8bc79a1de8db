import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DeliberateError } from '../../base/errors.js';
import { loadSpec, parseSpecFile, readSpec } from './parse.js';

const garden = `# Garden

Plants and tools: growing is fine,
poison is not.

<!-- a note for writers -->
## Definitions

- **Bed**: soil that is *ready* for plants.

## Style

- GS1 (safe completion): Say who can help.

## Allowed

### G1: growing roses
Explain how roses
are planted.

Roses harm nobody.

They never did.

- Example: "How do I plant a rose?"
- Exclusion: Spraying them is G2, not G1.

## Disallowed

### G2: poisoning moles
Do not say how.
`;
const category = (text: string, file = 'spec/garden.md') => {
  const { content, findings } = parseSpecFile(file, text);
  if (content.kind !== 'category') throw new Error('not a category');
  return { category: content.category, findings };
};
const messages = (text: string) => category(text).findings.map((f) => `${f.line}: ${f.message}`);

async function folder(files: Record<string, string | Uint8Array>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'spec-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return path;
}

describe('parseSpecFile', () => {
  it('reads a category with line numbers', () => {
    const { category: found, findings } = category(garden);
    expect(findings).toEqual([]);
    const at = { file: 'spec/garden.md' };
    expect(found).toEqual({
      ...at,
      name: 'garden',
      title: 'Garden',
      line: 1,
      summary: 'Plants and tools: growing is fine, poison is not.',
      definitions: [{ term: 'Bed', text: 'soil that is ready for plants.', line: 9 }],
      styles: [{ ...at, code: 'GS1', kind: 'safe-complete', text: 'Say who can help.', line: 13 }],
      clauses: [
        {
          ...at,
          code: 'G1',
          subject: 'growing roses',
          ruling: 'comply',
          text: 'Explain how roses are planted.',
          rationale: 'Roses harm nobody. They never did.',
          line: 17,
          examples: [{ text: 'How do I plant a rose?', line: 25 }],
          exclusions: [{ text: 'Spraying them is G2, not G1.', line: 26 }],
        },
        {
          ...at,
          code: 'G2',
          subject: 'poisoning moles',
          ruling: 'refuse',
          text: 'Do not say how.',
          examples: [],
          exclusions: [],
          line: 30,
        },
      ],
    });
  });

  it('reads principles and styles', () => {
    expect(parseSpecFile('principles.md', '# Principles\n\nRead this.\n\n- Be kind.\n').content).toEqual({
      kind: 'principles',
      principles: [{ text: 'Be kind.', file: 'principles.md', line: 5 }],
    });
    expect(parseSpecFile('styles.md', '- S1 (refuse): Short.\n- S2 (Comply): Full.').content).toMatchObject({
      kind: 'styles',
      styles: [
        { code: 'S1', kind: 'refuse', text: 'Short.' },
        { code: 'S2', kind: 'comply', line: 2 },
      ],
    });
  });

  it('reads Windows line ends and a byte order mark', () => {
    expect(category(`\uFEFF${garden.replaceAll('\n', '\r\n')}`)).toEqual(category(garden));
  });

  it.each([
    [
      'a clause without a code',
      garden.replace('### G1: growing', '### growing'),
      /^17: the clause "growing roses" has no code; write "### CODE: subject"/,
    ],
    ['an unknown section', garden.replace('## Allowed', '## Permitted'), /^15: unknown section "Permitted"; write Definitions/],
    ['a clause without text', garden.replace('Do not say how.', ''), /^30: the clause G2 says nothing; write a paragraph/],
    ['a stray list item', garden.replace('- Example: "How', '- "How'), /^25: a list item of a clause must begin with "Example:"/],
    ['no title', garden.replace('# Garden\n\n', ''), /^1: text before the title/],
    ['no summary', '# Garden\n\n## Allowed\n', /^1: no summary; write one paragraph/],
    ['a second title', `${garden}\n# Kitchen\n`, /^33: a second title/],
    ['a code block', `${garden}\n    indented\n`, /^33: a code block .* has no meaning/],
    ['a style without its kind', garden.replace('GS1 (safe completion)', 'GS1'), /^13: this is no style guideline; write/],
    ['a style of unknown kind', garden.replace('safe completion', 'gently'), /^13: this is no style guideline/],
    ['a definition without a term', garden.replace('**Bed**', 'Bed'), /^9: this is no definition; write "- \*\*Term\*\*/],
    ['a colon in a subject', garden.replace('growing roses', 'growing: roses'), /^17: the subject of G1 holds a colon/],
    ['brackets in a text', garden.replace('Do not say how', 'See [G1]'), /^30: square brackets are kept for codes/],
    ['a clause in the wrong place', garden.replace('## Disallowed\n', '## Definitions\n'), /^30: "G2: poisoning moles" stands outside/],
  ])('says where and what to do: %s', (_what, text, message) => {
    expect(messages(text)).toEqual(expect.arrayContaining([expect.stringMatching(message)]));
  });

  it('does not take a file name that prompts could not use', () => {
    expect(category(garden, 'my garden.md').findings[0]?.message).toMatch(/"my garden" cannot name a category/);
    expect(category(garden, 'none.md').findings[0]?.message).toMatch(/"none" cannot name a category/);
  });
});

describe('loadSpec', () => {
  it('reads a folder, each file by its name, and passes over README.md', async () => {
    const spec = await loadSpec(
      await folder({
        'garden.md': garden,
        'styles.md': '- S1 (refuse): Short.',
        'principles.md': '- Be kind.',
        'README.md': 'Hello',
        'notes.txt': 'x',
      }),
    );
    expect(spec.categories.map((c) => c.name)).toEqual(['garden']);
    expect([spec.styles.length, spec.principles.length]).toEqual([1, 1]);
  });

  it('refuses malformed files with one line a place, while readSpec still gives the rest', async () => {
    const path = await folder({
      'a.md': garden.replace('### G1: g', '### g'),
      'b.md': garden.replace('G1: growing', 'G3: growing').replace('GS1', 'BS1'),
    });
    const error = await loadSpec(path).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DeliberateError);
    const lines = (error as Error).message.split('\n');
    expect(lines[0]).toContain(`${join(path, 'a.md')}:17: the clause`);
    expect(lines[1]).toContain(`b.md:30: the code G2 is taken by ${join(path, 'a.md')}:30`);
    expect((await readSpec(path)).spec.categories.map((c) => c.clauses.length)).toEqual([1, 2]);
  });

  it('says what is wrong with a folder', async () => {
    await expect(loadSpec('/nowhere/at/all')).rejects.toThrow(/cannot read the specification folder .* give the path of a folder/);
    const file = join(await folder({ 'garden.md': garden }), 'garden.md');
    await expect(loadSpec(file)).rejects.toThrow(`${file} is a file, and a specification is a folder`);
    await expect(loadSpec(await folder({}))).rejects.toThrow(/no category in .* write one Markdown file/);
    await expect(loadSpec(await folder({ 'a.md': new Uint8Array([35, 32, 255, 254]) }))).rejects.toThrow(
      /a\.md is not UTF-8 text; save it as UTF-8/,
    );
  });
});
