/** `--to peft`: the adapter as a PEFT folder, with the tokenizer it needs. */
import { inputError } from '../base/errors.js';
import type { WeightType } from '../lm/float-formats.js';
import { writeTokenizerFiles } from '../lm/model-folder.js';
import { checkAdapterFits } from '../lm/merge.js';
import { writeAdapter } from '../lm/peft.js';
import { writeModelCard } from './model-card.js';
import type { ExportTarget, ModelContext } from './target.js';

/** @throws input error where the arm is the model itself */
export function neededAdapter({ adapter, arm }: ModelContext) {
  if (adapter === null) throw inputError(`the arm ${arm} is the model as it is, without an adapter. Export it as merged or gguf.`);
  return adapter;
}

export const peft: ExportTarget = {
  kind: 'model',
  text: 'LoRA adapter as a PEFT folder, with tokenizer files',
  async write(context) {
    const { folder, checkpoint, baseName, type } = context;
    const adapter = neededAdapter(context);
    checkAdapterFits(checkpoint.config, adapter, folder);
    await writeAdapter(folder, adapter, { baseModel: baseName, dtype: type.toUpperCase() as Uppercase<WeightType> });
    await writeTokenizerFiles(folder, checkpoint);
    const use = [
      '```python',
      'from peft import PeftModel',
      'from transformers import AutoModelForCausalLM, AutoTokenizer',
      '',
      'folder = "."  # this one',
      'model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("BASE"), folder)',
      'tokenizer = AutoTokenizer.from_pretrained(folder)',
      '```',
      '',
      'BASE: a checkpoint of the base model above. The adapter was trained on the very weights whose digest stands under Training; on weights that were rounded in another way it gives slightly other numbers.',
    ].join('\n');
    await writeModelCard(context, 'peft', use);
    return ['adapter_config.json, adapter_model.safetensors and tokenizer files: peft, vLLM (--enable-lora), SGLang and trl load them.'];
  },
};
