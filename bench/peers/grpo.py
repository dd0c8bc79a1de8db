"""TRL's GRPOTrainer on the benchmark's step, in float32: python grpo.py WORKLOAD"""
import tempfile

from common import StepClock, load, lora, report, workload
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

work = workload()
model, tokenizer = load(work["model"])
sizes, steps = work["grpo"], work["repeats"] + 1
# Random tokens, decoded: about as many again when the trainer encodes them.
prompts = [dict(prompt=tokenizer.decode(tokens)) for tokens in sizes["prompts"]]


def even_tokens(completion_ids, **_):
    return [sum(token % 2 == 0 for token in ids) / max(1, len(ids)) for ids in completion_ids]


clock = StepClock()
with tempfile.TemporaryDirectory() as folder:
    # Faster for the peer than its defaults: no recomputation of activations, no reference model.
    config = GRPOConfig(
        output_dir=folder, per_device_train_batch_size=len(prompts) * sizes["samples"], num_generations=sizes["samples"], max_completion_length=sizes["newTokens"],
        generation_kwargs=dict(min_new_tokens=sizes["newTokens"]), temperature=1.0, beta=0.0, learning_rate=1e-6, max_steps=steps, gradient_checkpointing=False,
        bf16=False, use_cpu=True, logging_strategy="no", save_strategy="no", report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
    )
    GRPOTrainer(model=model, args=config, reward_funcs=even_tokens, train_dataset=Dataset.from_list(prompts), processing_class=tokenizer, peft_config=lora(work), callbacks=[clock]).train()
report(clock.seconds)
