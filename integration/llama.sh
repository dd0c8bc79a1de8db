#!/bin/sh
# llama.cpp loads what `deliberate export --to gguf` and `gguf-lora` write, and says the same greedy tokens as our engine.
#
# Run: npm run build && integration/llama.sh [FOLDER]      FOLDER: where llama.cpp is built, default .cache/llama (400 MB)
# Needs python3 with pip, cmake and a C++ compiler; or LLAMA_SERVER=PROGRAM, the server of a llama.cpp that is there. 2 GB of disk for the exports.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/integration/llama_server.sh"
exec node "$root/dist/integration/llama.js"
