#!/bin/bash
# What `make deb` does, after `make portable`: build/deb/woo-ghl_VERSION_amd64.deb, with the static file, so that it runs on
# every Debian and Ubuntu with systemd.
set -euo pipefail

cd "$(dirname "$0")/.."
version=$(sed -n 's/^#define WOO_GHL_VERSION "\(.*\)"/\1/p' lib/base/version.h)
epoch=$(git log -1 --format=%ct 2>/dev/null || echo 1000000000)
out=build/deb
root=$out/root
doc=$root/usr/share/doc/woo-ghl
umask 022
rm -rf "$out"
install -d "$root/DEBIAN" "$doc/examples" "$root/usr/bin"

install -D -m 0755 build/portable/woo_ghl "$root/usr/lib/woo-ghl/woo_ghl"
ln -s ../lib/woo-ghl/woo_ghl "$root/usr/bin/woo_ghl"
install -D -m 0640 deploy/env "$root/etc/woo-ghl/env"
install -D -m 0644 <(build/portable/woo_ghl help bash) "$root/usr/share/bash-completion/completions/woo_ghl"
install -D -m 0644 <(build/portable/woo_ghl help zsh) "$root/usr/share/zsh/vendor-completions/_woo_ghl"
install -D -m 0644 doc/woo_ghl.1 "$root/usr/share/man/man1/woo_ghl.1"
install -D -m 0644 deploy/logrotate "$root/etc/logrotate.d/woo-ghl"
install -D -m 0644 deploy/debian/lintian-overrides "$root/usr/share/lintian/overrides/woo-ghl"
# Paths of the package instead of those of `make install`.
for file in deploy/*.service deploy/*.socket deploy/*.timer; do
    install -D -m 0644 /dev/null "$root/usr/lib/systemd/system/${file##*/}"
    sed 's|/usr/local/|/usr/|g' "$file" >"$root/usr/lib/systemd/system/${file##*/}"
done
# For an `include` in the shop's server, and as Apache's conf-available.
for file in deploy/nginx-woo-order.conf deploy/apache.conf; do
    install -D -m 0644 /dev/null "$root/usr/share/woo-ghl/${file##*/}"
    sed 's|/usr/local/|/usr/|g' "$file" >"$root/usr/share/woo-ghl/${file##*/}"
done
install -m 0644 deploy/nginx.conf deploy/cron deploy/nginx-woo-pool.conf deploy/prometheus.yml deploy/prometheus-rules.yml deploy/grafana.json \
    deploy/healthchecks "$doc/examples"
install -m 0644 README.md doc/mapping.md doc/privacy.md doc/performance.md "$doc"
deploy/licenses.sh >"$doc/copyright"
printf 'woo-ghl (%s) unstable; urgency=medium\n\n  * See the log of the sources.\n\n -- The woo_ghl authors <woo-ghl@example.com>  %s\n' \
    "$version" "$(date -R -u -d "@$epoch")" >"$doc/changelog"
gzip -9n "$doc/changelog" "$root/usr/share/man/man1/woo_ghl.1"

install -m 0755 deploy/debian/{postinst,prerm,postrm} "$root/DEBIAN"
printf '%s\n' /etc/woo-ghl/env /etc/logrotate.d/woo-ghl >"$root/DEBIAN/conffiles"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
size=$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@SIZE@/$size/" deploy/debian/control >"$root/DEBIAN/control"
chmod 0644 "$root"/DEBIAN/{conffiles,md5sums,control}
SOURCE_DATE_EPOCH=$epoch dpkg-deb --root-owner-group -Zxz --build "$root" "$out/woo-ghl_${version}_amd64.deb"
