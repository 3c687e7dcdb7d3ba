#!/bin/sh
# Fails if gen/ or docs/settings.md differ from what their sources give.
set -eu
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
tools/generate.sh "$fresh/gen"
python tools/settings_table.py > "$fresh/settings.md"
diff -r -q --exclude=__pycache__ gen "$fresh/gen" && diff -q docs/settings.md "$fresh/settings.md" || {
  echo "generated files are not up to date: run \`make generate\` and commit the result" >&2
  exit 1
}
