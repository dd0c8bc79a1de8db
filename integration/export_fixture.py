"""A run folder around one of fixtures/'s tiny models, and the exports of it: what the checks in this folder begin with."""
import importlib.metadata
import json
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONTROLS = ["<|system|>", "<|user|>", "<|assistant|>", "<|im_end|>"]
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def say_versions(*packages: str) -> None:
    """For the record that `npm run integration` keeps."""
    for package in packages:
        print(f"{package} {importlib.metadata.version(package)}", flush=True)


def spelling_tokenizer() -> dict:
    """96 tokens: printable characters but five, a line feed, `th`, and the control tokens."""
    pieces = [("Ġ" if c == " " else c) for c in map(chr, range(32, 127)) if c not in "~^{}`"] + ["Ċ", "th", *CONTROLS]
    byte_level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    flags = dict(special=True, normalized=False, lstrip=False, rstrip=False, single_word=False)
    return dict(
        version="1.0",
        added_tokens=[dict(id=pieces.index(content), content=content, **flags) for content in CONTROLS],
        normalizer=None,
        pre_tokenizer=byte_level,
        post_processor=None,
        decoder=byte_level,
        model=dict(type="BPE", vocab={piece: i for i, piece in enumerate(pieces)}, merges=["t h"], unk_token=None),
    )


def make_run(work: Path, fixture: str) -> tuple[Path, Path]:
    """-> (folder of the base model, folder of a run with a finished arm sft and some data)"""
    model, run = work / f"{fixture}-base", work / f"{fixture}-run"
    shutil.copytree(ROOT / "fixtures" / fixture, model)
    (model / "tokenizer.json").write_text(json.dumps(spelling_tokenizer()))
    names = dict(tokenizer_class="PreTrainedTokenizerFast", eos_token="<|im_end|>", pad_token="<|im_end|>")
    (model / "tokenizer_config.json").write_text(json.dumps(names))
    (model / "chat_template.jinja").write_text(TEMPLATE)
    arm = run / "arms" / "sft" / "sft"
    shutil.copytree(model / "adapter", arm / "adapter")
    (arm / "training.json").write_text(json.dumps(dict(key="k", step=1, best=None, done=True)))
    engine = dict(model=str(model), adapter=None, rank=4, alpha=8)
    config = dict(name="tiny", engine=engine, sft=dict(batchSize=4), rl=dict(steps=5, promptsPerStep=2, samplesPerPrompt=4, maxTokens=48))
    digests = dict(model="m", adapter="none", prompts="p", spec=dict(none="n", refunds="r"))
    # JSON is YAML.
    stored = dict(schemaVersion=1, name="tiny", model=str(model), codeVersion="0", config=config, digests=digests)
    (run / "run.yaml").write_text(json.dumps(stored))
    prompts, records = [], []
    for i in range(16):
        messages = [dict(role="user", content=f"May I return shoe number {i}?")]
        prompts.append(dict(id=f"p{i}", messages=messages, category="refunds", request=f"p{i}", split="train" if i < 14 else "validation"))
        records.append(dict(id=f"s{i}", promptId=f"p{i}", messages=messages, cot="The user asks about a return.", answer=f"Yes, shoe {i} too."))
    (run / "prompts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in prompts))
    (run / "sft.jsonl").write_text("".join(json.dumps(line) + "\n" for line in records))
    return model, run


def export(cli: Path, run: Path, to: str, *flags: str) -> Path:
    out = run.parent / f"{run.name}-{to}{''.join(flags).replace('-', '').replace('/', '')[-40:]}"
    subprocess.run(["node", str(cli), "export", str(run), "--to", to, "--out", str(out), *flags], check=True, stdout=subprocess.DEVNULL)
    return out
