/**
 * The table of faults in a design, injected for real. Exit code 1 when one of them does harm.
 * Usage: npm run faults -- [--only kill,disk,jsonl,models,judge,tags,secrets] [--seed 0] [--scale 1] [--case KIND/NUMBER]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { DeliberateError, exitCodes, inputError } from '../src/base/errors.js';
import { fullDisk } from './full-disk.js';
import { judgeAttacks } from './judge-attacks.js';
import { jsonl } from './jsonl.js';
import { killed } from './kill.js';
import { modelFiles } from './model-files.js';
import { secrets } from './secrets.js';
import type { FaultOptions, Figures } from './section.js';
import { thinkTags } from './think-tags.js';

const sections: Record<string, { title: string; run: (options: FaultOptions) => Promise<Figures> }> = {
  kill: { title: 'kill −9', run: killed },
  disk: { title: 'Full disk', run: fullDisk },
  jsonl: { title: 'Torn and hostile JSONL', run: jsonl },
  models: { title: 'Damaged and hostile model files', run: modelFiles },
  judge: { title: 'Attacks on the judge', run: judgeAttacks },
  tags: { title: 'Think tags', run: thinkTags },
  secrets: { title: 'Secrets', run: secrets },
};

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      seed: { type: 'string', default: '0' },
      scale: { type: 'string', default: '1' },
      case: { type: 'string' },
    },
  });
  const wanted = values.only?.split(',') ?? Object.keys(sections);
  const unknown = wanted.find((name) => !(name in sections));
  if (unknown !== undefined) throw inputError(`--only: there is no ${unknown}; choose among ${Object.keys(sections).join(', ')}.`);
  const [seed, scale] = [Number(values.seed), Number(values.scale)];
  if (!Number.isInteger(seed) || seed < 0) throw inputError(`--seed must be a whole number, 0 or more, not ${values.seed}.`);
  if (!(scale > 0)) throw inputError(`--scale must be a positive number, not ${values.scale}.`);
  return { wanted, seed, scale, only: values.case };
}

async function main(): Promise<void> {
  const { wanted, seed, scale, only } = readOptions();
  const home = await mkdtemp(path.join(os.tmpdir(), 'deliberate-faults-'));
  let wrong = 0;
  try {
    const cpu = os.cpus()[0]?.model.trim() ?? 'unknown';
    console.log(`${cpu}, ${os.availableParallelism()} cores, Node ${process.version}, seed ${seed}, scale ${scale}`);
    for (const name of wanted) {
      const { title, run } = sections[name]!;
      const start = performance.now();
      const say = (line: string) => console.error(`· ${name}: ${line}`);
      const { lines, failures } = await run({ seed, scale, home, say, ...(only !== undefined && { only }) });
      console.log(`\n## ${title} (${Math.round((performance.now() - start) / 1000)} s)`);
      for (const line of lines) console.log(`- ${line}`);
      for (const failure of failures) console.log(`- WRONG: ${failure}`);
      wrong += failures.length;
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
