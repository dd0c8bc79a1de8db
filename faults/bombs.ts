/** Model files that somebody made to do harm, by hand. Each is written into a folder that holds a sound tiny checkpoint. */
import { open, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface Bomb {
  name: string;
  /** Writes it. @returns the path to open: the folder, or a file in it */
  write(folder: string): Promise<string>;
}

const u32 = (n: number) => Buffer.from(Uint32Array.of(n).buffer);
const u64 = (n: number | bigint) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
const ggufHead = (tensors: number, keys: number) => Buffer.concat([Buffer.from('GGUF'), u32(3), u64(tensors), u64(keys)]);
const ggufText = (text: string) => Buffer.concat([u64(text.length), Buffer.from(text)]);
const nested = (opening: string, close: string, depth: number, inside = '') => opening.repeat(depth) + inside + close.repeat(depth);
const megabyte = 1 << 20;

const file = (name: string, target: string, content: () => Buffer | string): Bomb => ({
  name,
  async write(folder) {
    const whole = path.join(folder, target);
    await writeFile(whole, content());
    return target.endsWith('.gguf') ? whole : folder;
  },
});
const template = (name: string, text: string): Bomb => file(`template: ${name}`, 'chat_template.jinja', () => text);

/** A header of so many bytes of JSON, and no tensors. */
function safetensorsHeader(json: string): Buffer {
  return Buffer.concat([u64(Buffer.byteLength(json)), Buffer.from(json)]);
}

const tokenizer = (preTokenizer: unknown, over: object = {}): string =>
  JSON.stringify({
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: preTokenizer,
    decoder: null,
    model: { type: 'BPE', vocab: { a: 0, b: 1 }, merges: [] },
    ...over,
  });

const config = (over: object): string =>
  JSON.stringify({
    model_type: 'llama',
    vocab_size: 96,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 48,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 256,
    ...over,
  });

export const bombs: readonly Bomb[] = [
  file('GGUF: a list of 200 million bytes', 'bomb.gguf', () =>
    Buffer.concat([ggufHead(0, 1), ggufText('k'), u32(9), u32(0), u64(200_000_000), Buffer.alloc(200_000_000)]),
  ),
  file('GGUF: lists in lists, each of millions', 'bomb.gguf', () => {
    const inner = Buffer.concat([u32(0), u64(4 * megabyte), Buffer.alloc(4 * megabyte)]);
    return Buffer.concat([ggufHead(0, 1), ggufText('k'), u32(9), u32(9), u64(12), ...Array.from({ length: 12 }, () => inner)]);
  }),
  file('GGUF: a hundred thousand keys of nothing', 'bomb.gguf', () =>
    Buffer.concat([
      ggufHead(0, 100_000),
      ...Array.from({ length: 100_000 }, (_, i) => Buffer.concat([ggufText(`k${i}`), u32(9), u32(0), u64(0)])),
    ]),
  ),
  file('safetensors: a header of 90 MB of empty lists', 'model.safetensors', () =>
    safetensorsHeader(`{"a":[${'[],'.repeat(30 * megabyte)}[]]}`),
  ),
  file('safetensors: the longest header allowed, of empty lists', 'model.safetensors', () =>
    safetensorsHeader(`{"a":[${'[],'.repeat(5.3 * megabyte)}[]]}`),
  ),
  file('safetensors: lists in lists, five million deep', 'model.safetensors', () =>
    safetensorsHeader(`{"a":${nested('[', ']', 5_000_000)}}`),
  ),
  file('safetensors: a name of 10 MB, twice', 'model.safetensors', () =>
    safetensorsHeader(`{"${'a'.repeat(5e6)}":1,"${'a'.repeat(5e6)}":1}`),
  ),
  file('safetensors: a name of backslashes', 'model.safetensors', () => safetensorsHeader(`{"${'\\\\'.repeat(4e6)}":1`)),
  file('a pickle under the name of safetensors', 'model.safetensors', () =>
    Buffer.from('\x80\x04cposix\nsystem\n(S"echo"\ntR.'.padEnd(4096, '.'), 'latin1'),
  ),
  {
    name: 'an index that points outside its folder',
    async write(folder) {
      await rm(path.join(folder, 'model.safetensors'));
      await writeFile(path.join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { a: '../../etc/passwd' } }));
      return folder;
    },
  },
  {
    name: 'a config.json of 600 MB without content',
    async write(folder) {
      const handle = await open(path.join(folder, 'config.json'), 'w');
      await handle.truncate(600 * megabyte);
      await handle.close();
      return folder;
    },
  },
  file('config.json: sixteen million layers', 'config.json', () => config({ num_hidden_layers: 1 << 24 })),
  file('config.json: all sizes sixteen million', 'config.json', () =>
    config({ vocab_size: 1 << 24, hidden_size: 1 << 24, intermediate_size: 1 << 24, head_dim: 2 }),
  ),
  file('config.json: lists in lists, a million deep', 'config.json', () => nested('[', ']', 1_000_000)),
  file('tokenizer.json: lists in lists, a million deep', 'tokenizer.json', () =>
    tokenizer(null).replace('"normalizer":null', `"normalizer":${nested('[', ']', 1_000_000)}`),
  ),
  file('tokenizer.json: a number of a token beyond counting', 'tokenizer.json', () =>
    tokenizer(null, { model: { type: 'BPE', vocab: { a: 2 ** 53 - 1, b: 4e9, c: 1e15 }, merges: [] } }),
  ),
  file('tokenizer.json: an expression that takes for ever', 'tokenizer.json', () =>
    tokenizer({ type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false }),
  ),
  file('tokenizer.json: another, on spaces, in the normalizer', 'tokenizer.json', () =>
    tokenizer(null, { normalizer: { type: 'Replace', pattern: { Regex: '(\\s*)*\\t$' }, content: '' } }),
  ),
  file('tokenizer.json: every letter is a control token', 'tokenizer.json', () =>
    tokenizer(null, { added_tokens: ['a', 'b'].map((content, id) => ({ id, content, special: true })) }),
  ),
  file('tokenizer.json: a replacement that doubles each letter thirty times over', 'tokenizer.json', () =>
    tokenizer(null, {
      normalizer: {
        type: 'Sequence',
        normalizers: Array.from({ length: 30 }, () => ({ type: 'Replace', pattern: { String: 'l' }, content: 'll' })),
      },
    }),
  ),
  template('an endless loop', '{% for a in range(100000) %}{% for b in range(100000) %}{% set x = a %}{% endfor %}{% endfor %}'),
  template(
    'a text that doubles itself',
    "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
  ),
  template('a list of everything', '{% set x = range(4000000000) | list %}{{ x | length }}'),
  template('a macro that calls itself', '{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}'),
  template('parentheses, a hundred thousand deep', `{{ ${nested('(', ')', 100_000, '1')} }}`),
  template('a way to the host', "{{ messages.constructor.constructor('return process')().exit(7) }}"),
  template('a way to the host by an array', "{{ [].constructor.constructor('return process')().exit(7) }}"),
  template('a poisoned prototype', "{% set messages.__proto__.polluted = 'yes' %}{{ messages[0].content }}"),
  template('a joint that does not end', `{{ '${'{{'.repeat(20000)}' }}`),
  template('ten megabytes of text', 'x'.repeat(10 * megabyte)),
];
