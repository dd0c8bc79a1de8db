/** `--to openrlhf`: prompts, reward function and launch script for OpenRLHF 0.11 (Ray). */
import path from 'node:path';
import { writeTextAtomically } from '../base/atomic-text.js';
import { writeJsonl } from '../base/jsonl.js';
import { judgeClient, unscoredNote } from './python.js';
import { rlPrompts } from './rl-rows.js';
import { shell } from './shell.js';
import type { DataContext, ExportTarget } from './target.js';

export const openrlhf: ExportTarget = {
  kind: 'data',
  text: 'prompts, reward function and launch script for OpenRLHF (Ray)',
  async write(context) {
    const { folder, run, judgeUrl } = context;
    // The reward function gets a prompt as rendered text; the label brings it back as a conversation.
    const rows = rlPrompts(run, 'train').map(({ messages, category }) => ({
      prompt: messages,
      label: JSON.stringify({ messages, category }),
    }));
    await writeJsonl(path.join(folder, 'prompts.jsonl'), rows);
    await writeTextAtomically(path.join(folder, 'reward.py'), rewardFile(judgeUrl));
    await writeTextAtomically(path.join(folder, 'train.sh'), script(context, rows.length));
    return [`prompts.jsonl (${rows.length}), reward.py and train.sh: MODEL=… bash train.sh, with \`deliberate serve --judge\` running.`];
  },
};

const rewardFile = (judgeUrl: string): string => `"""The judge of deliberate as OpenRLHF's reward: --reward.remote_url reward.py.

The judge sees conversation, answer and category, never the chain of thought.
"""
${judgeClient(judgeUrl)}${unscoredNote}
# Queries are decoded with control tokens in them; those at the end are the end of the turn.
_END = re.compile(r"(?:\\s*<[|｜][^<>|｜\\s]{1,40}[|｜]>|\\s*</s>|\\s*<end_of_turn>)+\\s*$")


def reward_func(queries, prompts, labels, **_):
    rewards, unscored = [], 0
    for query, prompt, label in zip(queries, prompts, labels):
        # A begin token may stand before it.
        start = query.find(prompt)
        if start == -1:
            raise RuntimeError("the tokenizer does not give the prompt's text back, so the completion cannot be told from it")
        answer = answer_of(_END.sub("", query[start + len(prompt) :]))
        if answer is None:
            rewards.append(LOWEST)
            continue
        asked = json.loads(label)
        (score,) = judge([{"messages": asked["messages"], "answer": answer, "category": asked["category"]}])
        unscored += score is None
        rewards.append(UNSCORED if score is None else score)
    # OpenRLHF asks for one completion at a time and expects plain numbers then.
    values = rewards[0] if len(rewards) == 1 else rewards
    return {"rewards": values, "scores": values, "extra_logs": {"unscored": float(unscored)}}
`;

type Flag = readonly [name: string, value?: string | number];
const klFlags: readonly Flag[] = [['algo.kl.use_loss'], ['algo.kl.estimator', 'k3']];

/** Every flag that has no usable default; OpenRLHF's batch counts prompts in rollout.batch_size and sequences in train.batch_size. */
function openrlhfFlags({ run: { config } }: DataContext, prompts: number): Flag[] {
  const { rl, engine, generate } = config;
  return [
    ['actor.num_nodes', 1],
    ['actor.num_gpus_per_node', '${GPUS}'],
    ['ref.num_nodes', 1],
    ['ref.num_gpus_per_node', '${GPUS}'],
    ['vllm.num_engines', '${GPUS}'],
    ['vllm.tensor_parallel_size', 1],
    ['vllm.gpu_memory_utilization', 0.5],
    ['vllm.enable_sleep'],
    ['vllm.sync_backend', 'nccl'],
    ['train.colocate_all'],
    ['ds.zero_stage', 2],
    ['ds.enable_sleep'],
    ['ds.lora.rank', engine.rank],
    ['ds.lora.alpha', Math.round(engine.alpha)],
    ['actor.model_name_or_path', '${MODEL}'],
    ['actor.adam.lr', rl.learningRate],
    ['actor.gradient_checkpointing_enable'],
    ['reward.remote_url', '${HERE}/reward.py'],
    ['data.prompt_dataset', '${HERE}/prompts.jsonl'],
    ['data.input_key', 'prompt'],
    ['data.label_key', 'label'],
    ['data.apply_chat_template'],
    ['data.max_len', 2048 + Math.max(rl.maxTokens, generate.maxTokens)],
    ['algo.advantage.estimator', 'dr_grpo'],
    ['algo.kl.init_coef', rl.klCoefficient],
    ...(rl.klCoefficient > 0 ? klFlags : []),
    ['rollout.n_samples_per_prompt', rl.samplesPerPrompt],
    ['rollout.batch_size', rl.promptsPerStep],
    ['rollout.micro_batch_size', 1],
    ['rollout.max_new_tokens', rl.maxTokens],
    ['rollout.temperature', rl.temperature],
    ['train.batch_size', rl.promptsPerStep * rl.samplesPerPrompt],
    ['train.micro_batch_size', 1],
    ['train.num_episodes', Math.max(1, Math.ceil((rl.steps * rl.promptsPerStep) / Math.max(1, prompts)))],
    ['train.seed', config.seed],
    ['ckpt.output_dir', '${OUT}'],
    ['ckpt.save_hf'],
  ];
}

const script = (context: DataContext, prompts: number): string =>
  shell({
    intro: [
      'Reinforcement learning with OpenRLHF 0.11 on one node; the judge of deliberate is the reward.',
      'Before: deliberate export RUN --to merged --arm sft (MODEL), deliberate serve RUN --judge, ray start --head',
    ],
    model: context.baseName,
    command: `ray job submit --address="\${RAY:-http://127.0.0.1:8265}" -- python3 -m openrlhf.cli.train_ppo_ray`,
    flags: openrlhfFlags(context, prompts).map(([name, ...values]) => [`--${name}`, ...values].join(' ')),
  });
