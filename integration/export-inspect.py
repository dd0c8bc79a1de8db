"""Inspect reads the logs that `deliberate export RUN --to inspect` writes.

Started by integration/export-inspect.sh, which installs what it needs. Argument: the folder of the export.
"""
import math
import sys
from pathlib import Path

from inspect_ai.log import list_eval_logs, read_eval_log

from export_fixture import say_versions

say_versions("inspect-ai")
folder = Path(sys.argv[1])
listed = list_eval_logs(str(folder))
logs = [read_eval_log(info) for info in listed]
assert logs, f"{folder}: no log listed"
for log in logs:
    assert log.status == "success" and log.samples and log.results
    assert len(log.samples) == log.results.total_samples == log.eval.dataset.samples
    assert all(sample.output.choices[0].message.text == sample.messages[-1].text for sample in log.samples)
    values = [score.value for sample in log.samples for score in (sample.scores or {}).values()]
    numbers = [value for value in values if isinstance(value, (int, float)) and not math.isnan(value)]
    metrics = log.results.scores[0].metrics
    if numbers:
        assert abs(metrics["mean"].value - sum(numbers) / len(numbers)) < 1e-9
with_cot = sum(any(getattr(part, "type", "") == "reasoning" for part in s.messages[-1].content) for log in logs for s in log.samples)
unscored = sum(len(log.samples) - log.results.scores[0].scored_samples for log in logs)
print(f"{len(logs)} logs, {sum(len(log.samples) for log in logs)} samples, {with_cot} with reasoning, {unscored} unscored: read by Inspect")
