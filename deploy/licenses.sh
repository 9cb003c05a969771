#!/bin/bash
# Prints the licences of all that is in build/portable/woo_ghl, as Debian's source packages tell them.
set -euo pipefail

cd "$(dirname "$0")/.."
echo 'woo_ghl'
echo
cat LICENSE
for name in openssl curl jansson hiredis sqlite3 libfcgi; do
    printf '\n\n======== %s %s ========\n\n' "$name" "$(dpkg-parsechangelog -l "build/portable/src/$name/debian/changelog" -S Version)"
    cat "build/portable/src/$name/debian/copyright"
done
printf '\n\n======== musl ========\n\n'
cat /usr/share/doc/musl/copyright
