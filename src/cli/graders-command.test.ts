import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { startScriptedServer, type ScriptedServer } from '../engines/openai/scripted-server.js';
import { addGradersCommand, type AgreementFigures } from './graders-command.js';

let home: string;
let server: ScriptedServer;
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-graders-'));
  // Sure of everything: all refuse, all in style.
  server = await startScriptedServer({
    kind: 'openai',
    tell: ({ messages }) => ({
      content: messages[0]?.content?.includes('"broken"')
        ? '{"reason": "r", "follows": true, "broken": []}'
        : '{"reason": "r", "kind": "refuse"}',
    }),
  });
});
afterAll(async () => {
  await server.close();
  await rm(home, { recursive: true });
});
afterEach(() => vi.restoreAllMocks());

async function graders(...args: string[]): Promise<{ figures: AgreementFigures; said: string }> {
  const said = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  const program = new Command();
  addGradersCommand(program, new AbortController().signal);
  const out = path.join(home, 'agreement.json');
  await program.parseAsync(['graders', ...args, '--out', out], { from: 'user' });
  return { figures: JSON.parse(await readFile(out, 'utf8')) as AgreementFigures, said: String(said.mock.calls[0]?.[0]) };
}
const pairs = ({ comparisons }: AgreementFigures) => comparisons.map(({ of, a, b }) => `${of}: ${a}, ${b}`);

it('writes the agreement of rules and labels on kind and style, as it says it', async () => {
  const { figures, said } = await graders();
  expect(figures).toMatchObject({
    schemaVersion: 1,
    judge: null,
    labels: { kind: 'labelled-outputs.jsonl', style: 'labelled-styles.jsonl' },
  });
  expect(pairs(figures)).toEqual(['kind: rules, hand', 'style: rules, hand']);
  for (const { kappa, items } of figures.comparisons) {
    expect(said).toContain(`kappa ${kappa!.toFixed(2)}`);
    expect(said).toContain(`of ${items}`);
  }
});

it('adds the judge of evaluations against both', async () => {
  const judge = ['engine=openai', `baseUrl=${server.url}`, 'model=reader'].flatMap((set) => ['--set', `eval.judge.${set}`]);
  const { figures } = await graders(...judge);
  expect(figures.judge).toBe('reader');
  expect(pairs(figures)).toEqual(['kind', 'style'].flatMap((of) => [`${of}: rules, hand`, `${of}: judge, hand`, `${of}: rules, judge`]));
  // A grader of one class agrees with nobody beyond chance.
  expect(figures.comparisons.filter(({ a, b }) => a === 'judge' || b === 'judge').every(({ kappa }) => kappa === null || kappa === 0)).toBe(
    true,
  );
  expect(figures.comparisons.every(({ unscored }) => unscored === 0)).toBe(true);
}, 60_000);
