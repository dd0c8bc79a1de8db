# Shared by the proofs against Hugging Face's libraries: sets `python` to one that has them. PEERS_PYTHON names it, or they are installed
# into .cache/peers where they are not there (6 GB: PyPI's torch brings CUDA along; no GPU is used).
python=${PEERS_PYTHON:-$root/.cache/peers/bin/python}
if [ -z "${PEERS_PYTHON:-}" ] && ! "$python" -c 'import torch, transformers, peft, trl, datasets, gguf' 2>/dev/null; then
  python3 -m venv "$root/.cache/peers"
  "$root/.cache/peers/bin/pip" install -q torch==2.15.0 transformers==5.24.0 peft==0.21.2 trl==1.16.0 datasets==5.2.0 gguf==0.19.0 >&2
fi
export CUDA_VISIBLE_DEVICES= TOKENIZERS_PARALLELISM=false
