#!/bin/sh
# Fails if the contracts break clients of the last release. Before there is one they are compared
# with main, and on main itself with the commit before.
set -eu
commit() { git rev-parse --verify -q "$1^{commit}" || true; }

head=$(commit HEAD)
against=$(git describe --tags --abbrev=0 2>/dev/null || true)
for name in origin/main main HEAD~1; do
  [ -n "$against" ] || against=$(commit "$name")
  [ "$against" != "$head" ] || against=
done
if [ -z "$against" ]; then
  echo "contracts: no earlier commit here to compare with (a first commit, or a shallow clone)"
  exit 0
fi
buf breaking --against ".git#ref=$against"
