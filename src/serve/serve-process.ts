/** `deliberate serve`, compiled, as a process of its own. For tests and proofs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { packageRoot } from '../base/package-root.js';

export interface ServeProcess {
  child: ChildProcess;
  /** As it printed it. */
  address: string;
  /** All that it has written. */
  written: () => string;
  /** Its exit code; null where a signal ended it. */
  exit: Promise<number | null>;
}

/** @param args behind `serve` @returns once it listens @throws Error with what it wrote, where it ends before that */
export async function startServe(args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Promise<ServeProcess> {
  const main = path.join(packageRoot, 'dist', 'src', 'cli', 'main.js');
  const child = spawn(process.execPath, [main, 'serve', ...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = once(child, 'close').then(([code]) => code as number | null);
  let written = '';
  const address = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => {
        written += data.toString();
        const found = /http:\/\/[\d.]+:\d+/.exec(written);
        if (found !== null) resolve(found[0]);
      });
    exit.then(() => reject(new Error(`serve ended: ${written}`)), reject);
  });
  return { child, address, written: () => written, exit };
}
