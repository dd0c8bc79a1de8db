import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../src/base/package-root.js';

/** Who imports what, and whether the linter lets it pass. */
const cases: [file: string, specifier: string, allowed: boolean][] = [
  ['src/base/a.ts', '../tensor/graph.js', false],
  ['src/tensor/a.ts', '../base/errors.js', true],
  ['src/tensor/b.ts', '../lm/llama.js', false],
  ['src/lm/a.ts', '../tensor/graph.js', true],
  ['src/lm/b.ts', '../prompts/load.js', false],
  ['src/engines/embedded/a.ts', '../../lm/trainer.js', true],
  ['src/engines/embedded/b.ts', '../../align/judge.js', false],
  ['src/align/spec/a.ts', '../../engines/types.js', true],
  ['src/align/spec/b.ts', '../../evals/suites.js', false],
  ['src/align/c.ts', '../engines/embedded/index.js', false],
  ['src/align/d.ts', '../prompts/load.js', true],
  ['src/evals/a.ts', '../align/judge.js', true],
  ['src/evals/b.ts', '../report/report.js', false],
  ['src/report/a.ts', '../cli/run.js', false],
  ['src/report/b.ts', '../evals/scorecard.js', true],
  ['src/prompts/a.ts', '../base/records.js', true],
  ['src/prompts/b.ts', '../lm/tokenizer.js', false],
  ['src/cli/a.ts', '../report/report.js', true],
  ['src/cli/b.ts', '../../scripts/build-prompts.js', false],
  ['recipes/reasoner/a.ts', '../../src/align/judge.js', true],
  ['src/tensor/c.ts', 'onnxruntime-node', true],
  ['src/lm/c.ts', 'onnxruntime-node', false],
  ['bench/a.ts', 'onnxruntime-node', false],
];

describe('the rule that imports go downward', () => {
  let folder: string;
  let refused: Set<string>;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'import-rule-'));
    await copyFile(path.join(packageRoot, 'oxlint.config.mjs'), path.join(folder, 'oxlint.config.mjs'));
    for (const [file, specifier] of cases) {
      await mkdir(path.join(folder, path.dirname(file)), { recursive: true });
      await writeFile(path.join(folder, file), `import type { A } from '${specifier}';\nexport type B = A;\n`);
    }
    const oxlint = path.join(packageRoot, 'node_modules', 'oxlint', 'bin', 'oxlint');
    const { stdout } = await promisify(execFile)(process.execPath, [oxlint, '-c', 'oxlint.config.mjs', '-f', 'json'], {
      cwd: folder,
    }).catch((error: { stdout: string }) => error);
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] };
    refused = new Set(
      diagnostics.filter(({ code }) => code.includes('no-restricted-imports')).map(({ filename }) => filename.replaceAll('\\', '/')),
    );
  }, 30_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(cases)('%s imports %s: %s', (file, _specifier, allowed) => expect(refused.has(file)).toBe(!allowed));
});
