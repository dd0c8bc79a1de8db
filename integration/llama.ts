/**
 * llama.cpp against the embedded engine, on what `deliberate export` writes of the package's reasoner: tokens of conversations,
 * and greedy tokens token for token. Everything in f32, llama.cpp's cache too, so that rounding is no excuse.
 * Started by integration/llama.sh.
 */
import path from 'node:path';
import { defaultModel, resolveModel } from '../src/lm/models.js';
import { type Completed, LlamaServer, sayLlamaVersion } from './llama-process.js';
import { conversations, maxTokens, type Ours, ourWords } from './our-words.js';
import { check, deliberate, inTemporaryFolder, makeReasonerRun, reasoner, say } from './proof.js';

/** Fewer are compared where a completion ends; so many prompts must have them. */
const least = { tokens: 24, prompts: 4 };

/** Tokens that are the same from the start, of all of ours. The end of the turn is not among llama.cpp's. */
function agreement({ tokens }: Ours, theirs: Completed): { same: number; all: number; where: string } {
  const ended = tokens.length < maxTokens || theirs.tokens.length < maxTokens;
  const ours = ended && tokens.length === theirs.tokens.length + 1 ? tokens.slice(0, -1) : tokens;
  const at = ours.findIndex((token, t) => token !== theirs.tokens[t]);
  if (at === -1 && ours.length === theirs.tokens.length) return { same: ours.length, all: ours.length, where: '' };
  const place = at === -1 ? ours.length : at;
  const near = theirs.likeliest[place]?.map(({ token, logprob }) => `${token} at ${logprob.toFixed(4)}`).join(', ');
  return {
    same: place,
    all: Math.max(ours.length, theirs.tokens.length),
    where: `token ${place}: ours ${ours[place] ?? 'none'}, llama.cpp's ${theirs.tokens[place] ?? 'none'} (its likeliest: ${near})`,
  };
}

async function compare(what: string, files: { model: string; more?: string[] }, ours: readonly Ours[]): Promise<void> {
  const exact = ['--cache-type-k', 'f32', '--cache-type-v', 'f32', '--flash-attn', 'off'];
  const server = await LlamaServer.start({ model: files.model, more: [...exact, ...(files.more ?? [])] });
  try {
    let [same, all, long, chats] = [0, 0, 0, 0];
    const differences: string[] = [];
    for (const [i, one] of ours.entries()) {
      const messages = conversations[i] ?? [];
      const tokens = await server.promptTokens(messages);
      if (tokens.join() !== one.prompt.join()) differences.push(`prompt ${i + 1}: other tokens before any is generated`);
      const found = agreement(one, await server.complete(one.prompt, maxTokens));
      if (found.where !== '') differences.push(`prompt ${i + 1}, ${found.where}`);
      same += found.same;
      all += found.all;
      if (found.same >= least.tokens) long++;
      const { choices } = (await server.post('/v1/chat/completions', { messages, max_tokens: maxTokens, temperature: 0 })) as {
        choices: { message: { content: string } }[];
      };
      if (choices[0]?.message.content.trim() === one.text.trim()) chats++;
    }
    check(
      `${what}: ${same} of ${all} greedy tokens are ours, over ${ours.length} conversations with the same prompt tokens`,
      differences.length === 0,
    );
    for (const difference of differences) say(`        ${what}, ${difference}`);
    check(`${what}: at least ${least.tokens} tokens were the same on ${long} of ${ours.length} conversations`, long >= least.prompts);
    check(`${what}: ${chats} of ${ours.length} texts of /v1/chat/completions are ours`, chats === ours.length);
  } finally {
    await server.kill();
  }
}

await inTemporaryFolder(async (home) => {
  await sayLlamaVersion();
  const model = await resolveModel(defaultModel);
  const run = path.join(home, 'run');
  await makeReasonerRun(run);
  const out = (name: string) => path.join(home, name);
  await deliberate('export', run, '--to', 'gguf', '--out', out('merged'));
  await deliberate('export', run, '--to', 'gguf', '--arm', 'raw', '--out', out('raw'));
  await deliberate('export', run, '--to', 'gguf-lora', '--out', out('lora'));

  const [tuned, plain] = [await ourWords(model, reasoner), await ourWords(model, null)];
  const changed = tuned.filter(({ text }, i) => text !== plain[i]?.text).length;
  check(`the adapter changes what the model says on ${changed} of ${tuned.length} conversations`, changed > 0);
  await compare('gguf, adapter folded in', { model: out('merged/model.gguf') }, tuned);
  await compare('gguf-lora upon the base as f32', { model: out('raw/model.gguf'), more: ['--lora', out('lora/adapter.gguf')] }, tuned);
  await compare('gguf of the base alone', { model: out('raw/model.gguf') }, plain);
});
