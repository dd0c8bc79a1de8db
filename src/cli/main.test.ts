import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { smokeSettings } from '../base/config.js';
import { loadPrompts } from '../prompts/load.js';
import { main } from './main.js';
import { loadConfig } from './settings.js';
import { printable } from './terminal.js';

let home: string;
let out: string[];
let errors: string[];
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-cli-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));
beforeEach(() => {
  out = [];
  errors = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => void out.push(text));
  vi.spyOn(console, 'error').mockImplementation((text: string) => void errors.push(text));
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0);
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => errors.push(String(text)) > 0);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const said = () => [...out, ...errors].join('\n');

describe('the command line', () => {
  it('teaches with examples', async () => {
    expect(await main(['--help'])).toBe(0);
    expect(said()).toContain('deliberate demo --smoke');
    expect(await main(['run', '--help'])).toBe(0);
    expect(said()).toContain('--set rl.steps=30');
  });

  it('suggests what was meant, and exits with 2 for the mistakes of people', async () => {
    expect(await main(['rnu'])).toBe(2);
    expect(said()).toContain('Did you mean run?');
    expect(await main(['run', '--set', 'rl.step=3'])).toBe(2);
    expect(said()).toContain('did you mean "steps"?');
    expect(await main(['spec', 'show', '--category', 'self-harn'])).toBe(2);
    expect(said()).toContain('did you mean "self-harm"?');
    expect(await main(['run', path.join(home, 'none.yaml')])).toBe(2);
    expect(await main(['spec', 'lint', '--max-tokens', 'many'])).toBe(2);
    expect(await main(['chat', path.join(home, 'nothing'), '--arm', 'sftt'])).toBe(2);
    expect(said()).toContain('did you mean "sft"?');
  });

  it('prints every setting with its meaning', async () => {
    expect(await main(['config'])).toBe(0);
    expect(said()).toMatch(/rl\.steps: 2 +Optimizer steps/);
  });

  it('shows, lints and compares specifications', async () => {
    expect(await main(['spec', 'show'])).toBe(0);
    expect(said()).toContain('self-harm');
    expect(await main(['spec', 'lint'])).toBe(0);
    out = [];
    expect(await main(['spec', 'show', '--category', 'violence'])).toBe(0);
    // What the embedded model of a run sees: clauses, within the run's budget.
    expect(said()).toContain('[V1]');
    expect(said()).not.toMatch(/^Examples$/m);
    expect(Number(/— (\d+) tokens/.exec(said())?.[1])).toBeLessThanOrEqual(800);
    expect(await main(['spec', 'show', '--category', 'violence', '--parts', 'all', '--max-tokens', '4000'])).toBe(0);
    expect(said()).toMatch(/^Examples$/m);
    const bad = path.join(home, 'bad');
    await rm(bad, { recursive: true, force: true });
    expect(await main(['spec', 'lint', bad])).toBe(2);
  });

  it('imports prompts and splits them', async () => {
    const csv = path.join(home, 'in.csv');
    const file = path.join(home, 'prompts.jsonl');
    const topics = [
      'repaint a wooden fence',
      'bake sourdough bread',
      'tune an old piano',
      'knit warm socks',
      'plant tulip bulbs',
      'fix a leaking tap',
    ];
    await writeFile(csv, `text,label\n${topics.map((topic) => `How do I ${topic}?,safe`).join('\n')}\n`);
    expect(await main(['prompts', 'import', csv, '--prompt', 'text', '--ideal', 'label', '--label', 'safe=comply', '--out', file])).toBe(0);
    expect(await main(['prompts', 'split', file])).toBe(0);
    const prompts = (await readFile(file, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { split: string; ideal: string });
    expect(prompts.map(({ ideal }) => ideal)).toEqual(topics.map(() => 'comply'));
    expect(new Set(prompts.map(({ split }) => split)).size).toBeGreaterThan(1);
    expect(await main(['prompts', 'import', csv, '--prompt', 'text', '--ideal', 'label', '--label', 'safe=fine', '--out', file])).toBe(2);
    expect(await main(['prompts', 'import', path.join(home, 'in.xls'), '--prompt', 'text', '--out', file])).toBe(2);
  });

  it('imports tags and splits, and says what it tagged by itself', async () => {
    const csv = path.join(home, 'tagged.csv');
    const file = path.join(home, 'tagged.jsonl');
    await writeFile(
      csv,
      'text,kind,topic,tags,part\nHow do I bake bread?,comply,none,,train\nHow do I kill a process?,comply,pcs,benign-twin,test\n',
    );
    const columns = ['--prompt', 'text', '--ideal', 'kind', '--category', 'topic', '--tags', 'tags', '--split', 'part'];
    expect(await main(['prompts', 'import', csv, ...columns, '--out', file])).toBe(0);
    expect(said()).toContain('1 of category none with the ideal comply are tagged "ordinary"');
    expect(said()).toContain(`Next: deliberate run --set prompts.file=${file}`);
    expect((await loadPrompts(file)).map(({ tags, split }) => [tags, split])).toEqual([
      [['ordinary'], 'train'],
      [['benign-twin'], 'test'],
    ]);
  });

  it('looks at the categories of all prompts, and at the specification, before any model is loaded', async () => {
    const folder = path.join(home, 'pets');
    await mkdir(folder);
    const clause = '## Allowed\n### P1: feeding cats\nSay how, as P9 says.\n';
    await writeFile(path.join(folder, 'pets.md'), `# Pets\nCats.\n${clause}`);
    await writeFile(path.join(folder, 'styles.md'), '- S1 (comply): Full.\n');
    const file = path.join(home, 'pets.jsonl');
    const lines = [
      { category: 'pets', split: 'train' },
      { category: 'pet', split: 'test' },
    ].map((given, i) => JSON.stringify({ id: `p${i}`, request: `p${i}`, messages: [{ role: 'user', content: `How ${i}?` }], ...given }));
    await writeFile(file, lines.join('\n'));
    const run = [
      'run',
      '--out',
      path.join(home, 'run'),
      '--set',
      `spec=${folder}`,
      '--set',
      `prompts.file=${file}`,
      '--set',
      'engine.model=/no/model',
    ];
    expect(await main(run)).toBe(2);
    expect(said()).toContain(`${file}:2: category: the specification has no "pet" (did you mean "pets"?)`);
    expect(said()).not.toContain('/no/model');
    await writeFile(file, lines[0]!);
    expect(await main(run)).not.toBe(0);
    expect(said()).toContain('/no/model');
    expect(said()).toMatch(/Warning: the specification has an error, .*\n.*pets\.md:4: nothing has the code P9 \(did you mean P1\?\)/);
  });

  it('wants a scorecard for a report, and no model', async () => {
    expect(await main(['report', path.join(home, 'empty')])).toBe(2);
    expect(said()).toContain('Run `deliberate eval`');
  });
});

describe('loadConfig', () => {
  it('lays flags on the file on the smoke settings on the defaults', async () => {
    const file = path.join(home, 'mine.yaml');
    await writeFile(file, 'name: mine\nspec: policy\nprompts: { file: data/p.jsonl }\nrl: { steps: 7 }\n');
    const config = await loadConfig(file, { smoke: true, set: ['judge.runs=4', 'engine.adapter=null', 'prompts.train=9'] });
    expect(config).toMatchObject({
      name: 'mine',
      spec: path.join(home, 'policy'),
      rl: { steps: 7, promptsPerStep: 2 },
      judge: { runs: 4 },
      engine: { adapter: null },
    });
    expect(config.prompts).toMatchObject({ file: path.join(home, 'data', 'p.jsonl'), train: 9, ordinary: smokeSettings.prompts.ordinary });
  });

  it('takes an empty file, and paths of flags from the working folder', async () => {
    const file = path.join(home, 'empty.yaml');
    await writeFile(file, '');
    expect((await loadConfig(file, { set: ['spec=policy'] })).spec).toBe(path.resolve('policy'));
    await writeFile(file, 'a: [');
    await expect(loadConfig(file, {})).rejects.toThrow(`${file}: is not YAML`);
    await expect(loadConfig(undefined, { set: ['steps'] })).rejects.toThrow('write it as section.setting=value');
  });
});

describe('printable', () => {
  it('takes the power out of what a model writes', () => {
    expect(printable('a\u001b[2Jb\u0007\r\nc\td\u202e')).toBe('a\ufffd[2Jb\ufffd\nc\td\ufffd');
  });
});
