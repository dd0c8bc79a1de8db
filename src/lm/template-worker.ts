/** Renders chat templates, which come with downloaded models and are not trusted, in a worker with a deadline and little memory. */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { inputError } from '../base/errors.js';
import type { Message } from '../base/records.js';

export interface RenderJob {
  messages: readonly Message[];
  addGenerationPrompt: boolean;
}

/** What the template made of one conversation, or why it refused it. */
export type Rendering = { text: string } | { refused: string };

/**
 * The worker's program, a constant of ours: as text, because it must run from TypeScript sources and from the build alike.
 * The template itself is interpreted by @huggingface/jinja, which gives it no way to the host.
 * The date is fixed (26 July 2024, what Llama's templates fall back to), so that a run started today can go on tomorrow.
 */
const program = `
const { parentPort, workerData } = require('node:worker_threads');
const { Template } = require(workerData.jinja);
const Today = Date;
globalThis.Date = class extends Today {
  constructor(...parts) { super(...(parts.length ? parts : [2024, 6, 26])); }
};
const template = new Template(workerData.template);
parentPort.postMessage(workerData.jobs.map(({ messages, addGenerationPrompt }) => {
  try {
    const text = template.render({ ...workerData.variables, messages, add_generation_prompt: addGenerationPrompt });
    return { text: text.slice(0, 1e6) };
  } catch (error) {
    return { refused: String(error && error.message).slice(0, 300) };
  }
}));
`;

/** @throws input error when the template is malformed, takes longer than `deadline` milliseconds or too much memory */
export async function renderTemplate(
  template: string,
  jobs: readonly RenderJob[],
  variables: Record<string, string | null>,
  deadline = 10_000,
): Promise<Rendering[]> {
  const jinja = createRequire(import.meta.url).resolve('@huggingface/jinja');
  let timer: NodeJS.Timeout | undefined;
  const worker = new Worker(program, {
    eval: true,
    env: {},
    workerData: { jinja, template, jobs, variables },
    resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32 },
  });
  try {
    return await new Promise<Rendering[]>((resolve, reject) => {
      timer = setTimeout(() => reject(inputError(`the chat template did not finish within ${deadline / 1000} s. Use a model with a plain template.`)), deadline);
      worker.once('message', (renderings: Rendering[]) => resolve(renderings));
      worker.once('error', (cause) => reject(inputError(`the chat template cannot be used: ${cause.message}`, cause)));
      worker.once('exit', () => reject(inputError('the chat template stopped its worker. Use a model with a plain template.')));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
