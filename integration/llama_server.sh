# Shared by the proofs against llama.cpp: sets LLAMA_SERVER, and builds the server into FOLDER where it is not set. $1: FOLDER
if [ -z "${LLAMA_SERVER:-}" ]; then
  home=${1:-$root/.cache/llama}
  "$root/bench/build-llama.sh" "$home" llama-server >&2
  LLAMA_SERVER=$home/build/bin/llama-server
fi
export LLAMA_SERVER
