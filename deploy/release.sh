#!/bin/bash
# What `make release` does, after `make portable`: build/release/woo_ghl-VERSION-x86_64.tar.gz and .zip (for FTP), and
# SHA256SUMS. The same sources give the same bytes, wherever and whenever they are built.
set -euo pipefail

cd "$(dirname "$0")/.."
deploy/deps.sh zip
version=$(sed -n 's/^#define WOO_GHL_VERSION "\(.*\)"/\1/p' lib/base/version.h)
out=$PWD/build/release
name=woo_ghl-$version-x86_64
epoch=$(git log -1 --format=%ct 2>/dev/null || echo 1000000000)
umask 022
rm -rf "$out"
mkdir -p "$out/woo-order"
cd "$out"

# One folder, as it goes into a site's document root.
install -m 0755 ../portable/woo_ghl woo-order/woo_ghl.cgi
install -m 0644 ../../deploy/htaccess woo-order/.htaccess
install -m 0644 ../../.env.sample woo-order/env.sample
install -m 0644 ../../deploy/INSTALL.txt ../../LICENSE woo-order
../../deploy/licenses.sh >woo-order/LICENSES.txt
find woo-order -exec touch --date="@$epoch" {} +

tar --sort=name --owner=0 --group=0 --numeric-owner --format=gnu -cf - woo-order | gzip -9n >"$name.tar.gz"
find woo-order | LC_ALL=C sort | TZ=UTC zip -9 -X -q "$name.zip" -@
sha256sum "$name.tar.gz" "$name.zip" | tee SHA256SUMS
