#!/usr/bin/env bash
# Brings the libraries of the console from npm, at these versions. Their files are committed; nobody who builds or runs
# the server needs this. Bare imports become relative ones, so that browsers find them without a bundler.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
bring() {
    (cd "$work" && npm pack --silent "$1@$2" >/dev/null && mkdir "$1" && tar xzf "$1-$2.tgz" -C "$1")
}
bring preact 10.29.8
bring htm 3.1.1
bring uplot 1.6.32
relative() { sed -e 's|from *"preact"|from"./preact.js"|g' -e '/^\/\/# sourceMappingURL=/d' "$1"; }
relative "$work/preact/package/dist/preact.module.js" >"$here/preact.js"
relative "$work/preact/package/hooks/dist/hooks.module.js" >"$here/hooks.js"
relative "$work/htm/package/dist/htm.module.js" >"$here/htm.js"
cp "$work/uplot/package/dist/uPlot.esm.js" "$here/uplot.js"
cp "$work/uplot/package/dist/uPlot.min.css" "$here/uplot.css"
{
    for name in preact htm uplot; do
        printf '=== %s %s\n\n' "$name" "$(node -p "require('$work/$name/package/package.json').version")"
        cat "$work/$name/package/LICENSE"
        printf '\n'
    done
} >"$here/LICENSES.txt"
