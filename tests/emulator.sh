#!/usr/bin/env bash
# A throwaway AWS: ministack, on 127.0.0.1 alone, on a free port, nothing of it kept.
#
#   tests/emulator.sh hold DIR    starts it, prints its URL; when standard input ends, stops it and removes DIR
#   tests/emulator.sh hold DIR --rights    the same, and it evaluates IAM and resource policies (tests/infra/emulator.py)
#   FUNCTIONS_URL=URL ...         Lambda functions are told that AWS is there (tests/infra/cost/count.py)
#   tests/emulator.sh installed   whether tests/setup.sh --test put it there
set -euo pipefail

readonly VENV="${AFFIDAVIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/affidavit}/venv"
readonly PROGRAM="$VENV/bin/ministack"
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
readonly HERE
readonly STARTS=8

main() {
    case "${1:-}" in
        installed) [ -x "$PROGRAM" ] ;;
        hold)
            case "$#:${3:-}" in
                2:) COMMAND=("$PROGRAM") ;;
                3:--rights) COMMAND=(env AUTH=true "$VENV/bin/python" "$HERE/infra/emulator.py") ;;
                *) usage ;;
            esac
            mkdir -p "$2"
            DIR="$(cd "$2" && pwd)"
            hold
            ;;
        *) usage ;;
    esac
}

hold() {
    # Ctrl-C goes to the whole foreground group; our end is the end of standard input.
    trap '' INT
    PID=''
    trap 'stop; rm -rf "$DIR"' EXIT
    start
    echo "$URL"
    cat >/dev/null
}

# Another process may take the port between our look and the server's bind: then another port is tried.
start() {
    local attempt
    for ((attempt = 0; attempt < STARTS; attempt++)); do
        launch "$(free_port)"
        if answers; then return; fi
        stop
    done
    tail -n 20 "$DIR/log" >&2
    fail 'ministack did not start'
}

launch() {
    URL="http://127.0.0.1:$1"
    # Without these it binds every interface, and leaves its state below /tmp.
    env BIND_HOST=127.0.0.1 MINISTACK_HOST=127.0.0.1 GATEWAY_PORT="$1" AWS_ENDPOINT_URL="${FUNCTIONS_URL:-$URL}" IOT_MTLS_ENABLED=0 \
        TMPDIR="$DIR" S3_DATA_DIR="$DIR/s3" STATE_DIR="$DIR/state" "${COMMAND[@]}" >"$DIR/log" 2>&1 </dev/null &
    PID=$!
}

answers() {
    local look
    for ((look = 0; look < 300; look++)); do
        kill -0 "$PID" 2>/dev/null || return 1
        if (exec 3<>"/dev/tcp/127.0.0.1/${URL##*:}") 2>/dev/null; then return 0; fi
        sleep 0.1
    done
    return 1
}

stop() {
    [ -n "$PID" ] || return 0
    kill -TERM "$PID" 2>/dev/null || true
    wait "$PID" 2>/dev/null || true
    PID=''
}

# Below the range from which systems take ports for outgoing connections (Linux: 32768).
free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

usage() { fail 'usage: emulator.sh hold DIR [--rights] | installed'; }

fail() {
    printf 'emulator: %s\n' "$*" >&2
    exit 1
}

main "$@"
