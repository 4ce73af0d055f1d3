#!/usr/bin/env bash
# How fast evidence is sealed and verified, and what memory `auditor verify` needs: release build, one machine.
#
#   MEGABYTES (2200)   of the large bundle, which does not compress; it is there three times while it is made
#   LEAVES (1000000)   of the large log
#   SESSIONS (20000)   of evidence all of whose leaves are there to be verified, each with three
#   ROUNDS (3)         of each verification; the median is told
#
# Everything is below TMPDIR, and removed.
set -euo pipefail

REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
readonly REPOSITORY
readonly MEGABYTES="${MEGABYTES:-2200}" LEAVES="${LEAVES:-1000000}" SESSIONS="${SESSIONS:-20000}" ROUNDS="${ROUNDS:-3}"
# What the verifier may need at most, and how long it may take for the large log.
readonly MEMORY_MB=256 LEAVES_SECONDS=5
FAILED=0

main() {
    build
    SCENE="$(mktemp -d "${TMPDIR:-/tmp}/affidavit-bench.XXXXXXXX")"
    trap 'rm -rf "$SCENE"' EXIT
    trap 'exit 130' INT TERM
    conditions
    "$GENERATOR" seal
    echo
    echo '| `auditor verify`                 |    MB |  leaves | seconds | CPU s | MB/s | leaves/s | memory MB |'
    echo '|----------------------------------|------:|--------:|--------:|------:|-----:|---------:|----------:|'
    made bundle "$MEGABYTES"
    row 'a large bundle' bundle 0
    made leaves "$LEAVES"
    row 'a bundle with a large log' bundle "$LEAVES_SECONDS"
    made objects "$SESSIONS"
    row 'leaves that are all there' store 0
    uptime | sed 's/.*load average/Load average at the end/'
    exit "$FAILED"
}

build() {
    command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    local made
    # Together, so that dependencies are built once.
    made="$(cd "$REPOSITORY" && cargo build --release --locked --package auditor --package functions --bin auditor \
        --bench evidence --message-format json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')"
    AUDITOR="$(grep '/auditor$' <<<"$made")"
    GENERATOR="$(grep '/evidence-[^/]*$' <<<"$made")"
}

# made WHAT SIZE: fills $SCENE/made.
made() {
    rm -rf "$SCENE/made"
    "$GENERATOR" "$1" "$SCENE/made" "$2" >"$SCENE/told"
    # What a bundle was made of.
    if [ "$1" != objects ]; then rm -rf "$SCENE/made/store"; fi
}

# row NAME FOLDER SECONDS: verifies it; a limit of 0 seconds is none.
row() {
    local round megabytes leaves seconds cpu memory status
    megabytes="$(du -sm --apparent-size "$SCENE/made/$2" | cut -f1)"
    leaves="$(sed -n 's/^\([0-9]*\) leaves$/\1/p' "$SCENE/told")"
    for ((round = 1; round <= ROUNDS; round++)); do
        python3 "$REPOSITORY/tests/bench/measured.py" "$SCENE/report" \
            "$AUDITOR" verify "$SCENE/made/$2" --root "$SCENE/made/root.pem"
    done | sort -n >"$SCENE/rounds"
    read -r seconds cpu memory status < <(sed -n "$((ROUNDS / 2 + 1))p" "$SCENE/rounds")
    printf '| %-32s | %5d | %7d | %7.2f | %5.2f | %4.0f | %8.0f | %9d |\n' "$1" "$megabytes" "$leaves" "$seconds" "$cpu" \
        "$(awk "BEGIN { print $megabytes / $seconds }")" "$(awk "BEGIN { print $leaves / $seconds }")" "$memory"
    if [ "$status" -ne 0 ] || [ "$(tail -n 1 "$SCENE/report")" != 'It holds.' ]; then
        fail "$1 does not hold"
    fi
    [ "$(cut -d' ' -f3 "$SCENE/rounds" | sort -n | tail -n 1)" -le "$MEMORY_MB" ] || fail "more than $MEMORY_MB MB"
    awk "BEGIN { exit !($3 == 0 || $seconds < $3) }" || fail "took $seconds s, expected less than $3 s"
}

fail() {
    echo "  FAILED: $*"
    FAILED=1
}

conditions() {
    cat <<TEXT
One machine of $(getconf _NPROCESSORS_ONLN) cores ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)). Sealing runs on one core; it is measured
from a segment's records to the signed chunk, both in memory; frames are counted as they were recorded. Verifying reads files that were just written. A bundle
with a large log has the statements of every session and the chunks of two: all else of it are entries of the log, whose
hashes, tree, tiles, checkpoints and form are checked. Where leaves are all there each one's signature is checked.
Load average at the start: $(cut -d' ' -f1-3 /proc/loadavg)

TEXT
}

main "$@"
