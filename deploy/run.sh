#!/bin/bash
# What `make run` does: nginx, a pool of workers and the drain, as the user who calls it, with what they need
# while they run in ./run and the settings in ./.env. Ctrl-C (or TERM) ends all of it.
set -eu

cd "$(dirname "$0")/.."
here=$PWD
run=$here/run
settings=${WOO_GHL_ENV:-$here/.env}
export WOO_GHL_ENV=$settings
workers=4
pids=()

fail() {
    printf 'make run: %s\n' "$*" >&2
    exit 1
}

# Ends a process and waits until it is gone: longer than a request may take, then by force.
end() {
    kill -TERM "$1" 2>/dev/null || return 0
    for ((i = 0; i < 600; i++)); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null || true
}

# shellcheck disable=SC2317 # the trap calls it
stop_all() {
    trap '' INT TERM HUP
    for pid in "${pids[@]}"; do end "$pid"; done
    rm -rf "$run"/{body,fastcgi,proxy,scgi,uwsgi}
    rm -f "$run"/*.{pid,conf,sock} "$run/lock"
    rmdir "$run" 2>/dev/null || true
}

# Starts a part and notes its process for the next start, should this one be killed.
start() { # NAME COMMAND...
    local name=$1
    shift
    "$@" 9>&- &
    pids=("$!" "${pids[@]}")
    echo "$!" >"$run/$name.pid"
}

# What a killed run left behind: its processes, where the number still is one of ours, and its files.
clean_up() {
    local file pid
    for file in "$run"/*.pid; do
        [[ -f $file ]] || continue
        pid=$(<"$file")
        if [[ $pid =~ ^[0-9]+$ && $(readlink "/proc/$pid/cwd") == "$here" ]]; then end "$pid"; fi
        rm -f "$file"
    done
    rm -f "$run/woo_ghl.sock"
}

make_settings() {
    local secret
    secret=$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')
    ((${#secret} == 40)) || fail '/dev/urandom gives no random bytes'
    (
        umask 077
        {
            echo '# The settings of woo_ghl; .env.sample shows every one with its default.'
            echo '# The secret is that of the webhooks: WooCommerce > Settings > Advanced > Webhooks.'
            echo "WOO_WEBHOOK_SECRET='$secret'"
            if [[ -z ${GHL_API_KEY:-} || -z ${GHL_LOCATION_ID:-} ]]; then
                echo
                echo '# Nothing is sent to GoHighLevel while this is yes; it needs the two below for no.'
                echo 'GHL_DRY_RUN=yes'
                echo "#GHL_API_KEY='pit-...'"
                echo "#GHL_LOCATION_ID='...'"
            fi
        } >"$settings.new"
    )
    mv "$settings.new" "$settings"
    made=' (made just now, with a fresh secret)'
}

taken() { # PORT
    (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# nginx for this port and socket, from the files that deploy/ offers.
configure_nginx() {
    sed "s/127\.0\.0\.1:5000/127.0.0.1:$port/" deploy/nginx.conf >"$run/nginx.conf"
    sed "s|/run/woo-ghl/woo_ghl\.sock|$run/woo_ghl.sock|" deploy/nginx-woo-order.conf >"$run/nginx-woo-order.conf"
}

wait_until() { # WHAT PID TEST...
    local what=$1 pid=$2
    shift 2
    for ((i = 0; i < 100; i++)); do
        "$@" && return
        kill -0 "$pid" 2>/dev/null || fail "$what ended at its start; what it said is above"
        sleep 0.1
    done
    fail "$what did not start within 10 s"
}

mkdir -p "$run"
exec 9>"$run/lock"
# Who just ended takes the lock's file away; a lock on what is no longer there keeps nobody out.
{ flock -n 9 && [[ $run/lock -ef /proc/$$/fd/9 ]]; } ||
    fail "it runs already in $here; stop that one first (Ctrl-C there)"
trap stop_all EXIT
trap 'exit 0' INT TERM HUP
clean_up

made=
[[ -e $settings ]] || make_settings

# The program's own view of its settings, and whether store and GoHighLevel can be reached.
check=$(./woo_ghl check 2>&1) || true
value() { sed -n "s/^$1  *//p" <<<"$check"; }
grep -q '^settings  *ok' <<<"$check" || {
    grep -E '^settings  +FAIL' <<<"$check" >&2 || printf '%s\n' "$check" >&2
    fail "the settings in $settings are refused, see above"
}
grep -E '^(settings|store|GHL)  +(ok|FAIL|warn)' <<<"$check"
port=$(value PORT)
! taken "$port" || fail "port $port is in use; set another PORT in $settings"

configure_nginx
start pool spawn-fcgi -n -s "$run/woo_ghl.sock" -M 0600 -- \
    /usr/bin/multiwatch -f "$workers" -r 1000000 -t 1 -- ./woo_ghl
wait_until 'the pool' "${pids[0]}" test -S "$run/woo_ghl.sock"
# As root nginx would take another user, who may not use the socket.
start nginx /usr/sbin/nginx -p "$run/" -c "$run/nginx.conf" -e stderr \
    -g "$([[ $(id -u) -ne 0 ]] || echo 'user root;')"
wait_until nginx "${pids[0]}" taken "$port"
start drain ./woo_ghl drain --watch

cat <<END

woo_ghl takes orders at  http://127.0.0.1:$port/woo-order
its secret is in         $settings$made
send a sample order with ./woo_ghl trigger
$(if [[ $(value GHL_DRY_RUN) == yes ]]; then
    echo 'This is a DRY RUN: nothing is sent to GoHighLevel; the log below shows what would be.'
else
    echo 'Orders are sent to GoHighLevel.'
fi)
Ctrl-C ends it.

END

wait -n "${pids[@]}" || true
fail 'a part of it ended by itself; what it said is above'
