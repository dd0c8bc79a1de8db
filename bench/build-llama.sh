#!/bin/sh
# Builds llama.cpp's llama-batched-bench from the source that the PyPI package llama-cpp-python carries.
# Usage: bench/build-llama.sh FOLDER; then PATH="FOLDER/build/bin:$PATH" npm run bench -- --peers
# Needs python3 with pip, cmake and a C++ compiler. Takes minutes on all cores.
set -eu
folder=${1:?usage: build-llama.sh FOLDER}
requirement=llama-cpp-python==0.3.36
mkdir -p "$folder"
cd "$folder"
python3 -m pip download --no-deps --no-binary :all: --dest . "$requirement"
archive=$(ls -t llama_cpp_python-*.tar.gz | head -n 1)
tar -xzf "$archive"
source=$(basename "$archive" .tar.gz)/vendor/llama.cpp
cmake -S "$source" -B build -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DBUILD_SHARED_LIBS=OFF \
  -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_TOOLS=ON
cmake --build build --target llama-batched-bench --parallel "$(nproc)"
build/bin/llama-batched-bench --help | head -n 1
echo "LLAMA_BATCHED_BENCH=$(pwd)/build/bin/llama-batched-bench"
