#!/bin/sh
# Inspect reads and shows the logs that `deliberate export … --to inspect` writes, of a run with a set of its own and of a study.
#
# Run: npm run build && integration/export-inspect.sh [STUDY]
# STUDY: a study whose first run was asked a set by `deliberate eval --suite`; left out, a small one is made (10 min).
# Needs Python 3.10 or later with venv; installs inspect-ai into .cache/inspect (200 MB), or INSPECT_PYTHON names a Python that has it.
# Where this machine has Chromium, its page is opened too; INSPECT_PICTURES names a folder for what it looks like.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
home=$root/.cache/inspect
. "$root/integration/python_install.sh"
[ -n "${INSPECT_PYTHON:-}" ] || install_python "$home" inspect_ai inspect-ai==0.3.285
python=${INSPECT_PYTHON:-$home/bin/python}
cli=$root/dist/src/cli/main.js
study=${1:-$home/study}
if [ $# -eq 0 ]; then
  node "$cli" study --quick --only suites --out "$study" >&2
  node "$cli" eval "$study/seed-0" --suite tool-injection --requests 2 --arm base --arm sft >&2
fi
run=$(for folder in "$study"/seed-*; do echo "$folder"; break; done)
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
node "$cli" export "$run" --to inspect --out "$logs/run" >&2
node "$cli" export "$study" --to inspect --out "$logs/study" >&2
"$python" "$root/integration/export-inspect.py" "$logs/run" "$logs/study"
