/** A run on a disk that is too small, at many sizes: it stops with a sentence, and goes on when there is room. Needs root for the mount. */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { exitCodes } from '../src/base/errors.js';
import { contentsOf, differences, scriptedRun } from './scripted-run.js';
import { times, type FaultOptions, type Figures } from './section.js';

export const fullSizes = 24;
const kilobyte = 1024;
const page = 4;

export async function fullDisk(options: FaultOptions): Promise<Figures> {
  const { home, say } = options;
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return { lines: ['Skipped: only root may mount a small tmpfs.'], failures: [] };
  const disk = path.join(home, 'disk');
  await mkdir(disk, { recursive: true });
  try {
    mount(disk, 65_536);
  } catch (error) {
    return { lines: [`Skipped: no tmpfs can be mounted here (${(error as Error).message.split('\n')[0]}).`], failures: [] };
  }
  try {
    return await onDisk(disk, times(fullSizes, options), say);
  } finally {
    execFileSync('umount', ['-l', disk]);
  }
}

const mount = (disk: string, kilobytes: number) =>
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', disk], { stdio: 'pipe' });
const resize = (disk: string, kilobytes: number) => execFileSync('mount', ['-o', `remount,size=${kilobytes}k`, disk], { stdio: 'pipe' });

async function onDisk(disk: string, sizes: number, say: FaultOptions['say']): Promise<Figures> {
  const whole = path.join(disk, 'whole', 'run');
  if ((await scriptedRun(whole)).code !== 0) return { lines: [], failures: ['the undisturbed run fails'] };
  const expected = await contentsOf(whole);
  const used = [...expected.values()].reduce((sum, text) => sum + Math.ceil(Buffer.byteLength(text) / kilobyte / page) * page, 0);
  const failures: string[] = [];
  const stages = new Map<string, number>();
  let [full, went] = [0, 0];
  for (let n = 0; n < sizes; n++) {
    const root = path.join(disk, String(n), 'run');
    // Room for the finished run that lies there already, and for a part of this one.
    const taken = Number(execFileSync('du', ['-sk', disk]).toString().split('\t')[0]);
    const size = taken + Math.ceil((used * (n + 0.5)) / sizes);
    resize(disk, size);
    const stopped = await scriptedRun(root);
    if (stopped.code === exitCodes.dependency && stopped.errors.includes('The disk is full')) {
      full++;
      stages.set(stopped.stage, (stages.get(stopped.stage) ?? 0) + 1);
    } else if (stopped.code !== 0) failures.push(`with ${size} kB: code ${stopped.code}, ${stopped.errors.trim().slice(0, 600)}`);
    resize(disk, 65_536);
    const gone = await scriptedRun(root);
    const { differ } = gone.code === 0 ? differences(expected, await contentsOf(root)) : { differ: [gone.errors.trim()] };
    if (differ.length > 0) failures.push(`with ${size} kB, then room: ${differ.join('; ')}`);
    else went++;
    execFileSync('rm', ['-rf', path.dirname(root)]);
    say(`${n + 1}/${sizes} sizes, full ${full}, equal in the end ${went}`);
  }
  if (full === 0) failures.push('no disk was full: nothing was shown');
  const where = [...stages].map(([stage, count]) => `${stage} ${count}`).join(', ');
  return {
    lines: [
      `A run needs ${used} kB. On ${sizes} disks from ${Math.ceil((used * 0.5) / sizes)} kB up: ${full} were full before its end (in ${where}), each with exit code ${exitCodes.dependency} and a sentence; after room was made the same command went on, and ${went} of ${sizes} final folders equal the undisturbed one.`,
    ],
    failures,
  };
}
