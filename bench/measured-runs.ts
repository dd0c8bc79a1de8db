/** Runs whose stages were timed, against which the cost model is held: seconds by the times of their files. */
export interface MeasuredRun {
  name: string;
  /** Other than the defaults. */
  settings: object;
  seconds: Readonly<Record<string, number>>;
}

/** Both on two slow cores; docs/LOG.md, 2026-11-25, entries 19 and 15. */
export const measuredRuns: readonly MeasuredRun[] = [
  // The demo of before `filter.citation` was the default and with one epoch more, on a quiet machine.
  {
    name: 'demo',
    settings: { filter: { citation: false }, sft: { epochs: 6 } },
    seconds: { generate: 176, judge: 254, sft: 303, rl: 154, eval: 186 },
  },
  {
    name: 'wider (results/wider, seed 0)',
    settings: {
      prompts: { train: 300, ordinary: 40 },
      judge: { runs: 1 },
      filter: { perPrompt: 1, citation: false },
      sft: { epochs: 4 },
      rl: { steps: 0 },
      eval: { plain: 24, jailbroken: 6, techniques: 8 },
    },
    seconds: { generate: 590, judge: 685, sft: 648, eval: 309 },
  },
];
