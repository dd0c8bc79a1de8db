/** What a run will cost, told before it starts: requests, tokens, time and money of each stage (docs/SCALE.md). */
import type { Config } from '../base/config.js';
import { duration } from '../base/progress.js';
import { serverOf, type ServerSettings } from '../base/server-settings.js';

export interface StageCost {
  stage: string;
  calls: number;
  sampled: number;
  prefilled: number;
  trained: number;
  /** null where a server works on it whose rates nobody has told. */
  seconds: number | null;
  /** In the currency of the settings' prices; absent where none is set. */
  money?: number;
}

/** Tokens a second of the embedded engine. */
export interface EngineRates {
  /** With very many rows at once; fewer share less. */
  sampled: number;
  prefilled: number;
  trained: number;
}

/** Tokens a second of a server, all requests together. */
export interface ServerRates {
  input: number;
  output: number;
}

/** SmolLM2-135M on two slow cores (docs/LOG.md, 2026-11-24); on other machines and models only the ratios hold. */
export const rates: EngineRates = { sampled: 290, prefilled: 550, trained: 190 };
/** Of that model. The work of a token is in proportion to it, and so is its time. */
const measuredParameters = 134.5e6;
/** Loading the model and building its graphs. */
const startSeconds = 25;
/** Rows at which decoding has half of its full rate (measured on a faster machine: 49, 282, 476 and 625 tokens/s with 1, 8, 32 and 64). */
const halfRows = 13;
const mostRows = 64;
/** Rows end one after the other, and what waits may be of another specification: on the mean so many of them are there. */
const filled = 0.9;

/** Mean lengths in tokens, measured on our prompts with the reader; a model that reasons at length writes several times as much. */
export const typical = {
  prompt: 45,
  wrapped: 75,
  cot: 65,
  /** CoT and answer, with the specification before it and without. */
  completion: 92,
  reply: 60,
  gradeTurn: 90,
  verdict: 18,
  /** Of the judge that answers in JSON: its rubric, and the verdict with its reasons. */
  rubric: 230,
  jsonVerdict: 90,
  /** Of the layout `paper`. */
  instructions: 170,
  /** Share of the policy prompts that get a record. */
  recordsAPrompt: 0.5,
  /** Share of the completions that pass the mechanical checks and so are judged. */
  passing: 0.28,
};
export type Lengths = typeof typical;
/** Of one compiled category, where nobody has counted. */
const typicalSpec = 750;

export interface CostFacts {
  /** Prompts whose completions are still to be made. */
  generate: number;
  /** Tokens of all compiled specifications in use: computed once a stage here, sent with every request to a server. */
  specTokens: number;
  /** How many specifications these are. */
  categories?: number;
  lengths?: Partial<Lengths>;
  /** Of the embedded model. */
  parameters?: number;
  serverRates?: ServerRates;
}

/** Work of one model. */
interface Work {
  calls: number;
  sampled: number;
  prefilled: number;
  /** Rows that decode together behind one specification. */
  rows: number;
  /** The server that does it; null: the embedded engine. */
  server: ServerSettings | null;
}

/** Servers that write one completion a request. */
const oneAtATime = (server: ServerSettings): boolean => ['llamacpp', 'ollama', 'other'].includes(server.server ?? '');

/**
 * Calls, tokens, time and money by stage. A test holds the demo to twenty minutes and the smoke run to three, and each stage of the
 * demo to what it took. Time of servers is what their rates give: with fewer requests at once than they like it is longer.
 */
export function estimateCost(config: Config, facts: CostFacts): StageCost[] {
  const { prompts, generate, judge, filter, sft, rl } = config;
  const lengths = { ...typical, ...facts.lengths };
  const [generator, judgeServer] = [serverOf(config.generator), serverOf(config.judge)];
  const categories = facts.categories ?? Math.max(1, Math.round(facts.specTokens / typicalSpec));
  const specification = facts.specTokens / Math.max(1, categories);
  const prompt = lengths.prompt + prompts.wrappedShare * (lengths.wrapped - lengths.prompt);
  const length = (most: number) => Math.min(most, lengths.completion);
  const answer = lengths.completion - lengths.cot;

  const ordinaryShare = prompts.ordinary / Math.max(1, prompts.train + prompts.ordinary);
  const policyPrompts = facts.generate * (1 - ordinaryShare);
  const variants = 1 + filter.wrappedCopies * (1 - prompts.wrappedShare);
  const records = (prompts.train * lengths.recordsAPrompt * variants + prompts.ordinary) * sft.epochs;
  const groups = rl.steps * rl.promptsPerStep;
  const rollouts = groups * rl.samplesPerPrompt;
  const validations = rl.steps === 0 ? 0 : (1 + Math.ceil(rl.steps / rl.validateEvery)) * prompts.validation;
  const klShare = rl.klCoefficient > 0 ? 1 : Math.min(1, rl.klSamples / (rl.promptsPerStep * rl.samplesPerPrompt));
  const arms = config.eval.arms.filter((arm) => arm !== 'sft+rl' || rl.steps > 0).length;
  // Suites share prompts: hard refusals are the forbidden ones, three quarters of policy retrieval are asked elsewhere.
  const plain = 7 * config.eval.plain;
  const wrapped = config.eval.jailbroken * config.eval.techniques + config.eval.encoded * 8;
  const asked = plain + wrapped;

  const generation = (): Work => {
    const completions = facts.generate * generate.samples;
    const calls = generator !== null && !oneAtATime(generator) ? facts.generate : completions;
    const prefilled =
      generator === null ? facts.specTokens + facts.generate * prompt : calls * (specification + prompt + lengths.instructions);
    return { calls, sampled: completions * length(generate.maxTokens), prefilled, rows: completions / categories, server: generator };
  };
  /** Of so many conversations, with so many answers in all. */
  const judging = (conversations: number, answers: number, runs: number, withCot: boolean): Work => {
    const server = judgeServer;
    const graded = answers * runs;
    const shown = prompt + answer + (withCot ? lengths.cot : 0);
    if (server !== null && server.logprobs !== true) {
      const prefilled = graded * (specification + shown + lengths.rubric);
      return { calls: graded, sampled: graded * lengths.jsonVerdict, prefilled, rows: graded, server };
    }
    const readings = conversations * runs * judge.readings;
    const readingCalls = server === null || oneAtATime(server) ? readings : conversations * runs;
    // Read once for the words before the grade, and once more for the grade after them.
    const grading = 2 * (shown + lengths.cot + lengths.gradeTurn) + lengths.verdict;
    return {
      calls: readingCalls + graded * (server === null ? 1 : 2),
      sampled: readings * Math.min(judge.maxTokens, lengths.cot) + graded * lengths.verdict,
      prefilled:
        server === null
          ? (conversations === 0 ? 0 : facts.specTokens) + readings * prompt + graded * grading
          : readingCalls * (specification + prompt) + graded * (2 * specification + grading),
      rows: readings / categories,
      server,
    };
  };
  const embedded = (work: Partial<Work>): Work => ({ calls: 0, sampled: 0, prefilled: 0, rows: mostRows, server: null, ...work });

  const rate = scaled(facts.parameters ?? measuredParameters);
  const secondsOf = ({ sampled, prefilled, rows, server }: Work): number | null => {
    if (sampled + prefilled === 0) return 0;
    if (server === null && config.engine.kind === 'embedded') return sampled / decodeRate(rate, rows) + prefilled / rate.prefilled;
    return facts.serverRates === undefined ? null : prefilled / facts.serverRates.input + sampled / facts.serverRates.output;
  };
  const stage = (name: string, works: readonly Work[], trained = 0, start = 0): StageCost => {
    const sum = (of: (work: Work) => number) => Math.round(works.reduce((total, work) => total + of(work), 0));
    const training = trained === 0 ? 0 : config.engine.kind === 'embedded' ? trained / rate.trained : null;
    const seconds = [...works.map(secondsOf), training, start].reduce((a, b) => (a === null || b === null ? null : a + b));
    const paid = works.flatMap(({ server, sampled, prefilled }) =>
      server?.price === undefined ? [] : [(prefilled * server.price.input + sampled * server.price.output) / 1e6],
    );
    return {
      stage: name,
      calls: sum(({ calls }) => calls),
      sampled: sum(({ sampled }) => sampled),
      prefilled: sum(({ prefilled }) => prefilled),
      trained: Math.round(trained),
      seconds,
      ...(paid.length > 0 && { money: paid.reduce((a, b) => a + b) }),
    };
  };

  return [
    stage('start', [], 0, startSeconds),
    stage('generate', [generation()]),
    stage('judge', [judging(policyPrompts, policyPrompts * generate.samples * lengths.passing, judge.runs, true)]),
    stage('sft', [], records * (2 * prompt + lengths.completion + answer)),
    stage(
      'rl',
      [
        embedded({
          calls: rollouts + validations,
          sampled: rollouts * length(rl.maxTokens),
          prefilled: groups * prompt + klShare * rollouts * lengths.completion,
          rows: rl.promptsPerStep * rl.samplesPerPrompt,
        }),
        embedded({
          sampled: validations * Math.min(rl.maxTokens, lengths.reply),
          prefilled: validations * prompt,
          rows: prompts.validation,
        }),
        judging(groups, rollouts, rl.judgeRuns, false),
      ],
      rollouts * lengths.completion + groups * prompt,
    ),
    stage('eval', [
      embedded({
        calls: arms * asked,
        sampled: arms * asked * Math.min(config.eval.maxTokens, lengths.reply),
        prefilled: arms * (plain * lengths.prompt + wrapped * lengths.wrapped),
        rows: asked,
      }),
    ]),
  ];
}

/** Rates of a model of so many parameters, on the same machine. */
export function scaled(parameters: number): EngineRates {
  const factor = measuredParameters / parameters;
  return { sampled: rates.sampled * factor, prefilled: rates.prefilled * factor, trained: rates.trained * factor };
}

function decodeRate({ sampled }: EngineRates, rows: number): number {
  // Where far more wait than fit, the rows are full until the end.
  const together = Math.max(1, Math.min(mostRows, rows * filled));
  return (sampled * together) / (together + halfRows);
}

/** Of the stages whose time is known. */
export const totalSeconds = (costs: readonly StageCost[]): number => costs.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0);

export const totalMoney = (costs: readonly StageCost[]): number | null =>
  costs.every(({ money }) => money === undefined) ? null : costs.reduce((sum, { money = 0 }) => sum + money, 0);

/** The table for a terminal. */
export function costTable(costs: readonly StageCost[]): string {
  const number = (value: number) => (value === 0 ? '' : Math.round(value).toLocaleString('en'));
  const time = (seconds: number | null) => (seconds === null ? 'the server’s' : duration(seconds));
  const total = totalMoney(costs);
  const money = (value: number | null | undefined) =>
    total === null ? [] : [value === null || value === undefined ? '' : moneyText(value)];
  const open = costs.some(({ seconds }) => seconds === null) ? ' and more' : '';
  const rows = [
    ['stage', 'calls', 'sampled', 'prefilled', 'trained', 'time', ...(total === null ? [] : ['cost'])],
    ...costs.map((cost) => [
      cost.stage,
      number(cost.calls),
      number(cost.sampled),
      number(cost.prefilled),
      number(cost.trained),
      time(cost.seconds),
      ...money(cost.money),
    ]),
    ['in all', '', '', '', '', `${duration(totalSeconds(costs))}${open}`, ...money(total)],
  ];
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(10) : cell.padStart(i === 5 ? 16 : 15)))
        .join('')
        .trimEnd(),
    )
    .join('\n');
}

export const moneyText = (value: number): string =>
  value < 1 ? value.toFixed(4) : value < 100 ? value.toFixed(2) : Math.round(value).toLocaleString('en');
