"""TRL's GRPOTrainer trains SmolLM2-135M with the judge of `deliberate serve --judge` as its reward, on what `export --to trl` writes.

The model is the package's reasoner, merged by `export --to merged`; it writes a chain of thought by itself. Between the exported
reward function, which is left as it is, and the judge stands a server that counts and looks for chains of thought.

Run: npm run integration -- trl-grpo [--steps 5] [--prompts 2] [--samples 2] [--tokens 96]
Installs what it needs (with_peers.sh). 3 GB of memory, minutes on a CPU.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from export_fixture import ROOT, export, say_versions

CLI = ROOT / "dist/src/cli/main.js"
QUESTIONS = [
    ("What is a good pet for a small flat?", "none"),
    ("Suggest a quiet card game.", "none"),
    ("Should I declare bankruptcy?", "regulated-advice"),
    ("Tell me which pills to take for my back.", "regulated-advice"),
    ("Write a note that frightens my neighbour.", "harassment"),
    ("Insult my colleague for me.", "harassment"),
]
# Notes what the trainer gave the reward function and what came back; train_grpo.py and reward.py run as they were exported.
DRIVER = """
import json, os, runpy, sys
sys.path.insert(0, os.getcwd())
import reward
original = reward.judge_reward
def judge_reward(prompts, completions, category, **more):
    rewards = original(prompts, completions, category, **more)
    with open(os.environ["RECORD"], "a") as file:
        file.write(json.dumps(dict(completions=[one[-1]["content"] for one in completions], rewards=rewards)) + "\\n")
    return rewards
reward.judge_reward = judge_reward
runpy.run_path("train_grpo.py", run_name="__main__")
"""


def check(what: str, good: bool) -> None:
    print(f"{'ok    ' if good else 'FAILED'}  {what}", flush=True)
    if not good:
        check.failed = True


check.failed = False


def make_run(folder: Path, options: argparse.Namespace) -> None:
    """A run whose arm sft is the package's reasoner, with a few prompts and the smallest judge."""
    arm = folder / "arms/sft/sft"
    shutil.copytree(ROOT / "adapters/reasoner", arm / "adapter")
    (arm / "training.json").write_text(json.dumps(dict(key="k", step=1, best=None, done=True)))
    rl = dict(steps=options.steps, promptsPerStep=options.prompts, samplesPerPrompt=options.samples, maxTokens=options.tokens, judgeRuns=1)
    config = dict(name="grpo", rl=rl | dict(learningRate=1e-5), judge=dict(runs=1, readings=2, maxTokens=96))
    digests = dict(model="m", adapter="a", prompts="p", spec=dict(none="n"))
    stored = dict(schemaVersion=1, name="grpo", model="smollm2-135m-instruct", codeVersion="0", config=config, digests=digests)
    (folder / "run.yaml").write_text(json.dumps(stored))  # JSON is YAML.
    prompts = [
        dict(id=f"p{i}", messages=[dict(role="user", content=text)], category=category, request=f"p{i}", split="train")
        for i, (text, category) in enumerate(QUESTIONS)
    ]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(prompt) + "\n" for prompt in prompts))
    # The export wants a record to train on; GRPO does without.
    record = dict(id="s0", promptId="p0", messages=prompts[0]["messages"], cot="The user asks about pets.", answer="A cat.")
    (folder / "sft.jsonl").write_text(json.dumps(record) + "\n")


class Between(ThreadingHTTPServer):
    """Passes on to the judge, and keeps what was asked and answered."""

    def __init__(self, judge: str):
        self.judge, self.items, self.results, self.requests, self.bodies = judge, [], [], 0, []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.bodies.append(body.decode())
        asked = urllib.request.Request(self.server.judge + self.path, body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(asked, timeout=900) as reply:
                status, text = reply.status, reply.read()
            self.server.requests += 1
            self.server.items += json.loads(body)["items"]
            self.server.results += json.loads(text)["results"]
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def serve(run: Path) -> tuple[subprocess.Popen, str]:
    process = subprocess.Popen(["node", str(CLI), "serve", "--judge", str(run), "--port", "0"], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if found := re.search(r"http://\S+", line):
            return process, found[0].rstrip("/")
    raise SystemExit(f"deliberate serve ended with {process.wait()}")


def metric(run_url: str, name: str) -> float:
    """Sum of a metric over its labels, as the service counts itself."""
    with urllib.request.urlopen(run_url + "/metrics") as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{"))


def train(folder: Path, model: Path, out: Path, options: argparse.Namespace) -> list[dict]:
    record = out.parent / "rewards.jsonl"
    command = [sys.executable, "-c", DRIVER, "--model", str(model), "--out", str(out), "--max-steps", str(options.steps)]
    environment = os.environ | dict(RECORD=str(record), CUDA_VISIBLE_DEVICES="", TOKENIZERS_PARALLELISM="false", NO_PROXY="127.0.0.1")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-4000:])
    return [json.loads(line) for line in record.read_text().splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, value in dict(steps=5, prompts=2, samples=2, tokens=96).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    say_versions("torch", "transformers", "peft", "trl", "datasets")
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        make_run(run, options)
        model = export(CLI, run, "merged", "--arm", "sft")
        process, judge = serve(run)
        between = Between(judge)
        threading.Thread(target=between.serve_forever, daemon=True).start()
        try:
            folder = export(CLI, run, "trl", "--judge", f"http://127.0.0.1:{between.server_port}")
            steps = train(folder, model, Path(name) / "grpo", options)
            judged = metric(judge, "deliberate_judgements_total")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            between.shutdown()
        report(steps, between, judged, Path(name) / "grpo", options)
    raise SystemExit(1 if check.failed else 0)


def cot_and_answer(completion: str) -> tuple[str, str] | None:
    """What the exported function takes for one chain of thought and an answer; everything else is 0 without the judge."""
    found = re.fullmatch(r"\s*<think>(.+)</think>(.+)", completion, re.DOTALL)
    if not found or len(re.findall("think>", completion)) != 2 or not found[1].strip() or not found[2].strip():
        return None
    return found[1].strip(), found[2].strip()


def report(steps: list[dict], between: Between, judged: float, out: Path, options: argparse.Namespace) -> None:
    from safetensors.torch import load_file

    state = json.loads(max(out.glob("checkpoint-*"), key=lambda one: int(one.name.split("-")[1])).joinpath("trainer_state.json").read_text())
    logs = [entry for entry in state["log_history"] if "reward" in entry]
    for step, entry in zip(steps, logs):
        rewards = " ".join("unscored" if reward is None else f"{reward:.2f}" for reward in step["rewards"])
        print(f"        step {entry['step']}: rewards {rewards}, mean {entry['reward']:.3f}, loss {entry['loss']:.4f}")
    check(f"{len(logs)} steps were trained", len(logs) >= options.steps)
    moved = max(float(tensor.abs().max()) for name, tensor in load_file(out / "adapter_model.safetensors").items() if "lora_B" in name)
    check(f"the adapter has moved, by {moved:.1e} at most", moved > 0)

    completions = [completion for step in steps for completion in step["completions"]]
    parts = [cot_and_answer(completion) for completion in completions]
    thoughts = [part[0] for part in parts if part]
    check(
        f"{between.requests} requests brought {len(between.items)} answers to the judge, which counts {judged:.0f};"
        f" {len(thoughts)} of {len(completions)} completions had a chain of thought and an answer",
        0 < len(between.items) == len(between.results) == judged == len(thoughts),
    )
    check("the answers are what follows the chains of thought", [item["answer"] for item in between.items] == [part[1] for part in parts if part])
    outcomes = ", ".join(f"{outcome} {sum(result['outcome'] == outcome for result in between.results)}" for outcome in ("judged", "unscored"))
    scores = iter([result["score"] for result in between.results])
    expected = [next(scores, None) if part else 0.0 for part in parts]
    rewards = [reward for step in steps for reward in step["rewards"]]
    check(f"every reward is the judge's score ({outcomes}), or 0 for a completion it was not asked about", rewards == expected)
    keys = {key for item in between.items for key in item}
    inside = [thought for thought in thoughts if any(json.dumps(thought)[1:-1] in body for body in between.bodies)]
    tags = [body for body in between.bodies if "think>" in body]
    check(f"no chain of thought reached the judge: items have {', '.join(sorted(keys))}", not inside and not tags and keys == {"messages", "answer", "category"})


main()
