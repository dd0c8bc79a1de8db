#!/bin/sh
# The real SkyRL tx serves a tiny model, which is trained, sampled and graded there as in the embedded engine, over a `kill -9`.
#
# Run: npm run build && integration/skyrl.sh [FOLDER]      FOLDER: where to install, default .cache/skyrl (2 GB)
# Needs Python 3.11 with venv.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/integration/skyrl_install.sh"
say_versions
exec node "$root/dist/integration/skyrl.js" "$home"
