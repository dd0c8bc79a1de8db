/** `chat`: talk to an arm and watch it think. */
import { createInterface } from 'node:readline/promises';
import type { Config } from '../base/config.js';
import { createProgress } from '../base/progress.js';
import type { Message } from '../base/records.js';
import { RunPaths } from '../base/run-folder.js';
import { specsOf } from '../align/compiled-specs.js';
import { reasoningSystem } from '../align/instructions.js';
import { loadSpec } from '../align/spec/parse.js';
import { joinCot, splitCot } from '../lm/split-cot.js';
import { armNamed, lastTrained, openArm } from './arms.js';
import { openWorkbench } from './open-workbench.js';
import { specFolder } from './settings.js';
import { dim, printable } from './terminal.js';

export interface ChatCommand {
  root: string;
  config: Config;
  arm?: string;
  /** Puts the specification of this category into the context. */
  category?: string;
  maxTokens: number;
  temperature: number;
  signal: AbortSignal;
}

export async function chatCommand({ root, config, arm: given, category, maxTokens, temperature, signal }: ChatCommand): Promise<void> {
  const paths = new RunPaths(root);
  const name = given === undefined ? await lastTrained(paths) : armNamed(given);
  const spec = await loadSpec(specFolder(config));
  const bench = await openWorkbench({ engine: config.engine, seed: config.seed, progress: createProgress(), signal });
  try {
    const specs = specsOf(spec, config, bench);
    const arm = await openArm({ bench, paths, specs }, name);
    const context: Message[] = category === undefined ? arm.context : [{ role: 'system', content: reasoningSystem(specs.text(category)) }];
    console.log(`${name}. An empty line or Ctrl-D ends; /new starts over.`);
    const terminal = createInterface({ input: process.stdin, output: process.stdout, prompt: '> ' });
    signal.addEventListener('abort', () => terminal.close(), { once: true });
    let turns: Message[] = [];
    terminal.prompt();
    for await (const line of terminal) {
      if (line.trim() === '') break;
      if (line.trim() === '/new') turns = [];
      else {
        turns.push({ role: 'user', content: line });
        const { choices } = await arm.model.chat({
          messages: [...context, ...turns],
          maxTokens,
          temperature,
          seed: turns.length,
          signal,
          ...(context.length > 0 && { sharedMessages: context.length }),
        });
        const text = choices[0]?.text ?? '';
        const { cot, answer } = splitCot(text);
        if (cot !== null) console.log(dim(printable(cot)));
        console.log(`${printable(answer)}${choices[0]?.stopReason === 'length' ? dim(' … cut off') : ''}`);
        turns.push({ role: 'assistant', content: cot === null ? answer : joinCot(cot, answer) });
      }
      terminal.prompt();
    }
    terminal.close();
  } finally {
    await bench.close();
  }
}
