#!/bin/sh
# Inspect reads the logs that `deliberate export RUN --to inspect` writes.
#
# Run: npm run build && integration/export-inspect.sh [RUN]      RUN: a run that was evaluated; left out, a smoke run is made (3 min)
# Needs Python 3.10 or later with venv; installs inspect-ai into .cache/inspect (200 MB).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
home=$root/.cache/inspect
. "$root/integration/python_install.sh"
install_python "$home" inspect_ai inspect-ai==0.3.285
cli=$root/dist/src/cli/main.js
run=${1:-$root/.cache/inspect/run}
[ $# -gt 0 ] || node "$cli" run --smoke --out "$run" >&2
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
node "$cli" export "$run" --to inspect --out "$logs/inspect" >&2
"$home/bin/python" "$root/integration/export-inspect.py" "$logs/inspect"
