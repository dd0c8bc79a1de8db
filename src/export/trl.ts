/** `--to trl`: data for SFTTrainer and GRPOTrainer, the reward function, and the two scripts that train on them. */
import path from 'node:path';
import { writeTextAtomically } from '../base/atomic-text.js';
import { writeJsonl } from '../base/jsonl.js';
import { judgeClient, py } from './python.js';
import { rlPrompts } from './rl-rows.js';
import { sftRows } from './sft-rows.js';
import { dataArms, type DataContext, type ExportTarget } from './target.js';

export const trl: ExportTarget = {
  kind: 'data',
  arms: dataArms,
  text: 'data, reward function and scripts for TRL (SFTTrainer, GRPOTrainer)',
  async write(context) {
    const { folder, run, arm, judgeUrl } = context;
    const sft = sftRows(run, arm);
    const rl = rlPrompts(run, 'train').map(({ messages, category }) => ({ prompt: messages, category }));
    const text = (name: string, content: string) => writeTextAtomically(path.join(folder, name), content);
    await writeJsonl(path.join(folder, 'sft.jsonl'), sft);
    await writeJsonl(path.join(folder, 'rl.jsonl'), rl);
    await text('reward.py', rewardFile(judgeUrl));
    await text('train_sft.py', sftScript(context));
    await text('train_grpo.py', grpoScript(context));
    return [
      `sft.jsonl (${sft.length} rows) and train_sft.py: python train_sft.py --model MODEL`,
      `rl.jsonl (${rl.length} prompts), reward.py and train_grpo.py: python train_grpo.py --model MODEL, with \`deliberate serve --judge\` running.`,
    ];
  },
};

const rewardFile = (judgeUrl: string): string => `"""The judge of deliberate as a reward of TRL's GRPOTrainer: reward_funcs=judge_reward.

The data set needs the column "category" beside "prompt". The judge sees conversation, answer and category, never the chain of
thought. None, for a verdict that is missing, leaves the completion out.
"""
${judgeClient(judgeUrl)}

def judge_reward(prompts, completions, category, **_):
    rewards = [LOWEST] * len(completions)
    places, items = [], []
    for place, (prompt, completion, name) in enumerate(zip(prompts, completions, category)):
        answer = answer_of(completion if isinstance(completion, str) else completion[-1]["content"])
        if answer is None:
            continue
        messages = [{"role": message["role"], "content": message["content"]} for message in prompt]
        places.append(place)
        items.append({"messages": messages, "answer": answer, "category": name})
    for place, score in zip(places, judge(items)):
        rewards[place] = score
    return rewards
`;

/** What both scripts say of the model. */
const modelArguments = ({ baseName }: DataContext, out: string): string => `parser = argparse.ArgumentParser()
parser.add_argument("--model", default=${py(baseName)}, help="the exported base or sft: deliberate export RUN --to merged --arm base")
parser.add_argument("--out", default=${py(out)})
parser.add_argument("--max-steps", type=int, default=-1, help="fewer, to try it out")
arguments = parser.parse_args()
here = os.path.dirname(os.path.abspath(__file__))`;

const lora = ({ run }: DataContext): string =>
  `LoraConfig(r=${run.config.engine.rank}, lora_alpha=${run.config.engine.alpha}, target_modules="all-linear", task_type="CAUSAL_LM")`;

function sftScript(context: DataContext): string {
  const { sft, seed } = context.run.config;
  return `"""Supervised fine-tuning on sft.jsonl with the settings of the run. Loss on the completion alone. Needs trl, peft, datasets.

python train_sft.py --model MODEL     MODEL: deliberate export RUN --to merged --arm base
"""
import argparse
import os

import torch
from datasets import load_dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

${modelArguments(context, 'sft')}

config = SFTConfig(
    output_dir=arguments.out,
    num_train_epochs=${sft.epochs},
    max_steps=arguments.max_steps,
    per_device_train_batch_size=${sft.batchSize},
    learning_rate=${sft.learningRate},
    lr_scheduler_type="linear",
    warmup_steps=${sft.warmUp},
    weight_decay=0.0,
    max_grad_norm=${sft.gradClipNorm},
    max_length=2048,
    bf16=torch.cuda.is_available(),
    seed=${seed},
    logging_steps=1,
    report_to="none",
)
trainer = SFTTrainer(
    model=arguments.model,
    args=config,
    train_dataset=load_dataset("json", data_files=os.path.join(here, "sft.jsonl"), split="train"),
    peft_config=${lora(context)},
)
trainer.train()
trainer.save_model(arguments.out)
`;
}

function grpoScript(context: DataContext): string {
  const { rl, seed } = context.run.config;
  return `"""Reinforcement learning on rl.jsonl with the judge of deliberate as the reward. Needs trl, peft, datasets.

deliberate serve RUN --judge          in another terminal
python train_grpo.py --model MODEL    MODEL: deliberate export RUN --to merged --arm sft
"""
import argparse
import os

import torch
from datasets import load_dataset
from peft import LoraConfig
from trl import GRPOConfig, GRPOTrainer

from reward import judge_reward

${modelArguments(context, 'grpo')}

config = GRPOConfig(
    output_dir=arguments.out,
    max_steps=arguments.max_steps if arguments.max_steps > 0 else ${Math.max(1, rl.steps)},
    per_device_train_batch_size=${rl.promptsPerStep * rl.samplesPerPrompt},
    num_generations=${rl.samplesPerPrompt},
    max_completion_length=${rl.maxTokens},
    mask_truncated_completions=True,
    temperature=${rl.temperature},
    learning_rate=${rl.learningRate},
    lr_scheduler_type="constant",
    beta=${rl.klCoefficient},
    # Mean-only advantages and a mean over tokens, as in deliberate.
    scale_rewards="none",
    loss_type="dapo",
    bf16=torch.cuda.is_available(),
    seed=${seed},
    logging_steps=1,
    report_to="none",
)
trainer = GRPOTrainer(
    model=arguments.model,
    reward_funcs=judge_reward,
    args=config,
    train_dataset=load_dataset("json", data_files=os.path.join(here, "rl.jsonl"), split="train"),
    peft_config=${lora(context)},
)
trainer.train()
trainer.save_model(arguments.out)
`;
}
