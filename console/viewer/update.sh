#!/usr/bin/env bash
# Brings the viewer of the API's description from npm, at this version. Its files are committed; nobody who builds or
# runs the server needs this.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
version=5.35.0
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "swagger-ui-dist@$version" >/dev/null && tar xzf "swagger-ui-dist-$version.tgz")
sed -e '/^\/\/# sourceMappingURL=/d' "$work/package/swagger-ui-bundle.js" >"$here/vendor/swagger-ui.js"
sed -e '/sourceMappingURL=/d' "$work/package/swagger-ui.css" >"$here/vendor/swagger-ui.css"
{
    printf '=== swagger-ui-dist %s\n\n' "$version"
    cat "$work/package/NOTICE" "$work/package/LICENSE"
    printf '\n=== what it contains\n\n'
    cat "$work/package/swagger-ui-bundle.js.LICENSE.txt"
} >"$here/vendor/LICENSES.txt"
