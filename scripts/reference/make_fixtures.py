"""Freezes what Hugging Face transformers and PEFT compute on tiny random models into fixtures/.

Each folder has a model, a LoRA adapter on all seven linear layers, and reference.safetensors:
  row.<i>.tokens, .targets, .weights    one sequence, its targets and its loss weights
  row.<i>.logprobs                      log-probabilities with the adapter, [T, V]
  row.0.base_logprobs                   the same without the adapter
  row.<i>.greedy                        16 tokens that follow the row, each the likeliest, with the adapter
  loss                                  sum over rows and targets of weight * -log p(target)
  grad.<layer>.A, .B                    gradients of that loss by the LoRA tensors
Everything is computed in float32 from the weights as they are stored. Run: python scripts/reference/make_fixtures.py
Needs torch, transformers, peft and safetensors; src/lm/reference.test.ts needs only the files.
"""
import json
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config, Qwen3Config

VOCABULARY = 96
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
sizes = dict(
    vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=40,
    max_position_embeddings=8192, bos_token_id=None, eos_token_id=None, pad_token_id=None,
)
llama3 = dict(rope_type="llama3", rope_theta=1000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
MODELS = {
    "llama-tied": (LlamaConfig(**sizes, tie_word_embeddings=True), torch.float32),
    "llama-untied": (LlamaConfig(**{**sizes, "num_key_value_heads": 4}, tie_word_embeddings=False), torch.float32),
    "qwen2": (Qwen2Config(**sizes, tie_word_embeddings=True), torch.float16),
    "qwen3": (Qwen3Config(**sizes, head_dim=16, tie_word_embeddings=True), torch.float32),
    # 16-dimensional heads, so that frequencies lie on both sides of the stretched band and in it; stored in shards.
    "llama3-rope": (LlamaConfig(**{**sizes, "num_attention_heads": 2, "num_key_value_heads": 1}, rope_parameters=llama3, tie_word_embeddings=False), torch.bfloat16),
}
# Long enough that a wrong rotary frequency shows, of unequal length so that rows are padded or packed.
LENGTHS = [11, 40, 6]


def randomize(model, generator):
    """Weights far enough from their initial values that every one matters."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name:
                parameter.copy_(1 + 0.2 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.3 * noise)
            else:
                parameter.copy_(noise * (0.5 if "embed" in name else 1.2 / parameter.shape[-1] ** 0.5))


def greedy(model, tokens, count=16):
    result = []
    for _ in range(count):
        logits = model(torch.tensor([tokens + result])).logits[0, -1]
        best, second = logits.topk(2).values
        assert best - second > 1e-3, "two tokens nearly as likely: choose another seed"
        result.append(int(logits.argmax()))
    return result


def make(folder: Path, config, dtype, seed):
    shutil.rmtree(folder, ignore_errors=True)
    generator = torch.Generator().manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    randomize(model, generator)
    model.to(dtype).save_pretrained(folder, max_shard_size="20KB" if dtype == torch.bfloat16 else "5GB")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()

    rows = [torch.randint(VOCABULARY, (length + 1,), generator=generator) for length in LENGTHS]
    tensors = {}
    with torch.no_grad():
        tensors["row.0.base_logprobs"] = model(rows[0][None, :-1]).logits[0].log_softmax(-1)

    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS, task_type="CAUSAL_LM"))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            with torch.no_grad():
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    model.peft_config["default"].base_model_name_or_path = folder.name
    model.save_pretrained(folder / "adapter")
    adapter_config = json.loads((folder / "adapter/adapter_config.json").read_text())
    # PEFT keeps a set: sorted, so that the same file comes out of every run.
    (folder / "adapter/adapter_config.json").write_text(json.dumps({**adapter_config, "target_modules": sorted(TARGETS)}, indent=2) + "\n")

    loss = torch.zeros(())
    for i, row in enumerate(rows):
        logprobs = model(row[None, :-1]).logits[0].log_softmax(-1)
        # A third of the targets carries no loss, as a prompt's do.
        weights = torch.rand(len(row) - 1, generator=generator) * (torch.arange(len(row) - 1) % 3 != 0)
        loss = loss - (weights * logprobs.gather(1, row[1:, None])[:, 0]).sum()
        tensors |= {
            f"row.{i}.tokens": row[:-1].float(), f"row.{i}.targets": row[1:].float(), f"row.{i}.weights": weights,
            f"row.{i}.logprobs": logprobs.detach(),
        }
        with torch.no_grad():
            tensors[f"row.{i}.greedy"] = torch.tensor(greedy(model, row[:-1].tolist())).float()
    loss.backward()
    tensors["loss"] = loss.detach()[None]
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            site = name.removeprefix("base_model.model.model.").removesuffix(".default.weight")
            layer, side = site.rsplit(".lora_", 1)
            tensors[f"grad.{layer}.{side}"] = parameter.grad
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "reference.safetensors")

    vocabulary = {f"<{i}>": i for i in range(VOCABULARY)}
    tokenizer = dict(added_tokens=[], normalizer=None, pre_tokenizer=None, post_processor=None, decoder=None, model=dict(type="BPE", vocab=vocabulary, merges=[]))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer) + "\n")
    for unused in ("generation_config.json", "adapter/README.md"):
        (folder / unused).unlink(missing_ok=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    root = Path(__file__).resolve().parents[2] / "fixtures"
    for seed, (name, (config, dtype)) in enumerate(MODELS.items()):
        make(root / name, config, dtype, seed)
        print(name)
