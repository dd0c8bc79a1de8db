/** Exports of models out of a run that the embedded engine could have trained: a tiny model with a finished arm. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../base/config.js';
import { packageRoot } from '../base/package-root.js';
import { schemaVersion } from '../base/records.js';
import { RunPaths } from '../base/run-folder.js';
import { createEmbeddedEngine } from '../engines/embedded/index.js';
import { readAdapter } from '../lm/peft.js';
import { writeSpellingModel } from '../lm/spelling-model.js';
import { sampleReportData } from '../report/sample-data.js';
import { exportRun, type ExportOptions } from './export-run.js';
import { goTemplate } from './ollama.js';

let home: string;
let root: string;
let model: string;

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-export-'));
  model = path.join(home, 'model');
  root = path.join(home, 'run');
  await writeSpellingModel(model, 'llama-tied');
  const config = parseConfig({ name: 'tiny', engine: { model, adapter: null, rank: 4, alpha: 8 } }, 'test');
  const digests = { model: 'm1', adapter: 'none', prompts: 'p1', spec: { none: 'n1', refunds: 'r1' } };
  await mkdir(root);
  await writeFile(path.join(root, 'run.yaml'), stringify({ schemaVersion, name: 'tiny', model, codeVersion: 'test', config, digests }));
  const paths = new RunPaths(root);
  const arm = paths.training('sft', 'sft');
  await mkdir(arm, { recursive: true });
  await cp(path.join(packageRoot, 'fixtures', 'llama-tied', 'adapter'), paths.adapter('sft', 'sft'), { recursive: true });
  await writeFile(path.join(arm, 'training.json'), JSON.stringify({ key: 'k', step: 3, best: null, done: true }));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const start = (to: ExportOptions['to'], over: Partial<ExportOptions> = {}) =>
  exportRun({ root, to, type: 'f32', judgeUrl: 'http://127.0.0.1:1', model: async (name) => name, baseAdapter: () => null, ...over });

/** What a model says, greedily. */
async function greedy(where: string, adapter?: string): Promise<string> {
  const shape = adapter === undefined ? { rank: 1, alpha: 1 } : await readAdapter(adapter).then(({ r, alpha }) => ({ rank: r, alpha }));
  const engine = await createEmbeddedEngine({ model: where, threads: 1, ...shape, ...(adapter !== undefined && { adapter }) });
  try {
    const { choices } = await engine.policy.chat({
      messages: [{ role: 'user', content: 'Tell me of the sea.' }],
      maxTokens: 24,
      temperature: 0,
    });
    return choices[0]!.text;
  } finally {
    await engine.close();
  }
}

describe('exported models', () => {
  it('say in our own engine what base and adapter say, as PEFT, as a merged folder and as GGUF', async () => {
    const expected = await greedy(model, new RunPaths(root).adapter('sft', 'sft'));
    expect(expected).not.toBe(await greedy(model));
    const { folder: adapter } = await start('peft');
    expect(await greedy(model, adapter)).toBe(expected);
    const { folder: merged } = await start('merged');
    expect(await greedy(merged)).toBe(expected);
    const { folder: gguf } = await start('gguf');
    expect(await greedy(path.join(gguf, 'model.gguf'))).toBe(expected);
  });

  it('carry a card with specification, data, scores and limits, and no path of this machine', async () => {
    for (const to of ['peft', 'merged', 'gguf', 'gguf-lora', 'ollama'] as const) {
      const { folder } = await start(to);
      const card = await readFile(path.join(folder, 'README.md'), 'utf8');
      expect(card.startsWith('---\nbase_model: "model"\n')).toBe(true);
      for (const heading of ['## Specification', '## Data', '## Scores', '## Limits']) expect(card).toContain(heading);
      expect(card).toContain('| refunds | `r1` |');
      expect(card).toContain('This arm has not been evaluated');
      expect(card).not.toContain(home);
    }
  });

  it('say in the card how good the arm is beside the base, with intervals, and how much was left unscored', async () => {
    const { scorecard, funnel } = sampleReportData();
    const paths = new RunPaths(root);
    await writeFile(paths.scorecard(), JSON.stringify(scorecard));
    await writeFile(paths.funnel(), JSON.stringify(funnel));
    try {
      const card = await readFile(path.join((await start('peft')).folder, 'README.md'), 'utf8');
      expect(card).toContain('| suite | metric | base | sft |');
      for (const { title, metric } of scorecard.suites) expect(card).toContain(`| ${title} | ${metric} | `);
      expect(card).toMatch(
        /\| Forbidden, plain \| [^|]+ \| \.\d\d \(\.\d\d–\.\d\d, n = 24, 1 unscored\) \| \.\d\d \(\.\d\d–[.1]\d+, n = 24\) \|/,
      );
      expect(card).toContain('Prompts 420 → Completions 1680 →');
    } finally {
      await rm(paths.scorecard());
      await rm(paths.funnel());
    }
  });

  it('hold the files that others look for', async () => {
    const files = async (to: ExportOptions['to']) => (await readdir((await start(to)).folder)).sort();
    const always = ['README.md', 'export.json'];
    const tokenizer = ['chat_template.jinja', 'tokenizer.json', 'tokenizer_config.json'];
    expect(await files('peft')).toEqual([...always, 'adapter_config.json', 'adapter_model.safetensors', ...tokenizer].sort());
    expect(await files('merged')).toEqual([...always, 'config.json', 'generation_config.json', 'model.safetensors', ...tokenizer].sort());
    expect(await files('gguf')).toEqual([...always, 'model.gguf'].sort());
    expect(await files('gguf-lora')).toEqual([...always, 'adapter.gguf'].sort());
    expect(await files('ollama')).toEqual([...always, 'Modelfile', 'model.gguf'].sort());
  });

  it('frame turns in Ollama as the chat template does', async () => {
    const { folder } = await start('ollama');
    const text = await readFile(path.join(folder, 'Modelfile'), 'utf8');
    expect(text).toMatch(/^FROM \.\/model\.gguf\nTEMPLATE """\{\{- \$last := "" \}\}/);
    expect(text).toContain('else if eq .Role "user" }}{{ "<|user|>" }}');
    expect(text).toContain('{{ "<|im_end|><|assistant|>" }}{{- end }}"""');
    expect(text).toContain('PARAMETER stop "<|im_end|>"');
    const go = goTemplate({
      between: new Map([
        ['>user', '[U]'],
        ['user>user', '\n"x"'],
      ]),
      generation: new Map([['user', '']]),
    });
    expect(go).toBe(
      '{{- $last := "" }}{{- range .Messages }}{{- if eq $last "" }}{{- if eq .Role "user" }}{{ "[U]" }}{{- end }}{{- else if eq $last "user" }}{{- if eq .Role "user" }}{{ "\\n\\"x\\"" }}{{- end }}{{- end }}{{ .Content }}{{- $last = .Role }}{{- end }}{{- if eq $last "user" }}{{- end }}',
    );
  });

  it('are written again over an earlier export, and never over anything else', async () => {
    const out = path.join(home, 'mine');
    await mkdir(out);
    await start('gguf-lora', { out });
    await start('gguf-lora', { out });
    await rm(path.join(out, 'export.json'));
    await expect(start('gguf-lora', { out })).rejects.toThrow('holds something else');
    expect(await readdir(out)).toContain('adapter.gguf');
  });

  it('are refused, with what to do, where there is nothing to export', async () => {
    await expect(start('peft', { arm: 'sft+rl' })).rejects.toThrow('Run `deliberate rl');
    await expect(start('peft', { arm: 'base+spec' })).rejects.toThrow('no weights of its own');
    await expect(start('peft', { arm: 'base' })).rejects.toThrow('without an adapter');
    await expect(start('gguf', { root: path.join(home, 'nowhere') })).rejects.toThrow('run.yaml is missing');
    const { folder } = await start('merged', { arm: 'base' });
    expect(await greedy(folder)).toBe(await greedy(model));
  });
});
