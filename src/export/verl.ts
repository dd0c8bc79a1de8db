/** `--to verl`: prompts, reward function and launch script for verl (0.9 or later: its data sets may be JSONL). */
import path from 'node:path';
import { writeTextAtomically } from '../base/atomic-text.js';
import { writeJsonl } from '../base/jsonl.js';
import { judgeClient, unscoredNote } from './python.js';
import { rlPrompts, type RlPrompt } from './rl-rows.js';
import { shell } from './shell.js';
import type { DataContext, ExportTarget } from './target.js';

export const verl: ExportTarget = {
  kind: 'data',
  text: 'prompts, reward function and launch script for verl',
  async write(context) {
    const { folder, run, judgeUrl } = context;
    const train = rlPrompts(run, 'train').map(row);
    const validation = rlPrompts(run, 'validation').map(row);
    await writeJsonl(path.join(folder, 'train.jsonl'), train);
    // verl wants a validation file in any case.
    await writeJsonl(path.join(folder, 'validation.jsonl'), validation.length > 0 ? validation : train.slice(0, 1));
    await writeTextAtomically(path.join(folder, 'reward.py'), rewardFile(judgeUrl));
    await writeTextAtomically(path.join(folder, 'train.sh'), script(context));
    return [
      `train.jsonl (${train.length}), validation.jsonl (${validation.length}), reward.py and train.sh: MODEL=… bash train.sh, with \`deliberate serve --judge\` running.`,
    ];
  },
};

/** The conversation goes along as text, for the columns of a table must have one type. */
const row = ({ messages, category }: RlPrompt, index: number) => ({
  data_source: 'deliberate',
  prompt: messages,
  ability: 'alignment',
  reward_model: { style: 'model', ground_truth: category },
  extra_info: { index, messages: JSON.stringify(messages), category },
});

const rewardFile = (
  judgeUrl: string,
): string => `"""The judge of deliberate as verl's reward: reward.custom_reward_function.path=reward.py name=compute_score, manager naive.

The judge sees conversation, answer and category, never the chain of thought.
"""
import asyncio
${judgeClient(judgeUrl)}${unscoredNote}

async def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    answer = answer_of(solution_str)
    if answer is None:
        return {"score": LOWEST, "unscored": 0.0, "malformed": 1.0}
    item = {"messages": json.loads(extra_info["messages"]), "answer": answer, "category": extra_info["category"]}
    (score,) = await asyncio.to_thread(judge, [item])
    return {"score": UNSCORED if score is None else score, "unscored": float(score is None), "malformed": 0.0}
`;

/** Hydra overrides. Advantage estimator and n must both be given: the defaults are gae and 1. */
function verlOverrides({ run: { config } }: DataContext): [string, string | number | boolean][] {
  const { rl, engine } = config;
  const micro: [string, number][] = [
    ['actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu', 1],
    ['actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu', 1],
    ['actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu', 1],
  ];
  return [
    ['algorithm.adv_estimator', 'grpo'],
    ['algorithm.norm_adv_by_std_in_grpo', 'False'],
    ['algorithm.use_kl_in_reward', 'False'],
    ['data.train_files', '${HERE}/train.jsonl'],
    ['data.val_files', '${HERE}/validation.jsonl'],
    ['data.prompt_key', 'prompt'],
    ['data.train_batch_size', rl.promptsPerStep],
    ['data.max_prompt_length', 2048],
    ['data.max_response_length', rl.maxTokens],
    ['data.return_raw_chat', 'True'],
    ['data.seed', config.seed],
    ['actor_rollout_ref.model.path', '${MODEL}'],
    ['actor_rollout_ref.model.lora_rank', engine.rank],
    ['actor_rollout_ref.model.lora_alpha', Math.round(engine.alpha)],
    ['actor_rollout_ref.model.target_modules', 'all-linear'],
    ['actor_rollout_ref.actor.optim.lr', rl.learningRate],
    ['actor_rollout_ref.actor.ppo_mini_batch_size', rl.promptsPerStep],
    ...micro,
    ['actor_rollout_ref.actor.loss_agg_mode', 'token-mean'],
    ['actor_rollout_ref.actor.use_kl_loss', rl.klCoefficient > 0 ? 'True' : 'False'],
    ['actor_rollout_ref.actor.kl_loss_coef', rl.klCoefficient],
    ['actor_rollout_ref.rollout.name', 'vllm'],
    ['actor_rollout_ref.rollout.n', rl.samplesPerPrompt],
    ['actor_rollout_ref.rollout.temperature', rl.temperature],
    ['actor_rollout_ref.rollout.tensor_model_parallel_size', 1],
    ['actor_rollout_ref.rollout.gpu_memory_utilization', 0.5],
    ['actor_rollout_ref.rollout.load_format', 'safetensors'],
    ['reward.custom_reward_function.path', '${HERE}/reward.py'],
    ['reward.custom_reward_function.name', 'compute_score'],
    ['reward.reward_manager.name', 'naive'],
    ['trainer.logger', '["console"]'],
    ['trainer.project_name', 'deliberate'],
    ['trainer.experiment_name', config.name],
    ['trainer.default_local_dir', '${OUT}'],
    ['trainer.nnodes', 1],
    ['trainer.n_gpus_per_node', '${GPUS}'],
    ['trainer.total_training_steps', Math.max(1, rl.steps)],
    ['trainer.total_epochs', 1000],
    ['trainer.save_freq', rl.checkpointEvery],
    ['trainer.test_freq', rl.validateEvery],
  ];
}

const script = (context: DataContext): string =>
  shell({
    intro: [
      'Reinforcement learning with verl on one node; the judge of deliberate is the reward.',
      'Before: deliberate export RUN --to merged --arm sft (MODEL), deliberate serve RUN --judge',
    ],
    model: context.baseName,
    command: 'python3 -m verl.trainer.main_ppo',
    flags: verlOverrides(context).map(([name, value]) => (String(value).startsWith('[') ? `'${name}=${value}'` : `${name}=${value}`)),
  });
