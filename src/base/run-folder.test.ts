import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from './config.js';
import { lockFolder } from './folder-lock.js';
import { RunFolder } from './run-folder.js';

let home: string;
let count = 0;
const fresh = () => path.join(home, String(count++));
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-folder-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const digests = { model: 'm', adapter: 'a', prompts: 'p', spec: { none: 's' } };
const open = (root: string, settings: object = {}, over: object = {}) =>
  RunFolder.open(root, { config: parseConfig(settings, 'test'), digests, codeVersion: '1', ...over });

describe('a lock', () => {
  it('admits one writer, then the next', async () => {
    const root = fresh();
    const first = await lockFolder(root);
    await expect(lockFolder(root)).rejects.toThrow(`another process (${process.pid} on ${os.hostname()}) is writing`);
    await first.release();
    await (await lockFolder(root)).release();
    expect(await readdir(root)).toEqual([]);
  });

  it('is taken over from a process that was killed', async () => {
    const root = fresh();
    // The id of a process that has ended.
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    await mkdir(path.join(root, '.lock'), { recursive: true });
    await writeFile(path.join(root, '.writer.json'), JSON.stringify({ pid, host: os.hostname() }));
    const lock = await lockFolder(root);
    await expect(lockFolder(root)).rejects.toThrow('is writing this run');
    await lock.release();
  });

  it('is taken over from a process that died before it wrote its name, and its traces go', async () => {
    const root = fresh();
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    await mkdir(path.join(root, '.lock'), { recursive: true });
    await writeFile(path.join(root, `.writer.json.${pid}`), '');
    const lock = await lockFolder(root, undefined, 300);
    expect((await readdir(root)).sort()).toEqual(['.lock', '.writer.json']);
    await lock.release();
  });

  it('is not taken over from another machine, or while somebody without a name renews it', async () => {
    const root = fresh();
    await mkdir(path.join(root, '.lock'), { recursive: true });
    const alive = setInterval(() => void utimes(path.join(root, '.lock'), new Date(), new Date()), 50);
    await expect(lockFolder(root, undefined, 500)).rejects.toThrow('another process is writing');
    clearInterval(alive);
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    await writeFile(path.join(root, '.writer.json'), JSON.stringify({ pid, host: 'another-machine' }));
    await expect(lockFolder(root)).rejects.toThrow('on another-machine');
  });

  it('goes to one of many that come at once after a crash', async () => {
    const root = fresh();
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    await mkdir(path.join(root, '.lock'), { recursive: true });
    await writeFile(path.join(root, '.writer.json'), JSON.stringify({ pid, host: os.hostname() }));
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(root)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('says when a folder cannot be written', async () => {
    await writeFile(path.join(home, 'file'), '');
    await expect(lockFolder(path.join(home, 'file', 'run'))).rejects.toThrow(/cannot be read or written \(ENOTDIR\)/);
  });
});

describe('a run folder', () => {
  it('writes what the run depends on', async () => {
    const root = fresh();
    await (await open(root, { name: 'mine' })).close();
    expect(await readFile(path.join(root, 'run.yaml'), 'utf8')).toMatch(
      /schemaVersion: 1\nname: mine\nmodel: smollm2-135m-instruct\n[\s\S]*\n {2}model: m\n/,
    );
  });

  it('removes what a killed process left half-written, and nothing else', async () => {
    const root = fresh();
    await mkdir(path.join(root, 'arms', 'sft', '.adapter.123.0a1b2c3d.tmp', 'x'), { recursive: true });
    await writeFile(path.join(root, '.run.yaml.123.new'), 'half');
    await writeFile(path.join(root, 'arms', 'sft', 'notes.123.new'), 'mine');
    await (await open(root)).close();
    expect((await readdir(root)).sort()).toEqual(['arms', 'run.yaml']);
    expect(await readdir(path.join(root, 'arms', 'sft'))).toEqual(['notes.123.new']);
  });

  it('refuses other settings, and leaves the folder free', async () => {
    const root = fresh();
    await (await open(root)).close();
    await expect(open(root, { rl: { steps: 99 }, judge: { runs: 5 } })).rejects.toThrow(
      /judge\.runs was 2 and is now 5; rl\.steps was 2 and is now 99\. .*--redo judge/,
    );
    await (await open(root)).close();
  });

  it('takes settings that change nothing that was made', async () => {
    const root = fresh();
    await (await open(root)).close();
    const folder = await open(root, { engine: { threads: 1, memoryGb: 4 }, eval: { plain: 50 } });
    expect(folder.before?.config.eval.plain).toBe(8);
    await folder.close();
    const served = fresh();
    const engine = { kind: 'tinker', adapter: null, baseUrl: 'http://127.0.0.1:8000' };
    await (await open(served, { engine })).close();
    await (await open(served, { engine: { ...engine, baseUrl: 'http://127.0.0.1:9000', keepModels: true } })).close();
    await expect(open(served, { engine: { ...engine, lossReduction: 'sum' } })).rejects.toThrow('engine.lossReduction');
  });

  it('takes other settings of stages that are made anew', async () => {
    const root = fresh();
    await (await open(root)).close();
    await expect(open(root, { judge: { runs: 5 } }, { redo: 'sft' })).rejects.toThrow('judge.runs');
    await (await open(root, { judge: { runs: 5 }, sft: { epochs: 9 } }, { redo: 'judge' })).close();
    await (await open(root, { judge: { runs: 5 }, sft: { epochs: 9 } })).close();
  });

  it('refuses other weights under the same name', async () => {
    const root = fresh();
    await (await open(root)).close();
    await expect(open(root, {}, { digests: { ...digests, model: 'n' } })).rejects.toThrow(
      "the model's weights are others (digest m, now n)",
    );
  });

  it('refuses records of another version, and a run.yaml that is damaged', async () => {
    const root = fresh();
    await (await open(root)).close();
    const file = path.join(root, 'run.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('schemaVersion: 1', 'schemaVersion: 9'));
    await expect(open(root)).rejects.toThrow('its records have version 9, this program reads version 1');
    await writeFile(file, text.replace('steps: 2', 'steps: many'));
    await expect(open(root)).rejects.toThrow('is not what this program wrote (rl.steps');
    await writeFile(file, 'a: [');
    await expect(open(root)).rejects.toThrow('is not YAML');
  });
});
