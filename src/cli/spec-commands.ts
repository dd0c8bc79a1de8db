/** `spec lint`, `spec show`, `spec diff`. */
import { packageRoot } from '../base/package-root.js';
import path from 'node:path';
import { inputError } from '../base/errors.js';
import type { SpecParts } from '../align/spec/compile.js';
import { diffSpecs, formatDiff } from '../align/spec/diff.js';
import { lintFolder } from '../align/spec/lint.js';
import { formatFinding, loadSpec } from '../align/spec/parse.js';
import { renderCategory, renderOverview } from '../align/spec/render.js';
import { openCheckpoint } from '../lm/checkpoint.js';
import { defaultModel, listModels } from '../lm/models.js';
import { createTokenizer } from '../lm/tokenizer.js';
import { printable } from './terminal.js';

export const defaultSpec = path.join(packageRoot, 'spec');

/** Counts as the default model does where it is on this machine; else by letters, four a token, and says so. */
async function tokenCounter(): Promise<(text: string) => number> {
  const model = (await listModels()).find(({ name }) => name === defaultModel);
  if (model?.path === undefined) {
    console.error(`Tokens are estimated at four letters each; \`deliberate models pull ${defaultModel}\` makes them exact.`);
    return (text) => Math.ceil(text.length / 4);
  }
  const checkpoint = await openCheckpoint(model.path);
  const tokenizer = createTokenizer(checkpoint.tokenizer);
  await checkpoint.close();
  return (text) => tokenizer.encode(text).length;
}

/** Prints the findings. @throws input error when there is an error among them */
export async function specLint(folder: string, budget: { maxTokens: number; parts: SpecParts }): Promise<void> {
  const findings = await lintFolder(folder, { countTokens: await tokenCounter(), ...budget });
  for (const finding of findings)
    console.log(printable(`${finding.severity === 'error' ? 'error  ' : 'warning'}  ${formatFinding(finding)}`));
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  if (errors > 0) throw inputError(`${folder}: ${errors} ${errors === 1 ? 'error' : 'errors'} in the specification, listed above.`);
  console.log(
    `${folder}: ${findings.length === 0 ? 'nothing to find fault with' : `${findings.length} ${findings.length === 1 ? 'warning' : 'warnings'}`}.`,
  );
}

export async function specShow(
  folder: string,
  { category, maxTokens, parts }: { category?: string; maxTokens: number; parts: SpecParts },
): Promise<void> {
  const spec = await loadSpec(folder);
  const text =
    category === undefined ? renderOverview(spec) : renderCategory(spec, category, { maxTokens, parts, countTokens: await tokenCounter() });
  console.log(printable(text));
}

export async function specDiff(before: string, after: string): Promise<void> {
  console.log(printable(formatDiff(diffSpecs(await loadSpec(before), await loadSpec(after)))));
}
