/** `npm run bench -- cost [--save]`: the cost model of docs/SCALE.md for 10^3 to 10^7 prompts, and against a measured run. */
import { parseArgs } from 'node:util';
import { parseConfig, type Config } from '../src/base/config.js';
import { duration } from '../src/base/progress.js';
import { costAtScale, specFacts } from '../src/cli/cost-command.js';
import { estimateCost, moneyText, totalMoney, type CostFacts, type StageCost } from '../src/cli/cost.js';
import { type MeasuredRun, measuredRuns } from './measured-runs.js';
import { fillScalePage, markdownTable } from './scale-page.js';

const sizes = [1e3, 1e4, 1e5, 1e6, 1e7];

interface Example {
  title: string;
  config: Config;
  facts: Omit<CostFacts, 'generate' | 'specTokens'>;
}

const server = (price?: { input: number; output: number }) => ({
  engine: 'openai',
  baseUrl: 'http://127.0.0.1:8000',
  model: 'example',
  server: 'vllm',
  ...(price && { price }),
});

/** Numbers of these are examples: put in your own. */
export const examples: Example[] = [
  { title: 'Embedded, the demo’s settings', config: parseConfig({}, 'example'), facts: {} },
  {
    title:
      'Generator and judge on servers that read 20,000 and write 2,500 tokens/s together, at example prices of 0.50 and 1.50 a million',
    config: parseConfig(
      {
        generator: server({ input: 0.5, output: 1.5 }),
        judge: { ...server({ input: 0.5, output: 1.5 }), runs: 3, maxTokens: 512 },
        generate: { samples: 4, maxTokens: 4096, specTokens: 4000 },
      },
      'example',
    ),
    facts: { serverRates: { input: 20_000, output: 2500 }, lengths: { cot: 300, completion: 500, passing: 0.8, jsonVerdict: 150 } },
  },
];

const count = (value: number): string => {
  const [size, unit] = value >= 1e9 ? [1e9, ' G'] : value >= 1e6 ? [1e6, ' M'] : value >= 1e3 ? [1e3, ' k'] : [1, ''];
  const figure = value / size;
  return value === 0 ? '' : `${figure < 10 ? figure.toFixed(1).replace('.0', '') : figure.toFixed(0)}${unit}`;
};
const time = (seconds: number | null): string =>
  seconds === null ? '?' : seconds < 172_800 ? duration(seconds) : `${Math.round(seconds / 86_400).toLocaleString('en')} days`;

export async function costTables(): Promise<string> {
  const parts: string[] = [];
  for (const { title, config, facts } of examples) {
    const all = { ...(await specFacts(config)), ...facts };
    const rows = sizes.map((prompts) => {
      const costs = costAtScale(config, prompts, { ...all, passes: 1 });
      const of = (name: string) => costs.find(({ stage }) => stage === name)!;
      const total = totalMoney(costs);
      return [
        prompts.toLocaleString('en'),
        ...['generate', 'judge'].flatMap((name) => [
          count(of(name).calls),
          `${count(of(name).prefilled)} + ${count(of(name).sampled)}`,
          time(of(name).seconds),
        ]),
        ...['sft', 'rl'].map((name) => time(of(name).seconds)),
        total === null ? '–' : moneyText(total),
      ];
    });
    parts.push(
      `**${title}.** n = ${config.generate.samples}, k = ${config.judge.runs}, RL once over all prompts.`,
      markdownTable(
        ['Prompts', 'generate: requests', 'tokens in + out', 'time', 'judge: requests', 'tokens in + out', 'time', 'SFT', 'RL', 'money'],
        rows,
      ),
    );
  }
  return parts.join('\n\n');
}

/** What the model says of a run that was measured. */
export async function estimateOf({ settings }: MeasuredRun): Promise<StageCost[]> {
  const config = parseConfig(settings, 'measured run');
  return estimateCost(config, { ...(await specFacts(config)), generate: config.prompts.train + config.prompts.ordinary });
}

export async function checkTable(): Promise<string> {
  const rows = await Promise.all(
    measuredRuns.map(async (run) => {
      const costs = await estimateOf(run);
      return Object.entries(run.seconds).map(([stage, measured]) => {
        const { seconds, calls, prefilled, sampled, trained } = costs.find((cost) => cost.stage === stage)!;
        return [
          run.name,
          stage,
          ...[calls, prefilled, sampled, trained].map(count),
          `${Math.round(seconds!)} s`,
          `${measured} s`,
          (seconds! / measured).toFixed(2),
        ];
      });
    }),
  );
  return markdownTable(['Run', 'Stage', 'calls', 'prefilled', 'sampled', 'trained', 'estimate', 'measured', 'ratio'], rows.flat());
}

export async function costCommand(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { save: { type: 'boolean', default: false } } });
  const [tables, check] = [await costTables(), await checkTable()];
  console.log(`${tables}\n\n${check}`);
  if (!values.save) return;
  await fillScalePage('cost', tables);
  await fillScalePage('check', check);
}
