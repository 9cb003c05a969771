#!/bin/sh
# A bill of materials of this build, in CycloneDX's JSON: the program, and the libraries that it is linked with, as
# pkg-config knows them. `make sbom` passes their names.
set -eu

version=$(sed -n 's/^#define WOO_GHL_VERSION "\(.*\)"$/\1/p' lib/base/version.h)

printf '{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,\n'
printf ' "metadata":{"component":{"type":"application","bom-ref":"woo_ghl","name":"woo_ghl","version":"%s",' "$version"
printf '"licenses":[{"license":{"id":"MIT"}}]}},\n "components":[\n'
comma=
for library in "$@"; do
    printf '%s  {"type":"library","bom-ref":"%s","name":"%s","version":"%s"}' "$comma" "$library" "$library" \
        "$(pkg-config --modversion "$library")"
    comma=',
'
done
printf '\n ],\n "dependencies":[{"ref":"woo_ghl","dependsOn":['
comma=
for library in "$@"; do
    printf '%s"%s"' "$comma" "$library"
    comma=,
done
printf ']}]}\n'
