/**
 * Tokens per second of the embedded engine, and as ratios to TRL and llama.cpp where these are installed.
 * Peers are measured where PEERS_PYTHON or LLAMA_BATCHED_BENCH names one or llama-batched-bench is on the PATH, and with --peers.
 * Usage: npm run bench -- [--only sft,decode,prefix,grpo] [--peers] [--repeats 3] [--model NAME] [--memory-gb 6] [--save]
 * Requests to servers and runs on them (docs/SCALE.md): npm run bench -- requests, npm run bench -- simulate
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DeliberateError, exitCodes, inputError } from '../src/base/errors.js';
import { makeFolder } from '../src/base/make-folder.js';
import { packageRoot } from '../src/base/package-root.js';
import { defaultModel, resolveModel } from '../src/lm/models.js';
import { costCommand } from './cost.js';
import { describeMachine, machineLine } from './machine.js';
import { measurePeers, peersAtHand } from './peers.js';
import { runAndRead } from './process.js';
import { requests } from './requests.js';
import { simulateCommand } from './simulate.js';
import { table } from './table.js';
import { type Measurement, type Section, sections } from './workload.js';

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      peers: { type: 'boolean', default: peersAtHand() },
      repeats: { type: 'string', default: '3' },
      model: { type: 'string', default: defaultModel },
      'memory-gb': { type: 'string', default: '6' },
      save: { type: 'boolean', default: false },
    },
  });
  const only = values.only?.split(',') ?? [...sections];
  const unknown = only.find((name) => !(sections as readonly string[]).includes(name));
  if (unknown !== undefined) throw inputError(`--only: there is no ${unknown}; choose among ${sections.join(', ')}.`);
  const repeats = Number(values.repeats);
  const memoryGb = Number(values['memory-gb']);
  if (!Number.isInteger(repeats) || repeats < 1) throw inputError(`--repeats must be a whole number, at least 1, not ${values.repeats}.`);
  if (!(memoryGb > 0)) throw inputError(`--memory-gb must be a positive number, not ${values['memory-gb']}.`);
  return { ...values, repeats, memoryGb, sections: sections.filter((section) => only.includes(section)) };
}

async function main(): Promise<void> {
  const options = readOptions();
  const note = (message: string) => console.error(`· ${message}`);
  const model = await resolveModel(options.model, { onProgress: note });
  const machine = await describeMachine();
  console.log(machineLine(machine));
  const ours = fileURLToPath(new URL('ours.js', import.meta.url));
  const measure = async (section: Section) => {
    note(`deliberate: ${section}`);
    return (await runAndRead(process.execPath, [ours, section, model, String(options.repeats), String(options.memoryGb)])) as Measurement[];
  };
  const measurements: Measurement[] = [];
  // Section by section, ours and the peers' one after the other: a noisy machine then disturbs both alike.
  for (const section of options.sections) {
    measurements.push(...(await measure(section)));
    if (options.peers) measurements.push(...(await measurePeers({ model, repeats: options.repeats, sections: [section], note })));
  }
  console.log(
    `\n${options.model}, LoRA of rank 16 on all seven layers (llama.cpp: none), medians of ${options.repeats} (smallest–largest), memory setting ${options.memoryGb} GB\n`,
  );
  console.log(table(measurements));
  if (options.save) {
    const folder = path.join(packageRoot, 'bench', 'results');
    const file = path.join(folder, `${new Date().toISOString().slice(0, 16).replaceAll(':', '')}.json`);
    await makeFolder(folder);
    await writeFile(file, `${JSON.stringify({ date: new Date().toISOString(), machine, model: options.model, measurements }, null, 1)}\n`);
    console.log(`\nsaved as ${path.relative(packageRoot, file)}`);
  }
}

/** Each has options of its own. */
const others: Record<string, (args: string[]) => Promise<void>> = { cost: costCommand, requests, simulate: simulateCommand };
const [name = '', ...rest] = process.argv.slice(2);

(others[name]?.(rest) ?? main()).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = exitCodes[error instanceof DeliberateError ? error.kind : 'internal'];
});
