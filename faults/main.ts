/**
 * The table of faults in a design, injected for real. Exit code 1 when one of them does harm.
 * Usage: npm run faults -- [--only kill,each,merge,disk,jsonl,models,judge,tags,secrets,tests] [--real] [--seed 0] [--scale 1]
 *   [--case KIND/NUMBER] [--save docs/RELIABILITY.md]
 * --real kills runs of the real model instead, which takes a quarter of an hour and the whole machine. --save writes the figures into
 * the page, in place of those of the same sections.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { DeliberateError, exitCodes, inputError } from '../src/base/errors.js';
import { byTests } from './by-tests.js';
import { fullDisk } from './full-disk.js';
import { judgeAttacks } from './judge-attacks.js';
import { jsonl } from './jsonl.js';
import { killed } from './kill.js';
import { killedAtEach } from './kill-each.js';
import { killedMerges } from './merge.js';
import { modelFiles } from './model-files.js';
import { killedForReal } from './real-kill.js';
import { describeMachine, saveFigures } from './save-figures.js';
import { secrets } from './secrets.js';
import type { FaultOptions, Figures } from './section.js';
import { thinkTags } from './think-tags.js';

const sections: Record<string, { title: string; run: (options: FaultOptions) => Promise<Figures> }> = {
  kill: { title: 'kill −9 at random instants, scripted engine', run: killed },
  each: { title: 'kill −9 at every file operation, scripted engine', run: killedAtEach },
  merge: { title: 'kill −9 at every file operation of a merge of shards', run: killedMerges },
  disk: { title: 'Full disk', run: fullDisk },
  jsonl: { title: 'Torn and hostile JSONL', run: jsonl },
  models: { title: 'Damaged and hostile model files', run: modelFiles },
  judge: { title: 'Attacks on the judge', run: judgeAttacks },
  tags: { title: 'Think tags', run: thinkTags },
  secrets: { title: 'Secrets', run: secrets },
  tests: { title: 'Pages, servers and other faults', run: byTests },
};
/** Not among those that are run by default. */
const real = { name: 'real', title: 'kill −9, real model', run: killedForReal };

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      real: { type: 'boolean', default: false },
      save: { type: 'string' },
      seed: { type: 'string', default: '0' },
      scale: { type: 'string', default: '1' },
      case: { type: 'string' },
    },
  });
  if (values.real && values.only !== undefined) throw inputError('--real is a section of its own: leave --only out.');
  const wanted = values.only?.split(',') ?? Object.keys(sections);
  const unknown = wanted.find((name) => !(name in sections));
  if (unknown !== undefined) throw inputError(`--only: there is no ${unknown}; choose among ${Object.keys(sections).join(', ')}.`);
  const [seed, scale] = [Number(values.seed), Number(values.scale)];
  if (!Number.isInteger(seed) || seed < 0) throw inputError(`--seed must be a whole number, 0 or more, not ${values.seed}.`);
  if (!(scale > 0)) throw inputError(`--scale must be a positive number, not ${values.scale}.`);
  const chosen = values.real ? [real] : wanted.map((name) => ({ name, ...sections[name]! }));
  return { chosen, seed, scale, only: values.case, save: values.save };
}

async function main(): Promise<void> {
  const { chosen, seed, scale, only, save } = readOptions();
  if (save !== undefined && only !== undefined) throw inputError('--save writes figures of whole sections: leave --case out.');
  const home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-faults-'));
  const where = await describeMachine();
  let wrong = 0;
  try {
    console.log(`${where}, seed ${seed}, scale ${scale}`);
    for (const { name, title, run } of chosen) {
      const start = performance.now();
      const say = (line: string) => console.error(`· ${name}: ${line}`);
      const { lines, failures } = await run({ seed, scale, home, say, ...(only !== undefined && { only }) });
      const seconds = (performance.now() - start) / 1000;
      console.log(`\n## ${title} (${Math.round(seconds)} s)`);
      for (const line of lines) console.log(`- ${line}`);
      for (const failure of failures) console.log(`- WRONG: ${failure}`);
      wrong += failures.length;
      const flags = `${name === real.name ? '--real' : `--only ${name}`}${seed === 0 ? '' : ` --seed ${seed}`}${scale === 1 ? '' : ` --scale ${scale}`}`;
      const command = `npm run faults -- ${flags}`;
      if (save !== undefined) await saveFigures(save, { name, title, command, lines, failures, seconds, where });
    }
  } finally {
    if (wrong === 0) await rm(home, { recursive: true, force: true });
    else console.error(`What was left by the failures lies in ${home}.`);
  }
  if (wrong > 0) process.exitCode = 1;
}

main().catch((error: unknown) => {
  console.error(error instanceof DeliberateError ? error.message : error);
  process.exitCode = exitCodes[error instanceof DeliberateError ? error.kind : 'internal'];
});
