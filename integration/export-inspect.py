"""Inspect reads and shows the logs that `deliberate export … --to inspect` writes.

Started by integration/export-inspect.sh, which installs what it needs. Arguments: the folders of the exports of a run and of a study.
"""
import json
import math
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

from inspect_ai.log import list_eval_logs, read_eval_log

from export_fixture import ROOT, say_versions


def check_logs(what: str, folder: Path) -> list:
    """Every file that was exported is listed and read, and its numbers are those of its samples. -> the logs"""
    written = [file for file in folder.rglob("*.json") if file.name != "export.json"]
    listed = list_eval_logs(str(folder))
    assert len(listed) == len(written) > 0, f"{folder}: {len(listed)} of {len(written)} logs listed"
    logs = [read_eval_log(info) for info in listed]
    for log in logs:
        assert log.status == "success" and log.samples and log.results
        assert len(log.samples) == log.results.total_samples == log.eval.dataset.samples
        assert all(sample.output.choices[0].message.text == sample.messages[-1].text for sample in log.samples)
        values = [score.value for sample in log.samples for score in (sample.scores or {}).values()]
        numbers = [value for value in values if isinstance(value, (int, float)) and not math.isnan(value)]
        metrics = log.results.scores[0].metrics
        if numbers:
            assert abs(metrics["mean"].value - sum(numbers) / len(numbers)) < 1e-9
    assert len({log.eval.task_id for log in logs}) == len(logs), f"{folder}: two logs have one id"
    samples = [sample for log in logs for sample in log.samples]
    with_cot = sum(any(getattr(part, "type", "") == "reasoning" for part in sample.messages[-1].content) for sample in samples)
    turns = sum(len(sample.input) > 1 for sample in samples if not isinstance(sample.input, str))
    unscored = sum(len(log.samples) - log.results.scores[0].scored_samples for log in logs)
    print(f"{what}: {len(logs)} logs, {len(samples)} samples, {with_cot} with reasoning, {turns} of several turns, {unscored} unscored: read by Inspect")
    return logs


def get(address: str):
    with urllib.request.urlopen(address, timeout=120) as response:
        return json.load(response)


def check_view(what: str, folder: Path, logs: list) -> None:
    """`inspect view` lists the logs and gives one out; its page shows them."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    program = str(Path(sys.executable).parent / "inspect")
    server = subprocess.Popen(
        [program, "view", "start", "--log-dir", str(folder), "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    home = f"http://127.0.0.1:{port}"
    try:
        listing = wait_for(lambda: get(f"{home}/api/logs"))
        names = [file["name"] for file in listing["files"]]
        assert len(names) == len(logs), f"inspect view lists {len(names)} of {len(logs)} logs"
        longest = max(logs, key=lambda log: len(log.samples))
        name = next(name for name in names if longest.eval.task_id in name)
        shown = get(f"{home}/api/logs/{urllib.parse.quote(name, safe='')}")
        assert shown["eval"]["task"] == longest.eval.task and len(shown["samples"]) == len(longest.samples)
        print(f"{what}: inspect view lists {len(names)} logs and gives out {longest.eval.task} with {len(shown['samples'])} samples", flush=True)
        check_page(what, home)
    finally:
        server.terminate()
        server.wait()


def check_page(what: str, home: str) -> None:
    page = ROOT / "dist" / "integration" / "inspect-page.js"
    subprocess.run(["node", str(page), home, what, os.environ.get("INSPECT_PICTURES", "")], check=True, timeout=900)


def wait_for(ask, seconds: float = 300):
    end = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(1)


say_versions("inspect-ai")
for what, folder in zip(["run", "study"], map(Path, sys.argv[1:])):
    check_view(what, folder, check_logs(what, folder))
