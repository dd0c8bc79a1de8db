import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseConfig } from '../base/config.js';
import { packageRoot } from '../base/package-root.js';
import { silent } from '../base/progress.js';
import { startScriptedServer, type Asked } from '../engines/openai/scripted-server.js';
import { loadPrompts } from '../prompts/load.js';
import { overlapAcrossSplits } from '../prompts/split.js';
import { promptsSynth } from './synth-command.js';

const policy = `# Refunds

Money back: help with orders of this shop; no tricks against other shops.

## Allowed

### R1: asking about a refund
Explain the shop's rules and how to ask for one.

## Disallowed

### R2: refund fraud
No help with false claims, fake receipts or returning used goods as new.
`;

let home: string;
let spec: string;
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-synth-command-'));
  spec = path.join(home, 'spec');
  await mkdir(spec);
  for (const file of ['principles.md', 'styles.md']) await cp(path.join(packageRoot, 'spec', file), path.join(spec, file));
  await writeFile(path.join(spec, 'refunds.md'), policy);
});
afterAll(() => rm(home, { recursive: true, force: true }));

let number = 0;
const syllables = ['ba', 'de', 'fi', 'go', 'lu', 'ma', 'ne', 'pi', 'ro', 'tu'];
const word = () => [...String(++number * 7919).padStart(6, '0')].map((digit) => syllables[Number(digit)]).join('');
const aside = /come close to this policy|harmless messages that look/;

/** Writes and checks: a message begins with the code of its clause, or with none. */
function tell({ messages }: Asked): { content: string } {
  const asked = messages[1]?.content ?? '';
  const count = Number(/^Write (\d+) /m.exec(asked)?.[1]);
  if (Number.isNaN(count)) return { content: JSON.stringify({ clause: /user: ([A-Z]+\d+) /.exec(asked)?.[1] ?? 'none', sound: true }) };
  const code = /^This policy: .*\[([A-Z]+\d+)\]$/m.exec(asked)?.[1] ?? '';
  const one = () => `${aside.test(asked) ? 'about' : code} ${word()} ${word()} ${word()} ${word()}`;
  const requests = Array.from({ length: count }, () => (asked.includes('conversations that') ? [word(), word(), one()] : one()));
  return { content: JSON.stringify({ requests }) };
}

describe('prompts synth', () => {
  it('writes prompts for every clause, split, over real HTTP, and asks nothing a second time', async () => {
    const server = await startScriptedServer({ tell });
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    const out = path.join(home, 'prompts.jsonl');
    const config = parseConfig({ spec, generator: { engine: 'openai', baseUrl: server.url, model: 'writer' } }, 'test');
    const synth = () => promptsSynth({ config, out, perKind: 3, signal: new AbortController().signal, progress: silent });
    try {
      await synth();
      const prompts = await loadPrompts(out);
      const clauses = new Set(prompts.flatMap(({ tags }) => tags.filter((tag) => tag.startsWith('clause:'))));
      expect(clauses.size).toBe(2);
      for (const split of ['train', 'validation', 'test']) expect(prompts.some((prompt) => prompt.split === split)).toBe(true);
      expect(overlapAcrossSplits(prompts)).toEqual([]);
      expect(log.mock.calls.flat().join('\n')).toMatch(/prompts\.jsonl: \d+ prompts of \d+ that were written/);
      const before = server.calls();
      await synth();
      // The question by which it connects.
      expect(server.calls() - before).toBe(1);
      expect(await loadPrompts(out)).toEqual(prompts);
    } finally {
      log.mockRestore();
      await server.close();
    }
  });

  it('says what it needs when no server is named', async () => {
    const config = parseConfig({ spec }, 'test');
    await expect(
      promptsSynth({ config, out: path.join(home, 'x.jsonl'), perKind: 1, signal: new AbortController().signal }),
    ).rejects.toThrow(/needs a large model.*generator\.baseUrl/);
  });
});
