/** `prompts synth`: prompts for a policy, written and checked by models on servers. */
import { setMaxListeners } from 'node:events';
import path from 'node:path';
import type { Config } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { writeJsonl } from '../base/jsonl.js';
import { createProgress, type Progress } from '../base/progress.js';
import type { ModelRole } from '../base/server-settings.js';
import { loadSpec } from '../align/spec/parse.js';
import { synthesisePrompts, type Synthesis } from '../align/synth/synthesise.js';
import { namedServers } from '../engines/openai/servers.js';
import { loadPrompts } from '../prompts/load.js';
import { splitPrompts } from '../prompts/split.js';
import { serverUsageTable } from './server-usage.js';
import { specFolder } from './settings.js';

export interface SynthCommand {
  config: Config;
  out: string;
  /** Prompts of each kind a clause. */
  perKind: number;
  /** Prompts that the new ones must not repeat. */
  beside?: string;
  signal: AbortSignal;
  progress?: Progress;
}

/** Writes the prompts, split, and says what is short. @throws input error without a server to write them */
export async function promptsSynth({ config, out, perKind, beside, signal, progress = createProgress() }: SynthCommand): Promise<void> {
  // Each request in flight listens; hundreds are no leak.
  setMaxListeners(0, signal);
  const spec = await loadSpec(specFolder(config));
  const existing = beside === undefined ? [] : await loadPrompts(beside);
  const servers = namedServers({ sections: config, signal, say: progress.say });
  const role = (...roles: ModelRole[]) => roles.map((name) => servers.byRole[name]).find((server) => server !== undefined);
  const [writing, checking] = [role('generator'), role('categoriser', 'judge', 'generator')];
  if (writing === undefined || checking === undefined)
    throw inputError(
      'prompts synth needs a large model: name a server in the settings, for example --set generator.engine=openai --set generator.baseUrl=http://127.0.0.1:8000 --set generator.model=NAME. docs/SERVERS.md shows each server.',
    );
  try {
    const result = await synthesisePrompts({
      spec,
      writer: { model: await writing.open(), digest: writing.digest },
      checker: { model: await checking.open(), digest: checking.digest },
      perKind,
      seed: config.seed,
      log: path.join(path.dirname(out), `.${path.basename(out)}.replies.jsonl`),
      existing,
      maxTokens: Math.max(2048, config.generate.maxTokens),
      concurrency: writing.concurrency,
      progress,
      signal,
    });
    if (result.prompts.length === 0)
      throw inputError(`no prompt came of it: ${result.written} were written, and the second pass agreed with none. Try a larger model.`);
    const prompts = splitPrompts(result.prompts, { seed: config.seed });
    await writeJsonl(out, prompts);
    tell(result, out, perKind);
  } finally {
    const usage = servers.usage();
    if (usage.length > 0) progress.say(serverUsageTable(usage));
    await servers.close();
  }
}

function tell({ prompts, short, written, disagreed, duplicates }: Synthesis, out: string, perKind: number): void {
  console.log(
    `${out}: ${prompts.length} prompts of ${written} that were written; on ${disagreed} the second pass did not agree, ${duplicates} were near-duplicates. Split by request.`,
  );
  if (short.length > 0)
    console.log(
      `Fewer than ${perKind}: ${short
        .slice(0, 12)
        .map(({ clause, kind, kept }) => `${clause} ${kind} ${kept}`)
        .join(', ')}${short.length > 12 ? ` and ${short.length - 12} more` : ''}. Read some before you train on them.`,
    );
}
