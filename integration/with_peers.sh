#!/bin/sh
# Runs a proof in Python with Hugging Face's libraries: `npm run integration -- export-peers` starts it. Arguments: the script and its own.
# PEERS_PYTHON names a Python that has them, or they are installed into .cache/peers (6 GB: PyPI's torch brings CUDA along; no GPU is used).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/integration/python_install.sh"
if [ -z "${PEERS_PYTHON:-}" ]; then
  install_python "$root/.cache/peers" torch,transformers,peft,trl,datasets,gguf \
    torch==2.15.0 transformers==5.24.0 peft==0.21.2 trl==1.16.0 datasets==5.2.0 gguf==0.19.0
fi
export CUDA_VISIBLE_DEVICES= TOKENIZERS_PARALLELISM=false
exec "${PEERS_PYTHON:-$root/.cache/peers/bin/python}" "$@"
