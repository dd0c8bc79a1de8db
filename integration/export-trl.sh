#!/bin/sh
# TRL trains on what `deliberate export RUN --to trl` writes: SFT on its rows, GRPO with its reward function.
#
# Run: npm run build && integration/export-trl.sh
# Installs it (peers_install.sh) or takes PEERS_PYTHON's. A minute on a CPU.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/integration/peers_install.sh"
exec "$python" "$root/integration/export-trl.py" "$@"
