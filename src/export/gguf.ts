/** `--to gguf` and `--to gguf-lora`: for llama.cpp and what is built on it. */
import path from 'node:path';
import { writeGgufAdapter, writeGgufModel } from '../lm/gguf-model.js';
import { writeModelCard } from './model-card.js';
import { neededAdapter } from './peft.js';
import type { ExportTarget, ModelContext } from './target.js';

const titleOf = ({ run, arm }: ModelContext): string => `${run.config.name} ${arm}`;

/** Writes model.gguf into the folder. */
export async function writeModelGguf(context: ModelContext): Promise<void> {
  const { folder, checkpoint, adapter, type } = context;
  await writeGgufModel(path.join(folder, 'model.gguf'), { checkpoint, adapter, name: titleOf(context), type });
}

export const gguf: ExportTarget = {
  kind: 'model',
  text: 'whole model, adapter folded in, as one GGUF file (f32, f16 or bf16)',
  async write(context) {
    await writeModelGguf(context);
    await writeModelCard(
      context,
      'gguf',
      '`llama-server -m model.gguf --jinja --reasoning-format none`; smaller with `llama-quantize model.gguf small.gguf Q4_K_M`.',
    );
    return [`model.gguf (${context.type}) with tokenizer and chat template: llama-server -m model.gguf --jinja`];
  },
};

export const ggufLora: ExportTarget = {
  kind: 'model',
  text: 'LoRA adapter as a GGUF file, to be laid upon a GGUF file of the base',
  async write(context) {
    const { folder, checkpoint, type } = context;
    const adapter = neededAdapter(context);
    await writeGgufAdapter(path.join(folder, 'adapter.gguf'), { checkpoint, adapter, name: titleOf(context), type });
    await writeModelCard(
      context,
      'gguf',
      '`llama-server -m BASE.gguf --lora adapter.gguf --jinja`, where BASE.gguf is the base model as GGUF.',
    );
    return [`adapter.gguf (${type}): llama-server -m BASE.gguf --lora adapter.gguf --jinja`];
  },
};
