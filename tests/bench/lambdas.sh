#!/usr/bin/env bash
# The functions as Lambda starts them: their zips' sizes, and how long each program takes from exec to its first poll of the
# runtime API and to the answer to its first event. What AWS is to them is the emulator.
#
#   ROUNDS (21)   starts of each program, one of each after the other
#   ZIPS          a folder with zips made before, in place of building them
set -euo pipefail

REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
readonly REPOSITORY
readonly VENV="${AFFIDAVIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/affidavit}/venv"

main() {
    SCENE="$(mktemp -d "${TMPDIR:-/tmp}/affidavit-bench.XXXXXXXX")"
    HELD=''
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    if [ -z "${ZIPS:-}" ]; then
        ZIPS="$SCENE/zips"
        "$REPOSITORY/infra/lambdas.sh" build "$ZIPS"
    fi
    hold
    "$VENV/bin/python" "$REPOSITORY/tests/bench/lambdas.py" "$ZIPS" "$URL" "${ROUNDS:-21}"
}

# The emulator ends when its standard input does.
hold() {
    coproc EMULATOR { exec "$REPOSITORY/tests/emulator.sh" hold "$SCENE/emulator"; }
    HELD="$EMULATOR_PID"
    read -r URL <&"${EMULATOR[0]}"
}

clean_up() {
    if [ -n "$HELD" ]; then
        eval "exec ${EMULATOR[1]}>&-"
        wait "$HELD" 2>/dev/null || true
    fi
    rm -rf "$SCENE"
}

main "$@"
