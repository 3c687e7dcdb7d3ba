#!/bin/sh
# Generates gen/ from proto/. `make generate`.
set -eu
out=${1:-gen}
rm -rf "$out"
mkdir -p "$out"
find proto -name '*.proto' | LC_ALL=C sort | xargs python -m grpc_tools.protoc -I proto \
  --python_out="$out" --mypy_out="quiet:$out" --grpc_python_out="$out" --mypy_grpc_out="quiet:$out"
find "$out" -name '*_pb2_grpc.py' | while read -r file; do
  grep -q "class .*Servicer" "$file" || rm -f "$file" "${file}i"
done
find "$out" -mindepth 1 -type d -exec touch {}/__init__.py \;
