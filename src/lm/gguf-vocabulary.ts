/** The tokenizer of a model as GGUF metadata: the other way of gguf-tokenizer.ts. */
import { z } from 'zod';
import { inputError } from '../base/errors.js';
import type { LlamaConfig } from './config.js';
import { preTokenizers } from './gguf-tokenizer.js';
import type { GgufEntry } from './gguf-write.js';
import type { TokenizerSource } from './tokenizer-source.js';

/** Kinds of tokens in GGUF. */
const kinds = { normal: 1, control: 3, userDefined: 4, unused: 5 } as const;

const Bpe = z.looseObject({
  type: z.literal('BPE').optional(),
  vocab: z.record(z.string(), z.int().min(0)),
  // "a b" in older files, ["a", "b"] in newer ones.
  merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()]).transform((pair) => pair.join(' '))])),
});

/** @throws input error for a tokenizer that is no byte-level BPE, or cuts text in a way that GGUF has no name for */
export function ggufVocabulary(source: TokenizerSource, config: LlamaConfig): Map<string, GgufEntry> {
  const otherwise = 'Export as merged, and convert the folder with the tools of llama.cpp.';
  const model = Bpe.safeParse(source.json.model);
  if (!model.success) throw inputError(`${source.path}: only byte-level BPE tokenizers are written to GGUF. ${otherwise}`);
  const pre = nameOfPreTokenizer(source.json.pre_tokenizer);
  if (pre === null)
    throw inputError(`${source.path}: this way of cutting text before BPE has no name in GGUF that is known here. ${otherwise}`);

  const tokens = new Array<string | undefined>(config.vocabSize).fill(undefined);
  const types = new Array<number>(config.vocabSize).fill(kinds.unused);
  const put = (content: string, id: number, kind: number) => {
    if (id >= config.vocabSize)
      throw inputError(`${source.path}: the token ${JSON.stringify(content)} is number ${id}, and the model has ${config.vocabSize}.`);
    tokens[id] = content;
    types[id] = kind;
  };
  for (const [content, id] of Object.entries(model.data.vocab)) put(content, id, kinds.normal);
  for (const { content, id, special } of source.addedTokens) put(content, id, special ? kinds.control : kinds.userDefined);

  const idOf = (content: string | null) => (content === null ? -1 : tokens.indexOf(content));
  const bos = config.bosToken ?? idOf(source.bosToken);
  const named = idOf(source.eosToken);
  const eos = named === -1 ? (config.eosTokens[0] ?? -1) : named;
  const endOfTurn = config.eosTokens.find((id) => id !== eos) ?? -1;
  const entries = new Map<string, GgufEntry>([
    ['tokenizer.ggml.model', { text: 'gpt2' }],
    ['tokenizer.ggml.pre', { text: pre }],
    ['tokenizer.ggml.tokens', { texts: tokens.map((token, id) => token ?? `[PAD${id}]`) }],
    ['tokenizer.ggml.token_type', { i32s: types }],
    ['tokenizer.ggml.merges', { texts: model.data.merges }],
    ['tokenizer.ggml.add_bos_token', { bool: addsBos(source) }],
  ]);
  const id = (key: string, value: number) => value >= 0 && entries.set(`tokenizer.ggml.${key}`, { u32: value });
  id('bos_token_id', bos);
  id('eos_token_id', eos);
  id('eot_token_id', endOfTurn);
  if (source.chatTemplate !== null) entries.set('tokenizer.chat_template', { text: source.chatTemplate });
  return entries;
}

/** Whether the tokenizer itself puts the begin token before a text. */
function addsBos({ json, bosToken }: TokenizerSource): boolean {
  return bosToken !== null && JSON.stringify(json.post_processor ?? null).includes(JSON.stringify(bosToken));
}

/** The name that llama.cpp has for a pre-tokenizer; compared by what it does, not by how it is written down. */
function nameOfPreTokenizer(given: unknown): string | null {
  const wanted = steps(given);
  return (
    Object.entries(preTokenizers).find(
      ([, known]) => steps(known.steps.length === 1 ? known.steps[0] : { pretokenizers: known.steps }) === wanted,
    )?.[0] ?? null
  );
}

/** What matters of each step, as text. */
function steps(given: unknown): string {
  const step = given as {
    pretokenizers?: unknown[];
    type?: string;
    individual_digits?: boolean;
    use_regex?: boolean;
    add_prefix_space?: boolean;
    pattern?: unknown;
    invert?: boolean;
  } | null;
  if (step?.pretokenizers) return step.pretokenizers.map(steps).join(' | ');
  switch (step?.type) {
    case 'Digits':
      return `digits ${step.individual_digits === true}`;
    case 'ByteLevel':
      return `bytes ${step.use_regex !== false} ${step.add_prefix_space === true}`;
    case 'Split':
      return `split ${JSON.stringify(step.pattern)} ${step.invert === true}`;
    default:
      return `other ${JSON.stringify(given)}`;
  }
}
