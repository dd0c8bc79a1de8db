#!/bin/sh
# TRL's GRPOTrainer trains SmolLM2-135M with the judge of `deliberate serve --judge` as its reward, on what `export --to trl` writes.
#
# Run: npm run build && integration/trl-grpo.sh [--steps 5] [--prompts 2] [--samples 2] [--tokens 96]
# Installs it (peers_install.sh) or takes PEERS_PYTHON's. Needs 3 GB of memory; minutes on a CPU.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/integration/peers_install.sh"
exec "$python" "$root/integration/trl-grpo.py" "$@"
