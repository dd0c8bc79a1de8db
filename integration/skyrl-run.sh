#!/bin/sh
# `deliberate run` with the policy on the real SkyRL tx, which is killed in the middle of SFT: curve and answers as in the embedded engine.
#
# Run: npm run build && integration/skyrl-run.sh [FOLDER]      FOLDER: where to install, default .cache/skyrl (2 GB)
# Needs Python 3.11 with venv, and 8 GB of memory. SKYRL_PROCESSES=2: two JAX processes, as on two hosts.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/integration/skyrl_install.sh"
say_versions
exec node "$root/dist/integration/skyrl-run.js" "$home"
