"""TRL's SFTTrainer on the benchmark's batch: python sft.py WORKLOAD f32|bf16"""
import sys
import tempfile

from common import StepClock, load, lora, report, workload
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

work, precision = workload(), sys.argv[2]
model, tokenizer = load(work["model"])
steps = work["repeats"] + 1
rows = [dict(input_ids=tokens) for tokens in work["sft"]["tokens"]]
clock = StepClock()
with tempfile.TemporaryDirectory() as folder:
    # Faster for the peer than its defaults: no recomputation of activations.
    config = SFTConfig(
        output_dir=folder, per_device_train_batch_size=len(rows), max_steps=steps, learning_rate=1e-5, gradient_checkpointing=False,
        bf16=precision == "bf16", use_cpu=True, logging_strategy="no", save_strategy="no", report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
    )
    SFTTrainer(model=model, args=config, train_dataset=Dataset.from_list(rows * steps), processing_class=tokenizer, peft_config=lora(work), callbacks=[clock]).train()
report(clock.seconds)
