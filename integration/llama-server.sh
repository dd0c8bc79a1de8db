#!/bin/sh
# A run generates and judges on the real llama.cpp server, which is killed and started again meanwhile: nothing is lost or done twice.
#
# Run: npm run build && integration/llama-server.sh [FOLDER]      FOLDER: where llama.cpp is built, default .cache/llama (400 MB)
# Needs python3 with pip, cmake and a C++ compiler; or LLAMA_SERVER=PROGRAM, the server of a llama.cpp that is there.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/integration/llama_server.sh"
exec node "$root/dist/integration/llama-server.js"
