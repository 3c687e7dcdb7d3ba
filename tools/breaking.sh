#!/bin/sh
# Fails if the contracts break clients of the last release, or of main before there is one.
set -eu
against=$(git describe --tags --abbrev=0 2>/dev/null || git rev-parse --verify -q origin/main || git rev-parse --verify -q main || true)
if [ -z "$against" ]; then
  echo "contracts: nothing to compare with yet"
  exit 0
fi
buf breaking --against ".git#ref=$against"
