/** The real model, where the cache has it: everything that reads it, against values found independently. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRenderer, type ModelRenderer } from './chat-template.js';
import { type Checkpoint, openCheckpoint } from './checkpoint.js';
import { defaultModel, listModels } from './models.js';
import { createTokenizer } from './tokenizer.js';

const model = (await listModels()).find(({ name }) => name === defaultModel)?.path;
if (model === undefined)
  console.warn(
    `${defaultModel} is not in the cache: its integration test is skipped. \`deliberate models pull ${defaultModel}\` fetches it.`,
  );

describe.skipIf(model === undefined)('SmolLM2-135M-Instruct', () => {
  let checkpoint: Checkpoint;
  let renderer: ModelRenderer;
  beforeAll(async () => {
    checkpoint = await openCheckpoint(model as string);
    renderer = await createRenderer(checkpoint.tokenizer);
  });
  afterAll(() => checkpoint.close());

  it('has the shape it should', () => {
    expect(checkpoint.config).toMatchObject({
      vocabSize: 49152,
      hiddenSize: 576,
      layers: 30,
      heads: 9,
      kvHeads: 3,
      headDim: 64,
      ffnSize: 1536,
      ropeTheta: 100000,
      eosTokens: [2, 0],
    });
  });

  it.each([
    ['model.embed_tokens.weight', 49152 * 576, -61167.81291627884],
    ['model.layers.3.self_attn.q_proj.weight', 576 * 576, -119.26529693603516],
    ['model.layers.3.self_attn.k_proj.weight', 192 * 576, -309.02496337890625],
    ['model.layers.7.mlp.down_proj.weight', 576 * 1536, -545.1824035644531],
  ])('has the %s that the gguf package for Python reads', async (name, length, checksum) => {
    const weights = await checkpoint.tensor(name);
    expect(weights).toHaveLength(length);
    let sum = 0;
    for (let i = 0; i < weights.length; i++) sum += (weights[i] as number) * ((i % 7) + 1);
    expect(sum).toBeCloseTo(checksum, 4);
  });

  it('tokenizes as the original does', () => {
    const tokenizer = createTokenizer(checkpoint.tokenizer);
    const text = 'The capital of France is Paris.';
    expect(tokenizer.encode(text)).toEqual([504, 3575, 282, 4649, 314, 7042, 30]);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(tokenizer.encode('<|im_end|>')).toEqual([44, 108, 306, 79, 486, 108, 46]);
  });

  it('renders a conversation as its template does, token for token', () => {
    const tokenizer = createTokenizer(checkpoint.tokenizer);
    const [start, end] = [1, 2];
    const turn = (text: string, closed = true) => [start, ...tokenizer.encode(text), ...(closed ? [end, ...tokenizer.encode('\n')] : [])];
    const messages = [
      { role: 'system', content: 'Follow the policy.' },
      { role: 'user', content: 'Hi!' },
    ] as const;
    expect(renderer.promptTokens(messages)).toEqual([
      ...turn('system\nFollow the policy.'),
      ...turn('user\nHi!'),
      ...turn('assistant\n', false),
    ]);
    expect(renderer.promptTokens(messages.slice(1)).slice(0, 6)).toEqual(turn('system\nYou are a helpful').slice(0, 6));
    expect(renderer.completionTokens('Hello.').at(-1)).toBe(end);
    expect(renderer.endOfTurn).toBe(end);
  });
});
