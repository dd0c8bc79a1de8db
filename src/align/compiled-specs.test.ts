import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseConfig } from '../base/config.js';
import { packageRoot } from '../base/package-root.js';
import { silent } from '../base/progress.js';
import type { Prompt } from '../base/records.js';
import { RunPaths } from '../base/run-folder.js';
import { createScriptedWorkbench } from '../engines/scripted.js';
import { specsOf } from './compiled-specs.js';
import { generate } from './generate.js';
import { runBudget } from './spec/budget.js';
import { compileSpec } from './spec/compile.js';
import { loadSpec } from './spec/parse.js';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-specs-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const countTokens = (text: string) => Math.ceil(text.length / 4);

it('gives spec show and spec lint what a run with the default settings gives its model', async () => {
  const spec = await loadSpec(path.join(packageRoot, 'spec'));
  const specs = specsOf(spec, parseConfig({}, 'test'), { countTokens, layout: 'shared' });
  for (const { name } of spec.categories) expect(compileSpec(spec, name, { ...runBudget, countTokens }).text).toBe(specs.text(name));
});

it('says once a category, as generation begins, what models do not see', async () => {
  const spec = await loadSpec(path.join(packageRoot, 'spec'));
  const bench = { ...createScriptedWorkbench(), countTokens };
  const config = parseConfig({ generate: { samples: 1, specTokens: 560 } }, 'test');
  const said: string[] = [];
  const ask = (name: string) => {
    const prompts = ['violence', 'violence', 'none'].map((category, i): Prompt => {
      const content = `What is number ${i}?`;
      return {
        id: `p${i}`,
        request: `p${i}`,
        messages: [{ role: 'user', content }],
        category,
        technique: 'none',
        tags: [],
        source: 'test',
      };
    });
    const progress = { ...silent, say: (line: string) => void said.push(line) };
    return generate({ paths: new RunPaths(path.join(home, name)), config, specs: specsOf(spec, config, bench), bench, progress }, prompts);
  };
  expect(await ask('tight')).toHaveLength(3);
  expect(said).toEqual([
    expect.stringMatching(
      /^generate: models do not see all of violence: clause V\d+.* did not fit generate\.specTokens \(560\); raise it, or shorten the policy\.$/,
    ),
  ]);
  // What is made already is not asked again.
  await ask('tight');
  expect(said).toHaveLength(1);
});
