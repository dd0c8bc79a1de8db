#!/bin/sh
# SkyRL tx, the real thing, on this machine's CPU: installs it, serves a tiny model, trains through our engine, kills it, goes on.
#
# Run: npm run build && integration/skyrl.sh [FOLDER]      FOLDER: where to install, default .cache/skyrl (about 2 GB)
# Needs Python 3.11 with venv. Not yet run; the last lines it prints are the versions, which belong into docs/TINKER.md.
# The calls and their answers were read off skyrl-tx 0.3.0; jax 0.10 is known to work with it on a CPU.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
home=${1:-$root/.cache/skyrl}
mkdir -p "$home/bin"
if [ ! -x "$home/venv/bin/python" ]; then
  python3 -m venv "$home/venv"
  "$home/venv/bin/pip" install -q "skyrl-tx[tinker]==0.3.0" "jax<1.0,>=0.8" flax optax
fi
# The API starts its engine as `uv run --extra … -m tx.tinker.engine …`.
cat > "$home/bin/uv" <<'UV'
#!/bin/sh
while [ "$1" != -m ]; do shift; done
exec python "$@"
UV
chmod +x "$home/bin/uv"
export PATH="$home/bin:$home/venv/bin:$PATH" JAX_PLATFORMS=cpu
node "$root/dist/scripts/skyrl.js" "$home"
pip list 2>/dev/null | grep -iE '^(skyrl-tx|jax|jaxlib|flax|optax|transformers|peft) '
