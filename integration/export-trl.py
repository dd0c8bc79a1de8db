"""TRL trains on what `deliberate export RUN --to trl` writes: SFT on its rows, GRPO with its reward function.

A tiny model, and a judge that answers in the service's protocol, likes varied answers, and refuses a request in which anything
of a chain of thought is left. (With the real judge: `deliberate serve RUN --judge`.)

Run: npm run integration -- export-trl      installs what it needs (with_peers.sh). A minute on a CPU.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from safetensors.torch import load_file

from export_fixture import ROOT, export, make_run, say_versions

seen = []


class Judge(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        items = json.loads(body)["items"]
        clean = self.path == "/v1/judge/batch" and "think" not in body
        seen.extend(items)
        reply = json.dumps(dict(results=[dict(score=len(set(item["answer"])) / len(item["answer"])) for item in items])).encode()
        self.send_response(200 if clean else 400)
        self.end_headers()
        self.wfile.write(reply if clean else b"{}")

    def log_message(self, *_):
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cli", type=Path, default=ROOT / "dist/src/cli/main.js")
    parser.add_argument("--steps", default="5")
    options = parser.parse_args()
    say_versions("torch", "transformers", "peft", "trl", "datasets")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Judge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        model, run = make_run(Path(name), "llama-tied")
        folder = export(options.cli, run, "trl", "--judge", f"http://127.0.0.1:{server.server_port}")
        # So that the tiny model writes something that has a chain of thought and an answer, its reward function gets help.
        reward = folder / "reward.py"
        reward.write_text(reward.read_text().replace(
            'answer = answer_of(completion if isinstance(completion, str) else completion[-1]["content"])',
            'answer = answer_of("<think>secret</think>" + completion[-1]["content"])'))
        for script in ("train_sft.py", "train_grpo.py"):
            out = Path(name) / script.removesuffix(".py")
            command = [sys.executable, str(folder / script), "--model", str(model), "--out", str(out), "--max-steps", options.steps]
            done = subprocess.run(command, env=os.environ | dict(CUDA_VISIBLE_DEVICES="", TOKENIZERS_PARALLELISM="false"), capture_output=True, text=True)
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
            moved = max(float(tensor.abs().max()) for key, tensor in load_file(out / "adapter_model.safetensors").items() if "lora_B" in key)
            # The tiny model ends no answer, and cut-off ones are masked in GRPO: there it learns nothing. (trl-grpo is on a real one.)
            assert moved > 0 or script == "train_grpo.py", f"{script}: B is zero, as it was before the training"
            state = json.loads(next(out.glob("checkpoint-*/trainer_state.json")).read_text())
            key = "loss" if script == "train_sft.py" else "reward"
            values = [line[key] for line in state["log_history"] if key in line]
            assert len(values) >= int(options.steps), values
            print(f"{script}: {len(values)} steps, {key} {[round(float(value), 3) for value in values]}, adapter moved by {moved:.1e}")
        assert seen and all(set(item) == {"messages", "answer", "category"} for item in seen)
        print(f"the judge was asked {len(seen)} times, never with a chain of thought")


if __name__ == "__main__":
    main()
