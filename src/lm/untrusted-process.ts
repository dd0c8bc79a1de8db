/**
 * A small program of ours over input that is not trusted, in a process of its own: little memory, no variable of ours, a deadline.
 * A worker thread would not do: when one allocates too fast, Node ends the whole process.
 */
import { execFile } from 'node:child_process';

/** What it wrote; or that it took too long; or the code or signal that it ended with. */
export type Outcome = { output: string } | { late: true } | { failed: string };

/** On a busy machine Node itself takes seconds to start, which is no fault of the input. */
const startMs = 120_000;
const outputBytes = 1 << 26;

/**
 * @param program CommonJS as text, because it must run from TypeScript sources and from the build alike. It finds `input`, and calls
 * `begin()` once it has loaded what it needs: `deadline` milliseconds run from there
 */
export function runUntrusted(
  program: string,
  input: unknown,
  { deadline, memoryMegabytes }: { deadline: number; memoryMegabytes: number },
): Promise<Outcome> {
  const frame = `
const input = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const begin = () => require('node:fs').writeSync(2, '.');
${program}`;
  return new Promise((resolve) => {
    let late = false;
    const child = execFile(
      process.execPath,
      [`--max-old-space-size=${memoryMegabytes}`, '--eval', frame],
      {
        // No variable of ours reaches the child; Windows cannot start programs without this one.
        env: process.platform === 'win32' ? { SystemRoot: process.env['SystemRoot'] } : {},
        maxBuffer: outputBytes,
        windowsHide: true,
      },
      (error, output) => {
        clearTimeout(timer);
        if (!error) resolve({ output });
        else if (late) resolve({ late });
        else resolve({ failed: String(error.code ?? error.signal) });
      },
    );
    const end = () => {
      late = true;
      child.kill('SIGKILL');
    };
    let timer = setTimeout(end, startMs);
    child.stderr?.once('data', () => {
      clearTimeout(timer);
      timer = setTimeout(end, deadline);
    });
    // A child that died early closes its end; its exit tells why.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(JSON.stringify(input));
  });
}
