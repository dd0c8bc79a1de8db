/** Starts the scripted server in a process of its own, as real servers have one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { dependencyError } from '../src/base/errors.js';
import type { Behaviour, Work } from './server-behaviour.js';

/** A compiled program of this folder; tests run from sources, beside dist. */
export const compiled = (name: string): string =>
  fileURLToPath(new URL(`${import.meta.url.endsWith('.ts') ? '../dist/bench' : '.'}/${name}.js`, import.meta.url));

export interface ServerProcess {
  url: string;
  figures(): Promise<Work & { mostInFlight: number }>;
  close(): Promise<void>;
}

/** @throws dependency error when it does not start */
export async function startServerProcess(behaviour: Behaviour): Promise<ServerProcess> {
  const child = spawn(process.execPath, [compiled('server-program'), JSON.stringify(behaviour)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const line = async (pattern: RegExp): Promise<number[]> => {
    const data = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    const numbers = pattern.exec(String(data[0]))?.slice(1).map(Number);
    if (numbers === undefined) throw dependencyError(`the scripted server ended before it served. Run \`npm run build\`, then again.`);
    return numbers;
  };
  const [port] = await line(/^port (\d+)/);
  return {
    url: `http://127.0.0.1:${port}`,
    figures: async () => {
      child.stdin.write('?');
      const [taken = 0, milliseconds = 0, mostInFlight = 0] = await line(/^figures (\d+) ([\d.e+]+) (\d+)/);
      return { taken, milliseconds, mostInFlight };
    },
    close: async () => {
      const gone = once(child, 'exit');
      child.stdin.end();
      await gone;
    },
  };
}
