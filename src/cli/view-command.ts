/** `view`: a run in the browser, live while it goes on. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import path from 'node:path';
import { dependencyError, inputError } from '../base/errors.js';
import { loadSpec } from '../align/spec/parse.js';
import { configOfRun, specFolder } from './settings.js';

const portNumber = (text: string): number => {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new InvalidArgumentError('It must be a port, 0 to 65535; 0 takes a free one.');
  return port;
};

/** Adds the command to the program. */
export function addViewCommand(program: Command, signal: AbortSignal): void {
  program
    .command('view')
    .description('look at a run in the browser, also while it goes on: records, chains of thought, two arms side by side')
    .argument('[run folder]', 'folder of a run', path.join('runs', 'demo'))
    .option('--port <port>', 'port on 127.0.0.1; 0 takes a free one', portNumber, 4747)
    .addHelpText(
      'after',
      '\nExamples:\n  deliberate view\n  deliberate view runs/mine --port 0\n\nVerdicts that you change are kept in overrides.jsonl in the run folder.',
    )
    .action((root: string, { port }: { port: number }) => viewCommand(root, port, signal));
}

/**
 * Serves until Ctrl-C.
 * @throws input error when there is no run in the folder; dependency error when the port is taken
 */
export async function viewCommand(root: string, port: number, signal: AbortSignal): Promise<void> {
  if (!['run.yaml', 'prompts.jsonl', 'completions.jsonl', 'arms'].some((name) => existsSync(path.join(root, name))))
    throw inputError(`${root}: holds no run. Give the folder of a run, or make one with \`deliberate demo\`.`);
  // Here and not above: its database is a large binary that no other command needs.
  const { createViewer } = await import('../view/server.js');
  const viewer = await createViewer(root, await loadSpec(specFolder(await configOfRun(root, undefined, {}))));
  try {
    await viewer.app.listen({ host: '127.0.0.1', port }).catch((error: NodeJS.ErrnoException) => {
      const advice =
        error.code === 'EADDRINUSE' ? 'Another program has it: give another --port, or 0 for a free one.' : 'Give another --port.';
      throw dependencyError(`port ${port} of 127.0.0.1 cannot be opened (${error.code}). ${advice}`, error);
    });
    const { port: taken } = viewer.app.server.address() as AddressInfo;
    // The token stands behind the #, which a browser sends to nobody.
    console.log(`${root} is shown at http://127.0.0.1:${taken}/#token=${viewer.token}\nCtrl-C ends.`);
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await viewer.close();
  }
}
