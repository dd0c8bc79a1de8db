/** Renders chat templates, which come with downloaded models and are not trusted, in a process of their own. */
import { createRequire } from 'node:module';
import { inputError } from '../base/errors.js';
import type { Message } from '../base/records.js';
import { runUntrusted } from './untrusted-process.js';

export interface RenderJob {
  messages: readonly Message[];
  addGenerationPrompt: boolean;
}

/** What the template made of one conversation, or why it refused it. */
export type Rendering = { text: string } | { refused: string };

/**
 * The template itself is interpreted by @huggingface/jinja, which gives it no way to the host.
 * The date is fixed (26 July 2024, what Llama's templates fall back to), so that a run started today can go on tomorrow.
 */
const program = `
const { jinja, template: source, jobs, variables } = input;
const Today = Date;
globalThis.Date = class extends Today {
  constructor(...parts) { super(...(parts.length ? parts : [2024, 6, 26])); }
};
const reply = (value) => process.stdout.write(JSON.stringify(value));
const { Template } = require(jinja);
begin();
let template;
try {
  template = new Template(source);
} catch (error) {
  reply({ malformed: String(error && error.message).slice(0, 300) });
}
if (template) reply(jobs.map(({ messages, addGenerationPrompt }) => {
  try {
    return { text: template.render({ ...variables, messages, add_generation_prompt: addGenerationPrompt }) };
  } catch (error) {
    return { refused: String(error && error.message).slice(0, 300) };
  }
}));
`;

/** The longest templates known have a tenth of it. */
export const mostTemplateCharacters = 1 << 20;
const memoryMegabytes = 96;

/** @throws input error when the template is malformed, takes longer than `deadline` milliseconds or too much memory */
export async function renderTemplate(
  template: string,
  jobs: readonly RenderJob[],
  variables: Record<string, string | null>,
  deadline = 10_000,
): Promise<Rendering[]> {
  const jinja = createRequire(import.meta.url).resolve('@huggingface/jinja');
  const plainer = "Use a model with a plain template, or put a plain chat_template.jinja into the model's folder.";
  if (template.length > mostTemplateCharacters)
    throw inputError(`the model's chat template has ${template.length} characters, more than ${mostTemplateCharacters}. ${plainer}`);
  const outcome = await runUntrusted(program, { jinja, template, jobs, variables }, { deadline, memoryMegabytes });
  if ('late' in outcome) throw inputError(`the model's chat template did not finish within ${deadline / 1000} s. ${plainer}`);
  if ('failed' in outcome) throw inputError(`the model's chat template used too much memory or failed (${outcome.failed}). ${plainer}`);
  const reply = JSON.parse(outcome.output) as Rendering[] | { malformed: string };
  if (Array.isArray(reply)) return reply;
  throw inputError(`the model's chat template cannot be used: ${reply.malformed}. ${plainer}`);
}
