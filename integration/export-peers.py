"""transformers, PEFT and gguf load what `deliberate export` writes, and say the same as our engine, of tiny models and of SmolLM2-135M.

The frozen greedy tokens are those of base and adapter (scripts/reference), and our own engine says them too
(src/lm/reference.test.ts), so equal here means equal everywhere.

Run: npm run integration -- export-peers      installs what it needs (with_peers.sh). Two minutes on a CPU.
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from export_fixture import ROOT, export, make_run, say_versions

FIXTURES = ["llama-tied", "llama-untied", "qwen2", "qwen3", "llama3-rope"]
# What transformers does not read out of GGUF: a head size other than 128 (qwen3), the stretching of rotary frequencies.
UNREAD = ["qwen3", "llama3-rope"]
logging.disable_progress_bar()


def says(model, reference: dict, what: str) -> None:
    """Log-probabilities within float error, greedy tokens equal."""
    model.eval()
    for i in range(3):
        ids = reference[f"row.{i}.tokens"].long().reshape(1, -1)
        expected = reference[f"row.{i}.logprobs"]
        with torch.no_grad():
            found = torch.log_softmax(model(ids).logits[0].float(), -1).reshape(expected.shape)
            tokens, greedy = ids, []
            for _ in range(len(reference[f"row.{i}.greedy"])):
                greedy.append(int(model(tokens).logits[0, -1].argmax()))
                tokens = torch.cat([tokens, torch.tensor([[greedy[-1]]])], 1)
        gap = float((found - expected).abs().max())
        assert gap < 1e-4, f"{what}: log-probabilities differ by {gap}"
        assert greedy == reference[f"row.{i}.greedy"].long().tolist(), f"{what}: other greedy tokens"
    print(f"  {what}: same log-probabilities, same greedy tokens")


def greedy(model, prompt: list[int], count: int) -> list[int]:
    tokens = torch.tensor([prompt])
    with torch.no_grad():
        found = model.generate(tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=count, do_sample=False)
    return found[0, len(prompt):].tolist()


def says_what_we_say(folder: Path, load) -> None:
    """SmolLM2-135M with the package's reasoner, on the conversations of integration/our-words.ts."""
    subprocess.run(["node", str(ROOT / "dist/integration/export-reasoner.js"), str(folder)], check=True, stdout=subprocess.DEVNULL)
    ours = json.loads((folder / "words.json").read_text())
    models = {"merged": load(folder / "merged"), "peft": PeftModel.from_pretrained(load(folder / "raw"), folder / "peft")}
    for what, model in models.items():
        model.eval()
        found = [greedy(model, one["prompt"], len(one["tokens"])) for one in ours]
        same = sum(a == b for one, tokens in zip(ours, found) for a, b in zip(one["tokens"], tokens))
        count = sum(len(one["tokens"]) for one in ours)
        print(f"  {what}: {same} of {count} greedy tokens are our engine's, over {len(ours)} conversations")
        assert same == count, what


def gguf_tensors(path: Path) -> dict:
    return {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(path).tensors}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cli", type=Path, default=ROOT / "dist/src/cli/main.js")
    parser.add_argument("--fixtures", nargs="*", default=FIXTURES)
    arguments = parser.parse_args()
    cli = arguments.cli
    say_versions("torch", "transformers", "peft", "gguf")
    with tempfile.TemporaryDirectory() as name:
        for fixture in arguments.fixtures:
            print(fixture)
            model, run = make_run(Path(name), fixture)
            reference = load_file(ROOT / "fixtures" / fixture / "reference.safetensors")
            load = lambda folder, **how: AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **how)
            says(PeftModel.from_pretrained(load(model), export(cli, run, "peft")), reference, "peft")
            merged = export(cli, run, "merged")
            says(load(merged), reference, "merged")
            messages = [dict(role="user", content="Say <th> now.")]
            tokens = AutoTokenizer.from_pretrained(merged).apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
            whole = export(cli, run, "gguf")
            if fixture not in UNREAD:
                says(load(whole, gguf_file="model.gguf"), reference, "gguf")

            # Base + alpha/r · B A, in the file's own order of rows, is the merged file.
            base = gguf_tensors(export(cli, run, "gguf", "--arm", "base") / "model.gguf")
            lora = gguf.GGUFReader(export(cli, run, "gguf-lora") / "adapter.gguf")
            alpha = float(lora.fields["adapter.lora.alpha"].contents())
            assert lora.fields["general.type"].contents() == "adapter" and lora.fields["adapter.type"].contents() == "lora"
            parts = {tensor.name: np.array(tensor.data) for tensor in lora.tensors}
            for tensor, value in gguf_tensors(whole / "model.gguf").items():
                if f"{tensor}.lora_a" in parts:
                    a, b = parts.pop(f"{tensor}.lora_a"), parts.pop(f"{tensor}.lora_b")
                    base[tensor] = base[tensor] + alpha / a.shape[0] * (b @ a)
                assert np.abs(base[tensor] - value).max() < 1e-5, tensor
            assert not parts
            print("  gguf-lora: base + adapter is the merged file")

            # A base that is a GGUF file gets a tokenizer folder written out of its metadata.
            if fixture == "llama-tied":
                stored = run / "run.yaml"
                stored.write_text(stored.read_text().replace(str(model), str(export(cli, run, "gguf", "--arm", "base") / "model.gguf")))
                folder = export(cli, run, "merged", "--arm", "sft")
                says(load(folder), reference, "merged, from a GGUF base")
                written = AutoTokenizer.from_pretrained(folder)
                assert written.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"] == tokens
                print("  tokenizer files out of GGUF: same tokens")
        print("SmolLM2-135M-Instruct with the reasoner")
        says_what_we_say(Path(name) / "reasoner", load)


if __name__ == "__main__":
    main()
