#!/bin/bash
# What `make portable` does: build/portable/woo_ghl, one static file for any Linux on x86-64, with musl as its C library. Every
# library is built from Debian's source package; apt verifies what it fetches. What is built once stays in build/portable.
# With ARCH=arm64: build/portable-arm64/woo_ghl, by Debian's cross compiler; dpkg must know that architecture
# (dpkg --add-architecture arm64, apt-get update). It exits with 75 if a library cannot be fetched or
# built: the program is not at fault then.
set -eu

cd "$(dirname "$0")/.."
out=build/portable${ARCH:+-$ARCH}
work=$PWD/$out
src=$work/src
prefix=$work/libs
jobs=${JOBS:-2}
log=$work/log

deploy/deps.sh dpkg-dev tcl gperf perl make gcc || exit 75
case ${ARCH:-} in
    '')
        machine=x86_64 cross='' cc=musl-gcc headers=/usr/include
        deploy/deps.sh musl-tools linux-libc-dev || exit 75
        ;;
    arm64)
        machine=aarch64 cross=aarch64-linux-gnu- cc=$work/cc headers=/usr/aarch64-linux-gnu/include
        deploy/deps.sh gcc-aarch64-linux-gnu linux-libc-dev-arm64-cross musl-dev:arm64 || exit 75
        ;;
    *)
        echo "make portable: ARCH is arm64 or not set, not $ARCH" >&2
        exit 1
        ;;
esac
mkdir -p "$work"/apt/lists/partial "$work"/apt/archives/partial "$src" "$prefix"/{include,lib}

# -- sources --

# A list of apt's own, so that the machine's stays as it is. The source packages are those of the release that runs.
release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
apt=(-o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt" -o APT::Sandbox::User=)
list_sources() {
    local key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]' mirror=http://deb.debian.org
    printf 'deb-src %s %s\n' "$key" "$mirror/debian $release main" "$key" "$mirror/debian $release-updates main" \
        "$key" "$mirror/debian-security $release-security main" >"$work/apt/sources.list"
    apt-get "${apt[@]}" -qq update
}

# Fetches and unpacks NAME into $src/NAME with Debian's patches, the newest version that the mirror has.
fetch() { # NAME
    local name=$1 version
    [[ ! -d $src/$name ]] || return 0
    [[ -n $(find "$work/apt/lists" -name '*_Sources*' -print -quit) ]] || list_sources || exit 75
    for version in $(apt-cache "${apt[@]}" showsrc "$name" | sed -n 's/^Version: //p' | sort -Vru); do
        if (cd "$src" && apt-get "${apt[@]}" -qq source --download-only "$name=$version" >>"$log" 2>&1); then
            echo "  FETCH $name $version"
            rm -rf "$src/$name.new"
            dpkg-source --no-check -x "$src/${name}_${version#*:}.dsc" "$src/$name.new" >>"$log" 2>&1
            mv "$src/$name.new" "$src/$name"
            return 0
        fi
    done
    echo "make portable: Debian's source package $name cannot be fetched; see $log" >&2
    exit 75
}

# -- the libraries --

# musl's headers know nothing of the kernel's own, which OpenSSL wants.
ln -sfn $headers/linux "$prefix/include/linux"
ln -sfn $headers/asm-generic "$prefix/include/asm-generic"
asm=$headers/asm
[[ -e $asm ]] || asm=$headers/$(gcc -print-multiarch)/asm
ln -sfn "$asm" "$prefix/include/asm"
export CPATH=$prefix/include AR=${cross}ar RANLIB=${cross}ranlib
[[ -z $cross ]] || {
    # Without outlined atomics, for which libgcc wants a function of glibc's.
    printf '#!/bin/sh\nexec %sgcc -mno-outline-atomics "$@" -specs=/usr/lib/%s-linux-musl/musl-gcc.specs\n' "$cross" "$machine" >"$cc"
    chmod 0755 "$cc"
}
# The same bytes wherever and whenever it is built.
export SOURCE_DATE_EPOCH=0 ZERO_AR_DATE=1
# Each function in a section of its own: the linker leaves out what nobody calls.
small="-Os -g0 -fPIE -fstack-protector-strong -ffunction-sections -fdata-sections"

build_openssl() {
    # TLS 1.2 and 1.3, SHA-2, AES-GCM, ChaCha20, HKDF, X.509. Without: ciphers and protocols that no server of today needs
    # (they are more to attack), engines and modules (a static program loads none), the machine's openssl.cnf.
    ./Configure "linux-$machine" --prefix=/usr --libdir=lib --openssldir=/etc/ssl CC="$cc" CFLAGS="$small" \
        no-shared no-module no-dso no-engine no-async no-tests no-makedepend no-autoload-config no-ui-console no-comp \
        no-legacy no-ssl3 no-tls1 no-tls1_1 no-dtls no-dgram no-srtp no-srp no-psk no-nextprotoneg no-ssl-trace no-ct \
        no-ocsp no-cms no-cmp no-ts no-rfc3779 no-gost no-aria no-bf no-blake2 no-camellia no-cast no-cmac no-des no-dsa \
        no-idea no-md4 no-mdc2 no-ocb no-rc2 no-rc4 no-rmd160 no-scrypt no-seed no-siphash no-siv no-sm2 no-sm3 no-sm4 \
        no-whirlpool no-ec2m
    make -j"$jobs" build_libs
    cp libssl.a libcrypto.a "$prefix/lib/"
    cp -r include/openssl "$prefix/include/"
}

build_curl() {
    # http and https. With a threaded resolver each look-up needs a second thread, which some hosts' limits forbid; musl's own
    # ends after 5 s. The program names the certificates itself (lib/config/places.c).
    ./configure --host="$machine-linux-musl" --prefix="$prefix" --disable-shared --enable-static CC="$cc" CFLAGS="$small" \
        --with-openssl="$prefix" --without-ca-bundle --without-ca-path --without-ca-fallback --without-zlib --without-brotli \
        --without-zstd --without-libpsl --without-libidn2 --without-nghttp2 --without-librtmp --without-libssh2 \
        --disable-threaded-resolver --disable-openssl-auto-load-config --disable-ftp --disable-file --disable-ldap \
        --disable-ldaps --disable-rtsp --disable-dict --disable-telnet --disable-tftp --disable-pop3 --disable-imap \
        --disable-smb --disable-smtp --disable-gopher --disable-mqtt --disable-manual --disable-alt-svc --disable-hsts \
        --disable-cookies --disable-mime --disable-netrc --disable-doh --disable-http-auth --disable-tls-srp \
        --disable-ntlm --disable-unix-sockets --disable-dateparse --disable-get-easy-options
    make -j"$jobs" -C lib
    make -C lib install
    make -C include install
}

# A handful of files, which need no configure: archive NAME FILE...
archive() {
    local name=$1 file objects=()
    shift
    for file in "$@"; do
        # shellcheck disable=SC2086 # several words each
        "$cc" $small ${flags:-} -c -o "$file.o" "$file"
        objects+=("$file.o")
    done
    rm -f "$prefix/lib/$name"
    "$AR" rcs "$prefix/lib/$name" "${objects[@]}"
}

build_jansson() {
    sed -i '/define JSON_PARSER_MAX_DEPTH/i #define JSON_HAVE_ATOMIC_BUILTINS 1\n#define JSON_HAVE_SYNC_BUILTINS 1' \
        android/jansson_config.h
    cp android/jansson_config.h src/jansson.h "$prefix/include/"
    : >src/jansson_private_config.h
    flags="-Iandroid -DHAVE_STDINT_H -DHAVE_INTTYPES_H -DHAVE_UNISTD_H -DHAVE_FCNTL_H -DHAVE_SYS_TYPES_H \
        -DHAVE_SYS_TIME_H -DHAVE_SCHED_YIELD -DUSE_URANDOM=1 -DHAVE_OPEN -DHAVE_CLOSE -DHAVE_READ -DHAVE_GETPID \
        -DHAVE_GETTIMEOFDAY" archive libjansson.a src/*.c
}

build_hiredis() {
    mkdir -p "$prefix/include/hiredis"
    cp ./*.h "$prefix/include/hiredis/"
    archive libhiredis.a alloc.c hiredis.c net.c read.c sds.c
}

build_sqlite3() {
    # One process is one thread here. Without extensions, which a static program cannot load.
    ./configure --disable-tcl --disable-readline --enable-tempstore
    make sqlite3.c
    cp sqlite3.h "$prefix/include/"
    flags='-DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_DQS=0 -DSQLITE_DEFAULT_MEMSTATUS=0
        -DSQLITE_OMIT_DEPRECATED -DSQLITE_OMIT_SHARED_CACHE -DSQLITE_OMIT_JSON -DSQLITE_TEMP_STORE=2 -DHAVE_FDATASYNC=1
        -DHAVE_USLEEP=1 -DHAVE_GMTIME_R=1 -DHAVE_LOCALTIME_R=1' archive libsqlite3.a sqlite3.c
}

build_libfcgi() {
    : >libfcgi/fcgi_config.h
    cp include/*.h "$prefix/include/"
    flags='-Iinclude -Ilibfcgi -DHAVE_NETINET_IN_H -DHAVE_NETDB_H -DHAVE_SYS_SOCKET_H -DHAVE_UNISTD_H -DHAVE_SYS_TIME_H
        -DHAVE_LIMITS_H -DHAVE_SYS_PARAM_H -DHAVE_STRERROR -DHAVE_SOCKLEN -DHAVE_ARPA_INET_H' \
        archive libfcgi.a libfcgi/fcgiapp.c libfcgi/os_unix.c
}

build_libseccomp() {
    ./configure --host="$machine-linux-musl" --prefix="$prefix" --disable-shared --enable-static CC="$cc" CFLAGS="$small"
    make -j"$jobs" -C src libseccomp.la
    cp src/.libs/libseccomp.a "$prefix/lib/"
    cp include/seccomp.h include/seccomp-syscalls.h "$prefix/include/"
}

recipe() { { declare -f "build_$1" archive && echo "$small"; } | sha256sum | cut -c1-16; }

# What is there is built anew only if its recipe changes. What it prints goes to a file of its own: log.NAME.
build() { # NAME
    local name=$1 status
    echo "  BUILD $name"
    set +e
    (
        set -e
        cd "$src/$name"
        "build_$name"
    ) >"$log.$name" 2>&1
    status=$?
    set -e
    ((status == 0)) || {
        tail -n 30 "$log.$name" >&2
        echo "make portable: $name cannot be built; see $log.$name" >&2
        exit 75
    }
    rm -f "$prefix/$name".*
    touch "$prefix/$name.$(recipe "$name")"
}

# curl asks the compiler for OpenSSL. The others take a processor each while OpenSSL, by far the largest, is built.
missing=()
for name in sqlite3 libseccomp jansson hiredis libfcgi openssl curl; do
    [[ ! -e $prefix/$name.$(recipe "$name") ]] || continue
    rm -rf "${src:?}/$name"
    fetch "$name"
    missing+=("$name")
done
build_all() { # NAME...
    local name
    for name in "$@"; do
        [[ " ${missing[*]} " != *" $name "* ]] || build "$name"
    done
}
trap wait EXIT
build_all sqlite3 libseccomp jansson hiredis libfcgi &
others=$!
build_all openssl curl
wait "$others"

# -- the program --

env -u CPATH -u AR "${MAKE:-make}" --no-print-directory -j"$jobs" CC="$cc" CROSS="$cross" BUILD="$out/obj" PROGRAM="$out/woo_ghl" \
    LIBS_DIR="$prefix" CFLAGS='-O2 -g0 -ffunction-sections -fdata-sections' all
"${cross}strip" --strip-all --remove-section=.comment --remove-section=.note.* "$out/woo_ghl"
ls -l "$out/woo_ghl"
