"""What the peers' scripts share: the workload file, the model as transformers loads it, the clock, the result line."""
import json
import resource
import sys
import time
from pathlib import Path

import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def workload():
    return json.loads(Path(sys.argv[1]).read_text())


def load(path):
    """A GGUF file is dequantized by transformers; a folder is read as it is. float32 either way."""
    path = Path(path)
    where = dict(pretrained_model_name_or_path=str(path)) if path.is_dir() else dict(pretrained_model_name_or_path=str(path.parent), gguf_file=path.name)
    tokenizer = AutoTokenizer.from_pretrained(**where)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    # What is left of a GGUF file are f32 weights and a mark of quantization, for which trainers refuse the model.
    if getattr(model, "hf_quantizer", None) is not None:
        model.hf_quantizer, model.is_quantized = None, False
        del model.config.quantization_config
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    return model, tokenizer


def lora(work):
    return LoraConfig(r=work["lora"]["rank"], lora_alpha=work["lora"]["alpha"], target_modules=TARGETS, task_type="CAUSAL_LM")


class StepClock(TrainerCallback):
    """Seconds of each training step, generation included."""

    def __init__(self):
        self.seconds = []

    def on_step_begin(self, *_, **__):
        self.start = time.perf_counter()

    def on_step_end(self, *_, **__):
        self.seconds.append(time.perf_counter() - self.start)
        print(f"step {len(self.seconds)}: {self.seconds[-1]:.2f} s", file=sys.stderr)


def report(seconds):
    """The first step warms up."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print("bench-result " + json.dumps(dict(seconds=seconds[1:], peakGb=peak)))
