/** `cost`: what a run of so many prompts would ask for, before there is any. */
import type { Command } from 'commander';
import { Option } from 'commander';
import type { Config } from '../base/config.js';
import { inputError } from '../base/errors.js';
import { serverOf } from '../base/server-settings.js';
import { specsOf } from '../align/compiled-specs.js';
import { loadSpec } from '../align/spec/parse.js';
import { costTable, estimateCost, typical, type CostFacts, type Lengths, type StageCost } from './cost.js';
import { setOption } from './options.js';
import { loadConfig, specFolder, type SettingFlags } from './settings.js';

/** How many specifications a run of policy prompts sees, and how long they are; counted roughly, for no model is loaded. */
export type SpecFacts = Pick<CostFacts, 'specTokens' | 'categories'>;

export async function specFacts(config: Config): Promise<SpecFacts> {
  const spec = await loadSpec(specFolder(config));
  const layout = config.generator === undefined ? 'shared' : 'paper';
  const specs = specsOf(spec, config, { layout, countTokens: (text) => Math.ceil(text.length / 4) });
  return { categories: spec.categories.length, specTokens: spec.categories.reduce((sum, { name }) => sum + specs.tokens(name), 0) };
}

/** The settings for another number of prompts, with the same share of ordinary ones. `passes`: RL sees every prompt so often. */
export function atScale(config: Config, prompts: number, passes?: number): Config {
  const { train, ordinary } = config.prompts;
  const share = ordinary / (train + ordinary);
  const helpful = Math.round(prompts * share);
  const steps = passes === undefined ? config.rl.steps : Math.ceil((prompts * passes) / config.rl.promptsPerStep);
  return {
    ...config,
    prompts: { ...config.prompts, train: Math.max(1, prompts - helpful), ordinary: helpful },
    rl: { ...config.rl, steps },
  };
}

/** @param prompts training prompts, ordinary ones among them */
export const costAtScale = (
  config: Config,
  prompts: number,
  { passes, ...facts }: Omit<CostFacts, 'generate'> & { passes?: number },
): StageCost[] => estimateCost(atScale(config, prompts, passes), { ...facts, generate: prompts });

interface CostFlags extends SettingFlags {
  prompts?: number[];
  passes?: number;
  rates?: [number, number];
  length?: Partial<Lengths>;
  parameters?: number;
}

const numbers = (text: string): number[] => {
  const list = text.split(',').map(Number);
  if (text.trim() === '' || list.some((value) => !(value > 0 && Number.isFinite(value))))
    throw inputError(`${text}: give positive numbers, with commas between them.`);
  return list;
};
const one = (text: string): number => {
  const [value, ...more] = numbers(text);
  if (more.length > 0) throw inputError(`${text}: give one number.`);
  return value!;
};
const pair = (text: string): [number, number] => {
  const [input, output, ...more] = numbers(text);
  if (output === undefined || more.length > 0)
    throw inputError(`${text}: give two numbers, tokens read and tokens written a second, as 20000,2500.`);
  return [input!, output];
};
const length = (text: string, before: Partial<Lengths> = {}): Partial<Lengths> => {
  const [name = '', value = ''] = text.split('=');
  if (!(name in typical)) throw inputError(`${name}: there is no such length. Known: ${Object.keys(typical).join(', ')}.`);
  return { ...before, [name]: one(value) };
};

export function addCostCommand(program: Command): void {
  program
    .command('cost')
    .description('requests, tokens, time and money of a run, by stage, before it begins')
    .argument('[config.yaml]', 'settings; a price in a section of a server gives the money')
    .addOption(
      new Option('--prompts <n,n,…>', 'training prompts, one table for each number (default: those of the settings)').argParser(numbers),
    )
    .addOption(new Option('--passes <n>', 'RL goes so often over all prompts (default: rl.steps of the settings)').argParser(one))
    .addOption(new Option('--rates <in,out>', 'tokens that a server reads and writes in a second, all requests together').argParser(pair))
    .addOption(
      new Option(
        '--length <name=n>',
        `mean lengths in tokens, and shares, other than those of the demo: ${Object.keys(typical).join(', ')}; may be repeated`,
      ).argParser(length),
    )
    .addOption(new Option('--parameters <n>', 'of the embedded model, whose rates fall with its size (default: 134.5e6)').argParser(one))
    .option('--smoke', 'the small sizes')
    .addOption(setOption())
    .addHelpText(
      'after',
      `
Examples:
  deliberate cost
  deliberate cost servers.yaml --prompts 1000,100000 --rates 20000,2500 --length cot=300 --length completion=450 --length passing=0.8

Times of the embedded engine are those of two slow cores (docs/LOG.md). docs/SCALE.md says how the figures are made, and how near
they came to measured runs.`,
    )
    .action(async (file: string | undefined, flags: CostFlags) => {
      const config = await loadConfig(file, flags);
      const { prompts, passes, rates, length: lengths, parameters } = flags;
      if (rates && serverOf(config.generator) === null && serverOf(config.judge) === null)
        throw inputError('--rates: these settings ask no server; a section `generator` or `judge` names one (docs/SERVERS.md).');
      const facts = {
        ...(await specFacts(config)),
        ...(passes !== undefined && { passes }),
        ...(rates && { serverRates: { input: rates[0], output: rates[1] } }),
        ...(lengths && { lengths }),
        ...(parameters !== undefined && { parameters }),
      };
      for (const count of prompts ?? [config.prompts.train + config.prompts.ordinary])
        console.log(`${count.toLocaleString('en')} prompts\n${costTable(costAtScale(config, count, facts))}\n`);
    });
}
