#!/bin/bash
# Prints the licences of all that is in build/portable/woo_ghl, as Debian's source packages tell them.
set -euo pipefail

cd "$(dirname "$0")/.."
echo 'woo_ghl'
echo
cat LICENSE
for source in build/portable/src/*/debian; do
    printf '\n\n======== %s ========\n\n' "$(head -n 1 "$source/changelog" | cut -d ';' -f 1)"
    cat "$source/copyright"
done
printf '\n\n======== musl ========\n\n'
cat /usr/share/doc/musl/copyright
