import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeFolder } from './make-folder.js';
import { packageRoot } from './package-root.js';

let home: string;
beforeAll(async () => void (home = await mkdtemp(path.join(os.tmpdir(), 'folders-'))));
afterAll(() => rm(home, { recursive: true, force: true }));

it('makes a folder and all above it, and is content with one that is there', async () => {
  const folder = path.join(home, 'a', 'b', 'c');
  // Several at once: each may find that another was faster.
  await Promise.all([makeFolder(folder), makeFolder(folder), makeFolder(path.join(folder, 'd'))]);
  await makeFolder(folder);
  await makeFolder(path.parse(home).root);
  expect((await stat(path.join(folder, 'd'))).isDirectory()).toBe(true);
});

it('names what stands in the way', async () => {
  const file = path.join(home, 'file');
  await writeFile(file, '');
  await expect(makeFolder(file)).rejects.toThrow(`${file}: cannot be read or written (EEXIST). Check the folder's rights`);
  await expect(makeFolder(path.join(file, 'a', 'b'))).rejects.toThrow('(ENOTDIR)');
  await expect(makeFolder(file)).rejects.toMatchObject({ kind: 'dependency' });
});

it.runIf(process.platform === 'linux')('ends where no folder can be made, though none is refused', async () => {
  await expect(makeFolder('/proc/absent/a/b')).rejects.toThrow('/proc/absent: cannot be read or written (ENOENT)');
});

/** To call the other one in such a place would hang this test beyond all signals: it is looked for in the sources instead. */
it('is what everything uses that writes where a user says', async () => {
  /** Room and reason. */
  const exempt = [
    'studies', // below the folder of a study, which is there once it is locked
    'view', // made-run.ts: runs made for tests
  ];
  const source = path.join(packageRoot, 'src');
  const found: string[] = [];
  for (const name of await readdir(source, { recursive: true })) {
    if (!name.endsWith('.ts') || /\.test\.ts$|tiny-service\.ts$/.test(name) || exempt.includes(name.split(path.sep)[0] ?? '')) continue;
    if (/\bmkdir\([^;]*recursive: true/.test(await readFile(path.join(source, name), 'utf8'))) found.push(name);
  }
  expect(found).toEqual([]);
});
