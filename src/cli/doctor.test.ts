import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { startScriptedServer } from '../engines/openai/scripted-server.js';
import { writeSpellingModel } from '../lm/spelling-model.js';
import { initProject } from './init-command.js';
import { main } from './main.js';

let home: string;
let project: string;
let out: string[];
let errors: string[];
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-doctor-'));
  project = path.join(home, 'project');
  await initProject(project);
  await writeSpellingModel(path.join(home, 'tiny'), 'llama-tied');
});
afterAll(() => rm(home, { recursive: true, force: true }));
beforeEach(() => {
  out = [];
  errors = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => void out.push(text));
  vi.spyOn(console, 'error').mockImplementation((text: string) => void errors.push(text));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** What the doctor says of each need. */
const said = () => Object.fromEntries(out.map((line) => [line.slice(9, 29).trim(), `${line.slice(0, 7).trim()} ${line.slice(30)}`]));
const doctor = (...sets: string[]) =>
  main(['doctor', path.join(project, 'config.yaml'), ...sets.flatMap((one) => ['--set', one]), '--set', 'engine.memoryGb=0.5']);

it('finds everything that a new project needs, and that its parts work', async () => {
  expect(await doctor(`engine.model=${path.join(home, 'tiny')}`, 'engine.adapter=null')).toBe(0);
  expect(said()).toMatchObject({
    Model: expect.stringContaining('tiny'),
    'ONNX Runtime': 'ok computes',
    DuckDB: expect.stringContaining('ok'),
    Specification: 'ok 2 categories',
    Prompts: expect.stringMatching(/^ok \d+ prompts$/),
  });
});

it('says of everything that is missing what to do, not of the first alone, and ends with 3', async () => {
  await writeFile(path.join(home, 'bad.jsonl'), 'no prompt\n');
  const missing = [
    'engine.model=not-a-model',
    `engine.adapter=${home}`,
    `spec=${path.join(home, 'none')}`,
    `prompts.file=${path.join(home, 'bad.jsonl')}`,
  ];
  expect(await doctor(...missing)).toBe(3);
  expect(said()).toMatchObject({
    Model: expect.stringMatching(/^missing .*not-a-model.*Give .*\.gguf/),
    'Reasoner adapter': expect.stringMatching(/^missing .*adapter_config\.json/),
    Specification: expect.stringMatching(/^missing .*none/),
    Prompts: expect.stringMatching(/^missing .*bad\.jsonl:1/),
    'ONNX Runtime': 'ok computes',
  });
  expect(errors.join()).toContain('Model, Reasoner adapter, Specification, Prompts: see above.');
});

it('asks the servers that the settings name, with their keys', async () => {
  const server = await startScriptedServer({ tell: () => ({ content: 'Yes.' }) });
  const judge = (more: string[] = []) =>
    doctor(
      `engine.model=${path.join(home, 'tiny')}`,
      'engine.adapter=null',
      'judge.engine=openai',
      `judge.baseUrl=${server.url}`,
      'judge.model=scripted',
      ...more,
    );
  try {
    expect(await judge()).toBe(0);
    expect(said()['Server: judge']).toContain('ok');
    expect(said()['Server: judge']).toContain('answers');
    vi.stubEnv('DOCTORS_KEY', '');
    expect(await judge(['judge.apiKeyEnv=DOCTORS_KEY'])).toBe(3);
    expect(said()['Server: judge']).toMatch(/^missing .*DOCTORS_KEY/);
  } finally {
    await server.close();
  }
});
