#!/bin/sh
# OpenRLHF's and verl's own parsers take what the exported launch scripts pass them.
#
# Run: npm run build && integration/export-parsers.sh [FOLDER]      FOLDER: where to install, default .cache/parsers (60 MB)
# Needs Python 3.9 or later with venv. Downloads the two packages without what they depend on; half a minute.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
home=${1:-$root/.cache/parsers}
. "$root/integration/python_install.sh"
install_python "$home" hydra hydra-core==1.3.8
for package in openrlhf==0.11.2 verl==0.9.1; do
  name=${package%%==*}
  if [ ! -d "$home/$name" ]; then
    rm -rf "$home/wheels"
    "$home/bin/pip" download -q --no-deps --only-binary :all: -d "$home/wheels" "$package" >&2
    "$home/bin/python" -m zipfile -e "$home"/wheels/*.whl "$home/$name.part"
    mv "$home/$name.part" "$home/$name"
  fi
done
exec "$home/bin/python" "$root/integration/export-parsers.py" --openrlhf "$home/openrlhf" --verl "$home/verl"
