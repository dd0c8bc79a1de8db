import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commitOf, Made, madeWith } from './made-with.js';

describe('what a study was made with', () => {
  let folder: string;
  const git = (...asked: string[]) =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...asked], { encoding: 'utf8' }).trim();
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'deliberate-made-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('names the commit, whether the code differs from it, and none where the folder is no checkout', async () => {
    expect(await commitOf(folder)).toBeNull();
    await mkdir(path.join(folder, 'src'));
    await writeFile(path.join(folder, 'src', 'a.ts'), '1');
    await writeFile(path.join(folder, 'result.json'), '1');
    git('init', '-q');
    git('add', '.');
    git('commit', '-q', '-m', 'first');
    const commit = git('rev-parse', 'HEAD');
    await writeFile(path.join(folder, 'result.json'), '2');
    expect(await commitOf(folder)).toBe(commit);
    // As of a package that is installed in somebody's project.
    expect(await commitOf(path.join(folder, 'src'))).toBeNull();
    await writeFile(path.join(folder, 'src', 'a.ts'), '2');
    expect(await commitOf(folder)).toBe(`${commit}-dirty`);
  });

  it('names processor and runtime', async () => {
    const made = Made.parse(await madeWith());
    expect(made.cpu.cores).toBe(os.cpus().length);
    expect(made.packages['onnxruntime-node']).toMatch(/^\d+\.\d+\.\d+/);
  });
});
