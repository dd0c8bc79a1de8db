"""Freezes what transformers and PEFT make of the demo's real model into fixtures/smollm2/.

greedy.json   32 likeliest tokens after each of six prompts
sft.json      losses of 20 AdamW steps from the adapter and on the batches that training-start.ts wrote

Run: node dist/scripts/reference/training-start.js START
     python scripts/reference/real_model.py --model SmolLM2-135M-Instruct.Q4_1.gguf --start START
--model is the GGUF file (transformers dequantizes it by itself) or a Hugging Face folder. All in float32.
src/engines/embedded/real-model.test.ts needs only the JSON files and the model.
"""
import argparse
import json
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = [
    [("user", "What is the capital of France?")],
    [("system", "You are a terse assistant."), ("user", "Name three primary colours.")],
    [("user", "Write one sentence about the sea.")],
    [("user", "How do I boil an egg?")],
    [("user", "What is 12 + 30?"), ("assistant", "12 + 30 is 42."), ("user", "And 12 + 31?")],
    [("system", "Answer in JSON."), ("user", "Give me a record with a name and an age.")],
]


def source(path: Path) -> dict:
    if path.is_dir():
        return dict(pretrained_model_name_or_path=str(path))
    return dict(pretrained_model_name_or_path=str(path.parent), gguf_file=path.name)


def greedy(model, tokenizer):
    """Written out rather than model.generate, so that the margin between the two likeliest tokens is seen."""
    result = []
    for prompt in PROMPTS:
        messages = [dict(role=role, content=content) for role, content in prompt]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
        tokens, margin = [], float("inf")
        with torch.no_grad():
            for _ in range(32):
                best = model(torch.tensor([ids + tokens])).logits[0, -1].topk(2)
                margin = min(margin, float(best.values[0] - best.values[1]))
                tokens.append(int(best.indices[0]))
                if tokens[-1] == tokenizer.eos_token_id:
                    break
        print(f"margin {margin:.4f}: {tokenizer.decode(tokens)!r}")
        assert margin > 1e-3, "two tokens nearly as likely: choose another prompt"
        result.append(dict(messages=messages, promptTokens=list(ids), tokens=tokens, text=tokenizer.decode(tokens, skip_special_tokens=True)))
    return result


def loss_curve(model, start: Path):
    data = json.loads((start / "batches.json").read_text())
    model = PeftModel.from_pretrained(model, start / "adapter", is_trainable=True)
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=data["learningRate"], betas=(0.9, 0.95), eps=1e-12, weight_decay=0.0)
    losses = []
    for batch in data["batches"]:
        loss = torch.zeros(())
        # One sequence at a time: no padding that could matter.
        for row in batch:
            logprobs = model(torch.tensor([row["tokens"]])).logits[0].log_softmax(-1)
            chosen = logprobs.gather(1, torch.tensor(row["targets"])[:, None])[:, 0]
            loss = loss - (torch.tensor(row["weights"]) * chosen).sum()
        loss = loss / len(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        print(f"step {len(losses)}: {losses[-1]:.4f}")
    return {**data, "losses": losses}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    arguments = parser.parse_args()
    where = source(arguments.model)
    model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32, attn_implementation="eager").eval()
    folder = Path(__file__).resolve().parents[2] / "fixtures" / "smollm2"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "greedy.json").write_text(json.dumps(greedy(model, AutoTokenizer.from_pretrained(**where)), indent=1) + "\n")
    (folder / "sft.json").write_text(json.dumps(loss_curve(model, arguments.start)) + "\n")
