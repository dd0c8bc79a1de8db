/** `--to merged`: the whole model with the adapter folded in, as a Hugging Face folder. */
import { writeModelFolder } from '../lm/model-folder.js';
import { writeModelCard } from './model-card.js';
import type { ExportTarget } from './target.js';

export const merged: ExportTarget = {
  kind: 'model',
  text: 'whole model, adapter folded in, as a Hugging Face folder (config.json, safetensors)',
  async write(context) {
    const { folder, checkpoint, adapter, type } = context;
    await writeModelFolder(folder, checkpoint, adapter, type);
    const use = [
      '```python',
      'from transformers import AutoModelForCausalLM, AutoTokenizer',
      '',
      'folder = "."  # this one',
      'model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)',
      '```',
      '',
      'or `vllm serve FOLDER`, or `deliberate run --set engine.model=FOLDER --set engine.adapter=null`.',
    ].join('\n');
    await writeModelCard(context, 'transformers', use);
    return [
      `config.json, model.safetensors (${type}) and tokenizer files: transformers, vLLM, SGLang and deliberate itself load the folder.`,
    ];
  },
};
