#!/bin/bash
# Installs the Debian packages that are missing: those of the groups build, run and test, and any other by its name. `make deps`
# does it for build alone, `make run` for build and run, `make check` for all. Nothing happens when all are there.
set -eu

build=(gcc make pkg-config libfcgi-dev libssl-dev libcurl4-openssl-dev libjansson-dev libhiredis-dev libsqlite3-dev libseccomp-dev)
run=(nginx spawn-fcgi multiwatch)
test=(libmojolicious-perl libcpanel-json-xs-perl redis-server apache2 libapache2-mod-fcgid apache2-suexec-pristine openssl)
packages=()
for word in "$@"; do
    case $word in
        build) packages+=("${build[@]}") ;;
        run) packages+=("${run[@]}") ;;
        test) packages+=("${test[@]}") ;;
        *) packages+=("$word") ;;
    esac
done

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) || true
    [[ $status == 'install ok installed' ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

echo "make deps: installs ${missing[*]}"
command -v apt-get >/dev/null || {
    echo "make deps: there is no apt-get; install by hand what corresponds to: ${missing[*]}" >&2
    exit 1
}
sudo=()
[[ $(id -u) -eq 0 ]] || sudo=(sudo)

# Installing a server must neither start it now, nor at the next boot. The policy is ours only if there was none.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    trap '"${sudo[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
    "${sudo[@]}" chmod 0755 "$policy"
fi
"${sudo[@]}" apt-get update
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
for package in "${missing[@]}"; do
    case $package in
        nginx | redis-server) services=("$package") ;;
        apache2) services=(apache2 apache-htcacheclean) ;;
        *) continue ;;
    esac
    for service in "${services[@]}"; do
        # As the package itself enabled it: with and without systemd.
        "${sudo[@]}" env DPKG_MAINTSCRIPT_PACKAGE="$package" deb-systemd-helper disable "$service.service"
        "${sudo[@]}" update-rc.d "$service" disable
        echo "make deps: $service is installed, but does not start at boot; 'systemctl enable --now $service' changes that"
    done
done
