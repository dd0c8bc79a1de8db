/** What a run will cost, told before it starts. */
import type { Config } from '../base/config.js';
import { duration } from '../base/progress.js';

export interface StageCost {
  stage: string;
  calls: number;
  sampled: number;
  prefilled: number;
  trained: number;
  seconds: number;
}

/** Tokens a second of SmolLM2-135M on two slow cores (docs/LOG.md, 2026-11-24); on other machines and models only the ratios hold. */
export const rates = { sampled: 180, prefilled: 550, trained: 190 };
/** Loading the model and building its graphs. */
const startSeconds = 25;

/** Mean lengths in tokens, measured on our prompts with the reader. */
const typical = { prompt: 45, wrapped: 75, cot: 55, completion: 80, gradeTurn: 90, verdict: 18 };
/** Share of the policy prompts that get a record. */
const recordsAPrompt = 0.5;
/** Share of the completions that pass the mechanical checks and so are judged. */
const passing = 0.45;

export interface CostFacts {
  /** Prompts whose completions are still to be made. */
  generate: number;
  /** Tokens of all compiled specifications in use, each computed once a stage. */
  specTokens: number;
}

/**
 * Calls, tokens and time by stage, at the rates above. A test holds the demo to twenty minutes and the smoke run to three;
 * docs/LOG.md says what they took.
 */
export function estimateCost(config: Config, facts: CostFacts): StageCost[] {
  const { prompts, generate, judge, sft, rl } = config;
  const prompt = typical.prompt + prompts.wrappedShare * (typical.wrapped - typical.prompt);
  const length = (most: number) => Math.min(most, typical.completion);
  const stage = (name: string, cost: Partial<StageCost>): StageCost => {
    const { calls = 0, sampled = 0, prefilled = 0, trained = 0 } = cost;
    const seconds = cost.seconds ?? sampled / rates.sampled + prefilled / rates.prefilled + trained / rates.trained;
    return { stage: name, calls, sampled: Math.round(sampled), prefilled: Math.round(prefilled), trained: Math.round(trained), seconds };
  };
  // Read once for the words before the grade, and once more for the grade after them.
  const gradePrefill = (withCot: boolean) =>
    2 * (prompt + typical.cot + typical.gradeTurn + (typical.completion - typical.cot) + (withCot ? typical.cot : 0)) + typical.verdict;

  const ordinaryShare = prompts.ordinary / Math.max(1, prompts.train + prompts.ordinary);
  const policyPrompts = facts.generate * (1 - ordinaryShare);
  const readings = policyPrompts * judge.runs * judge.readings;
  const graded = policyPrompts * generate.samples * passing * judge.runs;
  const records = (prompts.train * recordsAPrompt + prompts.ordinary) * sft.epochs;
  const rollouts = rl.steps * rl.promptsPerStep * rl.samplesPerPrompt;
  const rlReadings = rl.steps * rl.promptsPerStep * rl.judgeRuns * judge.readings;
  const validations = rl.steps === 0 ? 0 : (1 + Math.ceil(rl.steps / rl.validateEvery)) * prompts.validation;
  const klShare = rl.klCoefficient > 0 ? 1 : Math.min(1, rl.klSamples / (rl.promptsPerStep * rl.samplesPerPrompt));
  const arms = config.eval.arms.filter((arm) => arm !== 'sft+rl' || rl.steps > 0).length;
  // Suites share prompts: hard refusals are the forbidden ones, half of policy retrieval is asked elsewhere.
  const asked = Math.ceil(6.5 * config.eval.plain) + config.eval.jailbroken * config.eval.techniques + config.eval.encoded * 8;

  return [
    stage('start', { seconds: startSeconds }),
    stage('generate', {
      calls: facts.generate * generate.samples,
      sampled: facts.generate * generate.samples * length(generate.maxTokens),
      prefilled: facts.specTokens + facts.generate * prompt,
    }),
    stage('judge', {
      calls: readings + graded,
      sampled: readings * Math.min(judge.maxTokens, typical.cot) + graded * typical.verdict,
      prefilled: facts.specTokens + readings * prompt + graded * gradePrefill(true),
    }),
    stage('sft', { trained: records * (2 * prompt + typical.completion + (typical.completion - typical.cot)) }),
    stage('rl', {
      calls: rollouts + rlReadings + validations + rollouts,
      sampled:
        rollouts * length(rl.maxTokens) +
        rlReadings * Math.min(judge.maxTokens, typical.cot) +
        rollouts * typical.verdict +
        validations * length(rl.maxTokens),
      prefilled:
        (rl.steps === 0 ? 0 : facts.specTokens) +
        rollouts * gradePrefill(false) +
        rlReadings * prompt +
        validations * prompt +
        klShare * rollouts * typical.completion,
      trained: rollouts * typical.completion + rl.steps * rl.promptsPerStep * prompt,
    }),
    stage('eval', {
      calls: arms * asked,
      sampled: arms * asked * length(config.eval.maxTokens),
      prefilled: arms * asked * typical.wrapped,
    }),
  ];
}

export const totalSeconds = (costs: readonly StageCost[]): number => costs.reduce((sum, { seconds }) => sum + seconds, 0);

/** The table for a terminal. */
export function costTable(costs: readonly StageCost[]): string {
  const number = (value: number) => (value === 0 ? '' : Math.round(value).toLocaleString('en'));
  const rows = [
    ['stage', 'calls', 'sampled', 'prefilled', 'trained', 'time'],
    ...costs.map((cost) => [
      cost.stage,
      number(cost.calls),
      number(cost.sampled),
      number(cost.prefilled),
      number(cost.trained),
      duration(cost.seconds),
    ]),
    ['in all', '', '', '', '', duration(totalSeconds(costs))],
  ];
  return rows.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(10) : cell.padStart(11))).join('')).join('\n');
}
