/** A GGUF file under Hugging Face's tensor names and row order. */
import { inputError } from '../base/errors.js';
import type { LlamaConfig } from './config.js';
import { GgufFile } from './gguf.js';
import { tokenizerFromGguf } from './gguf-tokenizer.js';
import type { OpenedWeights } from './folder-checkpoint.js';
import { configFromGguf } from './read-config.js';

const blockNames: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

/** GGUF's name for one of Hugging Face's, null where there is none. */
export function ggufName(name: string): string | null {
  if (name === 'model.embed_tokens.weight') return 'token_embd.weight';
  if (name === 'model.norm.weight') return 'output_norm.weight';
  if (name === 'lm_head.weight') return 'output.weight';
  const match = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name);
  const inner = match && blockNames[match[2] as string];
  return inner ? `blk.${match[1]}.${inner}.${match[3]}` : null;
}

export async function openGgufCheckpoint(path: string): Promise<OpenedWeights> {
  const file = await GgufFile.open(path);
  try {
    const embedding = file.tensors.get('token_embd.weight');
    if (!embedding || embedding.shape.length !== 2) throw inputError(`${path} has no token embedding. It is not a whole language model.`);
    const ropeScaling = file.tensors.has('rope_freqs.weight') ? llama3Scaling(await file.tensor('rope_freqs.weight'), file) : undefined;
    const config = configFromGguf(file.metadata, path, {
      vocabSize: embedding.shape[0] as number,
      tiedEmbeddings: !file.tensors.has('output.weight'),
      ropeScaling,
    });
    return {
      config,
      tokenizer: tokenizerFromGguf(file.metadata, path),
      weightFiles: [path],
      has: (name) => file.tensors.has(ggufName(name) ?? ''),
      async tensor(name) {
        const stored = ggufName(name);
        if (stored === null || !file.tensors.has(stored)) throw inputError(`${path} has no tensor for ${name}.`);
        const data = await file.tensor(stored);
        // Only files of architecture llama interleave; qwen's keep Hugging Face's order.
        const permuted = config.architecture === 'llama' && /\.(q|k)_proj\.(weight|bias)$/.exec(name);
        return permuted ? unpermuteRows(data, permuted[1] === 'q' ? config.heads : config.kvHeads, config.headDim) : data;
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Undoes the row order of llama GGUF files: theirs has the two halves of a head's rotation pairs side by side
 * (row 2i+s of a head is Hugging Face's row s·h/2+i).
 */
export const unpermuteRows = (data: Float32Array, heads: number, headDim: number): Float32Array =>
  moveRows(data, heads, headDim, (row) => (row % 2) * (headDim / 2) + (row >> 1));

/** From Hugging Face's row order to that of llama GGUF files. */
export const permuteRows = (data: Float32Array, heads: number, headDim: number): Float32Array =>
  moveRows(data, heads, headDim, (row) => (row % (headDim / 2)) * 2 + (row < headDim / 2 ? 0 : 1));

/** @param target where a head's row goes */
function moveRows(data: Float32Array, heads: number, headDim: number, target: (row: number) => number): Float32Array {
  const rowLength = data.length / (heads * headDim);
  if (!Number.isInteger(rowLength))
    throw inputError(
      `a q or k matrix has ${data.length} elements, not a multiple of ${heads} heads of ${headDim}. The file's metadata and tensors disagree.`,
    );
  const result = new Float32Array(data.length);
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < headDim; row++) {
      const from = (head * headDim + row) * rowLength;
      result.set(data.subarray(from, from + rowLength), (head * headDim + target(row)) * rowLength);
    }
  }
  return result;
}

/**
 * Llama 3.x files carry the divisors of each rotary frequency as a tensor instead of the four numbers behind them.
 * Those numbers are the same in the whole family but for the factor, which is the largest divisor; anything else is refused.
 */
function llama3Scaling(divisors: Float32Array, file: GgufFile): LlamaConfig['ropeScaling'] {
  const factor = divisors.reduce((most, d) => Math.max(most, d), 0);
  const [lowFreqFactor, highFreqFactor, originalMaxPositions] = [1, 4, 8192];
  const theta = Number(file.metadata.get('llama.rope.freq_base'));
  const agrees = divisors.every((divisor, i) => {
    const turns = (originalMaxPositions * theta ** (-i / divisors.length)) / (2 * Math.PI);
    const keep = Math.min(1, Math.max(0, (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor)));
    return Math.abs(1 / (keep + (1 - keep) / factor) / divisor - 1) < 1e-3;
  });
  if (!agrees)
    throw inputError(`${file.path} stretches its rotary frequencies in a way that is not Llama 3's. Use the model's Hugging Face folder.`);
  return { factor, lowFreqFactor, highFreqFactor, originalMaxPositions };
}
