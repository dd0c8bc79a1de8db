#!/bin/sh
# The openai client for Python against `deliberate serve`: installs it, starts a server on a tiny model, asks it everything.
#
# Run: npm run build && integration/openai-python.sh [FOLDER]      FOLDER: where to install, default .cache/openai-python (60 MB)
# Needs Python 3.9 or later with venv. A minute on a CPU; it prints a line for each thing that holds.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
home=${1:-$root/.cache/openai-python}
. "$root/integration/python_install.sh"
install_python "$home" openai openai
exec "$home/bin/python" "$root/integration/openai-python.py"
