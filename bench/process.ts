/** Starts a measuring process and reads the result that it prints. */
import { spawn } from 'node:child_process';
import { dependencyError } from '../src/base/errors.js';
import { resultMark } from './workload.js';

/** @throws dependency error with the last lines that the process wrote, when it fails or gives no result */
export function runAndRead(program: string, args: readonly string[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4000)));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const line = output.split('\n').find((text) => text.startsWith(resultMark));
      if (line !== undefined) resolve(JSON.parse(line.slice(resultMark.length)));
      else reject(dependencyError(`${program} ${args.join(' ')} ended with ${signal ?? `code ${code}`} and no result:\n${errors}`));
    });
  });
}
