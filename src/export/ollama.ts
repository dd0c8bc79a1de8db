/** `--to ollama`: the GGUF file and a Modelfile whose template frames turns as the model's own chat template does. */
import path from 'node:path';
import { writeTextAtomically } from '../base/atomic-text.js';
import { inputError } from '../base/errors.js';
import type { Checkpoint } from '../lm/checkpoint.js';
import { findFrames, type TemplateFrames } from '../lm/template-frames.js';
import { writeModelGguf } from './gguf.js';
import { writeModelCard } from './model-card.js';
import type { ExportTarget } from './target.js';

export const ollama: ExportTarget = {
  kind: 'model',
  text: 'GGUF file and Modelfile',
  async write(context) {
    const { folder, run } = context;
    // First what is quick to fail.
    const text = await modelfile(context.checkpoint);
    await writeModelGguf(context);
    await writeTextAtomically(path.join(folder, 'Modelfile'), text);
    const name = run.config.name.toLowerCase();
    await writeModelCard(context, 'gguf', `\`ollama create ${name} -f Modelfile && ollama run ${name}\``);
    return [`model.gguf (${context.type}) and Modelfile: ollama create ${name} -f Modelfile`];
  },
};

/** @throws input error for a model without a chat template, or with one that does more than frame messages */
async function modelfile({ tokenizer, config }: Checkpoint): Promise<string> {
  const { chatTemplate, bosToken, eosToken } = tokenizer;
  if (chatTemplate === null)
    throw inputError(`${tokenizer.path}: the model has no chat template, so Ollama could not frame a chat. Export it as gguf.`);
  const frames = await findFrames(chatTemplate, { bos_token: bosToken ?? '', eos_token: eosToken ?? '', tools: null, documents: null });
  const special = tokenizer.addedTokens.filter(({ id, special }) => special && config.eosTokens.includes(id)).map(({ content }) => content);
  const stops = [...new Set([...(eosToken === null ? [] : [eosToken]), ...special])];
  return [
    'FROM ./model.gguf',
    `TEMPLATE """${goTemplate(frames)}"""`,
    ...stops.map((stop) => `PARAMETER stop ${JSON.stringify(stop)}`),
    `PARAMETER num_ctx ${Math.min(config.maxPositions, 4096)}`,
    'PARAMETER temperature 0.6',
    'PARAMETER top_p 0.95',
    '',
  ].join('\n');
}

/** The frames as a Go template: the text before each content depends on the roles on both sides, as it does in the model's own. */
export function goTemplate({ between, generation }: Pick<TemplateFrames, 'between' | 'generation'>): string {
  const after = new Map<string, [role: string, frame: string][]>();
  for (const [key, frame] of between) {
    const [before = '', role = ''] = key.split('>');
    after.set(before, [...(after.get(before) ?? []), [role, frame]]);
  }
  const choose = (variable: string, cases: readonly (readonly [string, string])[]) =>
    cases.map(([value, then], i) => `{{- ${i === 0 ? 'if' : 'else if'} eq ${variable} ${JSON.stringify(value)} }}${then}`).join('') +
    (cases.length > 0 ? '{{- end }}' : '');
  const write = (frame: string) => (frame === '' ? '' : `{{ ${JSON.stringify(frame)} }}`);
  const frames = [...after].map(
    ([before, cases]) =>
      [
        before,
        choose(
          '.Role',
          cases.map(([role, frame]) => [role, write(frame)]),
        ),
      ] as const,
  );
  const opening = [...generation].map(([role, frame]) => [role, write(frame)] as const);
  return `{{- $last := "" }}{{- range .Messages }}${choose('$last', frames)}{{ .Content }}{{- $last = .Role }}{{- end }}${choose('$last', opening)}`;
}
