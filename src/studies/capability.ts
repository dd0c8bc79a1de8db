/** Whether alignment cost knowledge of language: the likelihood of plain prose (issue: ≤ 1.03 × base). Ours; the paper asks SimpleQA. */
import { existsSync } from 'node:fs';
import type { ArmName } from '../base/config.js';
import type { RunPaths } from '../base/run-folder.js';
import type { Datum, Renderer } from '../engines/types.js';
import { capabilityTexts } from './capability-texts.js';
import type { Lab } from './study.js';

export interface Nll {
  /** In nats. */
  perToken: number;
  tokens: number;
}

/** The text as a user's turn, so that no arm is asked to leave out a chain of thought that it was trained to begin with. */
export function textDatum(renderer: Renderer, text: string): Datum {
  const all = renderer.promptTokens([{ role: 'user', content: text }]);
  const own = renderer.completionTokens(text, false);
  // The first and last token may be joined with the template's own.
  const middle = own.slice(1, -1);
  const at = all.findIndex((_, i) => middle.every((token, j) => all[i + j] === token));
  const weights = all.slice(1).map((_, t) => (at === -1 || (t + 1 >= at && t + 1 < at + middle.length) ? 1 : 0));
  return { tokens: all.slice(0, -1), targets: all.slice(1), weights };
}

/** Negative log-likelihood of the base and of every trained arm; arms that the engine cannot measure are left out. */
export async function capabilityNll({ bench }: Lab, paths: RunPaths, arms: readonly ArmName[]): Promise<Map<string, Nll>> {
  const data = capabilityTexts.map((text) => textDatum(bench.trainer.renderer, text));
  const found = new Map<string, Nll>();
  if (bench.logprobs === undefined) return found;
  if (arms.includes('base')) {
    await bench.resetPolicy();
    found.set('base', perToken(data, (await bench.trainer.forward(data)).logprobs));
  }
  for (const arm of arms) {
    const folder = paths.adapter(arm, arm === 'sft+rl' ? 'rl' : 'sft');
    if (existsSync(folder)) found.set(arm, perToken(data, await bench.logprobs(folder, data)));
  }
  return found;
}

function perToken(data: readonly Datum[], logprobs: readonly number[][]): Nll {
  let [sum, tokens] = [0, 0];
  data.forEach(({ weights }, i) =>
    weights.forEach((weight, t) => {
      if (weight === 0) return;
      sum -= logprobs[i]?.[t] ?? 0;
      tokens++;
    }),
  );
  return { perToken: sum / Math.max(1, tokens), tokens };
}
