import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lintFolder } from '../align/spec/lint.js';
import { loadSpec } from '../align/spec/parse.js';
import { readJsonl } from '../base/jsonl.js';
import { silent } from '../base/progress.js';
import { SftRecord } from '../base/records.js';
import { createScriptedWorkbench } from '../engines/scripted.js';
import { loadPrompts } from '../prompts/load.js';
import { overlapAcrossSplits, splitPrompts } from '../prompts/split.js';
import { initProject } from './init-command.js';
import { runStages } from './run.js';
import { loadConfig, promptsFile, specFolder } from './settings.js';

let home: string;
let project: string;
let made: string[];
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-init-'));
  project = path.join(home, 'new', 'project');
  made = await initProject(project);
});
afterAll(() => rm(home, { recursive: true, force: true }));

describe('a new project', () => {
  it('has all its parts', () => {
    expect(made).toEqual(['.gitignore', 'README.md', 'config.yaml', 'policy', 'prompts.jsonl']);
  });

  it('has a policy without any finding: two categories, every kind of ruling', async () => {
    const policy = path.join(project, 'policy');
    const countTokens = (text: string) => Math.ceil(text.length / 4);
    expect(await lintFolder(policy, { countTokens, maxTokens: 800 })).toEqual([]);
    const spec = await loadSpec(policy);
    expect(spec.categories.map(({ name, clauses }) => [name, clauses.length])).toEqual([
      ['orders', 6],
      ['refunds', 6],
    ]);
    for (const { clauses } of spec.categories) expect(new Set(clauses.map(({ ruling }) => ruling)).size).toBe(3);
  });

  it('has prompts for every category and kind in every split, and no near-duplicates across', async () => {
    const split = splitPrompts(await loadPrompts(path.join(project, 'prompts.jsonl')), { seed: 0 });
    expect(overlapAcrossSplits(split)).toEqual([]);
    for (const name of ['train', 'validation', 'test']) {
      const cells = new Set(split.filter((prompt) => prompt.split === name).map(({ category, ideal }) => `${category} ${ideal}`));
      expect(cells.size, name).toBe(7);
    }
  });

  it('runs as it is, from the first stage to the report', async () => {
    const config = await loadConfig(path.join(project, 'config.yaml'), { set: ['eval.plain=4', 'rl.steps=1'] });
    expect(specFolder(config)).toBe(path.join(project, 'policy'));
    const root = path.join(project, 'runs', 'shop');
    const { scorecard, report } = await runStages({
      root,
      // The scripted model counts a letter where the settings mean a token of four.
      config: {
        ...config,
        generate: { ...config.generate, maxTokens: 400, specTokens: 1200 },
        judge: { ...config.judge, maxTokens: 400 },
        eval: { ...config.eval, maxTokens: 400 },
      },
      spec: await loadSpec(specFolder(config)),
      prompts: await loadPrompts(promptsFile(config)),
      bench: createScriptedWorkbench(),
      progress: silent,
      codeVersion: 'test',
    });
    expect((await readJsonl(path.join(root, 'sft.jsonl'), SftRecord)).length).toBeGreaterThan(10);
    expect(scorecard?.results.find(({ arm, suite }) => arm === 'sft' && suite === 'forbidden-plain')?.rows).toBe(4);
    expect(await readFile(report!, 'utf8')).toContain('<html');
  });

  it('is not made where something lies already', async () => {
    await expect(initProject(project)).rejects.toThrow('is not empty (.gitignore, README.md, config.yaml, …)');
    const file = path.join(home, 'file');
    await writeFile(file, 'mine');
    await expect(initProject(file)).rejects.toThrow('is a file');
    const other = path.join(home, 'other');
    await rm(other, { recursive: true, force: true });
    await initProject(other);
    expect(await readdir(path.join(other, 'policy'))).toEqual(['orders.md', 'principles.md', 'refunds.md', 'styles.md']);
  });
});
