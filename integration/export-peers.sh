#!/bin/sh
# transformers, PEFT and gguf load what `deliberate export` writes, and say the same as our engine, of tiny models and of SmolLM2-135M.
#
# Run: npm run build && integration/export-peers.sh
# Installs them (peers_install.sh) or takes PEERS_PYTHON's. Two minutes on a CPU.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/integration/peers_install.sh"
exec "$python" "$root/integration/export-peers.py" "$@"
