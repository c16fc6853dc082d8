#!/usr/bin/env bash
# Makes the executable: ./compile.sh [target] → dist/coracle, or dist/coracle-<target> for another target
# (bun-linux-x64, bun-linux-arm64, bun-linux-x64-musl, bun-darwin-arm64, bun-windows-x64, …).
set -euo pipefail
cd "$(dirname "$0")"

target=${1:-}
runtime=node
command -v node >/dev/null || runtime=bun
with_bun() { "$runtime" tools/with-bun.mjs "$@"; }

version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
if [ "$commit" != unknown ] && [ -n "$(git status --porcelain -- main.ts lib package.json bun.lock 2>/dev/null)" ]; then
  commit="$commit-changed"
fi

out=dist/coracle
options=()
if [ -n "$target" ]; then
  out=dist/coracle-$target
  options+=("--target=$target")
fi

mkdir -p dist
# .env and bunfig.toml of whatever folder it is started in must not change what it does.
with_bun build --compile --minify --sourcemap \
  --no-compile-autoload-dotenv --no-compile-autoload-bunfig \
  --define "CORACLE_VERSION=\"$version\"" --define "CORACLE_COMMIT=\"$commit\"" \
  "${options[@]}" --outfile "$out" main.ts
