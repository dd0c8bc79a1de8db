"""OpenRLHF's and verl's own parsers take what the exported launch scripts pass them.

The scripts run with `ray` and `python3` replaced by a program that writes its arguments down; nothing is trained, and no GPU
is needed. OpenRLHF: its argument parser and all the checks after it. verl: its Hydra configuration, composed with the overrides.

Started by integration/export-parsers.sh, which installs all that it needs. The folders are the unpacked wheels.
"""
import argparse
import ast
import datetime
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import types
from pathlib import Path

from hydra import compose, initialize_config_dir

from export_fixture import ROOT, export, make_run, say_versions

RECORDER = f"""#!{sys.executable}
import json, os, sys
json.dump(sys.argv[1:], open(os.environ["RECORD"], "w"))
"""


def arguments_of(script: Path, work: Path) -> list[str]:
    stubs, record = work / "bin", work / "arguments.json"
    stubs.mkdir(exist_ok=True)
    for name in ("ray", "python3"):
        (stubs / name).write_text(RECORDER)
        (stubs / name).chmod(0o755)
    environment = os.environ | dict(PATH=f"{stubs}:{os.environ['PATH']}", RECORD=str(record), MODEL="/models/merged-sft+rl", GPUS="1")
    subprocess.run(["bash", str(script)], check=True, env=environment)
    return json.loads(record.read_text())


def code_of(unpacked: Path, package: str) -> Path:
    """A wheel holds its code at its root, or in a folder that an installation would unfold."""
    (code,) = [folder for folder in (unpacked, *unpacked.glob("*.data/purelib")) if (folder / package).is_dir()]
    return code.resolve()


def openrlhf(package: Path, given: list[str]) -> argparse.Namespace:
    """What its program does with the arguments, up to the training."""
    program = ast.parse((package / "openrlhf/cli/train_ppo_ray.py").read_text()).body[-1]
    assert isinstance(program, ast.If) and ast.unparse(program.body[-1]) == "train(args)"
    for name in ("openrlhf", "openrlhf.utils"):
        sys.modules[name] = types.ModuleType(name)
    spec = importlib.util.spec_from_file_location("openrlhf.utils.config", package / "openrlhf/utils/config.py")
    sys.modules["openrlhf.utils.config"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.argv = ["train_ppo_ray.py", *given]
    space = dict(argparse=argparse, os=os, datetime=datetime.datetime)
    exec(compile(ast.Module(program.body[:-1], []), "train_ppo_ray.py", "exec"), space)
    return space["args"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cli", type=Path, default=ROOT / "dist/src/cli/main.js")
    parser.add_argument("--openrlhf", type=Path, required=True)
    parser.add_argument("--verl", type=Path, required=True)
    options = parser.parse_args()
    say_versions("hydra-core")
    for package, unpacked in (("openrlhf", options.openrlhf), ("verl", options.verl)):
        (info,) = unpacked.glob(f"{package}-*.dist-info")
        print(package, info.name.removesuffix(".dist-info").split("-")[1])
    rlhf, verl = code_of(options.openrlhf, "openrlhf"), code_of(options.verl, "verl")
    with tempfile.TemporaryDirectory() as name:
        _, run = make_run(Path(name), "llama-tied")

        folder = export(options.cli, run, "openrlhf")
        given = arguments_of(folder / "train.sh", Path(name))
        assert given[:2] == ["job", "submit"] and given[5:7] == ["-m", "openrlhf.cli.train_ppo_ray"]
        args = openrlhf(rlhf, given[7:])
        assert args.actor.model_name_or_path == "/models/merged-sft+rl" and args.algo.advantage.estimator == "dr_grpo"
        assert args.reward.remote_url == [str(folder / "reward.py")] and args.data.prompt_dataset == str(folder / "prompts.jsonl")
        assert args.rollout.n_samples_per_prompt == 4 and args.critic.model_name_or_path is None
        print(f"OpenRLHF: {len(given) - 7} arguments parsed and checked")

        folder = export(options.cli, run, "verl")
        given = arguments_of(folder / "train.sh", Path(name))
        assert given[:2] == ["-m", "verl.trainer.main_ppo"]
        with initialize_config_dir(str(verl / "verl/trainer/config"), version_base=None):
            config = compose("ppo_trainer", overrides=given[2:])
        assert config.algorithm.adv_estimator == "grpo" and config.actor_rollout_ref.rollout.n == 4
        assert config.reward.custom_reward_function.path == str(folder / "reward.py")
        assert config.actor_rollout_ref.model.path == "/models/merged-sft+rl"
        assert config.data.train_files == str(folder / "train.jsonl")
        print(f"verl: {len(given) - 2} overrides composed")


if __name__ == "__main__":
    main()
