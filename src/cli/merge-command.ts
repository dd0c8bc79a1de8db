/** `merge`: the shards of a run, made on several machines, become one run. */
import type { Command } from 'commander';
import { mergeShards } from '../align/merge-shards.js';

export function addMergeCommand(program: Command): void {
  program
    .command('merge')
    .description('put the shards of a run together (run --shard i/n), for filter, training and evaluation')
    .argument('<run folder>', 'folder to make; new or empty')
    .argument('<shards...>', 'folders of all shards, in any order; they are only read')
    .addHelpText(
      'after',
      `
Examples:
  deliberate run mine.yaml --shard 1/3 --out runs/mine-1of3      on the first machine, and so on
  deliberate merge runs/mine runs/mine-1of3 runs/mine-2of3 runs/mine-3of3
  deliberate run mine.yaml --out runs/mine                       goes on with the filter

All shards must be of the same settings, prompts, specification and weights, and be done. The folder appears whole or not at all;
a merge that was stopped is given again.`,
    )
    .action(async (target: string, shards: string[]) => {
      const merged = await mergeShards(target, shards);
      console.log(
        `${target}: ${merged.already ? 'held already' : 'now holds'} all ${merged.shards} shards: ${merged.prompts} prompts, ${merged.completions} completions, ${merged.judgements} judgements. Go on with the same settings: deliberate run … --out ${target}`,
      );
    });
}
