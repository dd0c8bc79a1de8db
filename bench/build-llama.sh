#!/bin/sh
# Builds programs of llama.cpp from the source that the PyPI package llama-cpp-python carries; what is built already stays.
# Usage: bench/build-llama.sh FOLDER [TARGET…]       default: llama-batched-bench; integration/llama.sh builds llama-server
# then PATH="FOLDER/build/bin:$PATH" npm run bench -- --peers
# Needs python3 with pip, cmake and a C++ compiler. Takes minutes on all cores.
set -eu
folder=${1:?usage: build-llama.sh FOLDER [TARGET…]}
shift
[ $# -gt 0 ] || set -- llama-batched-bench
requirement=llama-cpp-python==0.3.36
mkdir -p "$folder"
cd "$folder"
missing=
for target in "$@"; do [ -x "build/bin/$target" ] || missing="$missing $target"; done
if [ -n "$missing" ]; then
  archive=$(ls -t llama_cpp_python-*.tar.gz 2>/dev/null | head -n 1)
  if [ -z "$archive" ]; then
    python3 -m pip download --no-deps --no-binary :all: --dest . "$requirement"
    archive=$(ls -t llama_cpp_python-*.tar.gz | head -n 1)
  fi
  source=$(basename "$archive" .tar.gz)/vendor/llama.cpp
  [ -d "$source" ] || tar -xzf "$archive"
  cmake -S "$source" -B build -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DBUILD_SHARED_LIBS=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_APP=OFF \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_SERVER=ON -DLLAMA_BUILD_TOOLS=ON
  # shellcheck disable=SC2086 # names of targets hold no blanks
  cmake --build build --target $missing --parallel "${BUILD_JOBS:-$(nproc)}"
fi
for target in "$@"; do
  [ -x "build/bin/$target" ]
  [ "$target" != llama-batched-bench ] || echo "LLAMA_BATCHED_BENCH=$(pwd)/build/bin/$target"
done
