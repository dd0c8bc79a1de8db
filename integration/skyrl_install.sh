# Shared by the proofs against SkyRL tx: installs it into FOLDER where it is not there, and sets PATH. $1: FOLDER
home=${1:-$root/.cache/skyrl}
mkdir -p "$home/bin"
. "$root/integration/python_install.sh"
install_python "$home/venv" tx,optax "skyrl-tx[tinker]==0.3.0" "jax<1.0,>=0.8" flax optax
# The API starts its engine as `uv run --extra … -m tx.tinker.engine …`.
cat > "$home/bin/uv" <<'UV'
#!/bin/sh
while [ "$1" != -m ]; do shift; done
exec python "$@"
UV
chmod +x "$home/bin/uv"
export PATH="$home/bin:$home/venv/bin:$PATH"
say_versions() {
  pip list 2>/dev/null | grep -iE '^(skyrl-tx|jax|jaxlib|flax|optax|transformers|peft) '
  python --version | sed 's/^P/p/'
}
