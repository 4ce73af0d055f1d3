#!/usr/bin/env bash
# tests/fuzz/run.sh SECONDS [TARGET...]: runs each target (all of them by default) for so long, one after the other.
# Needs cargo-fuzz (`cargo install cargo-fuzz`) and a C++ compiler; the stable toolchain will do. What was learnt stays
# in fuzz/corpus of cargo's target folder; a finding stands in fuzz/artifacts beside it and ends the run with an error.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
TARGETS="${CARGO_TARGET_DIR:-$(cd ../.. && pwd)/target}/fuzz"

main() {
    local seconds="${1:?usage: run.sh SECONDS [TARGET...]}" target
    shift
    [ $# -gt 0 ] || mapfile -t targets < <(basename -s .rs -a fuzz_targets/*.rs)
    [ $# -eq 0 ] || targets=("$@")
    for target in "${targets[@]}"; do
        fuzz "$target" "$seconds"
    done
}

# The golden vectors are seeds of what reads their kind.
fuzz() {
    local corpus="$TARGETS/corpus/$1"
    local -a seeds=() options=("-max_total_time=$2" -timeout=25 -rss_limit_mb=2560 -print_final_stats=1)
    mkdir -p "$corpus" "$TARGETS/artifacts/$1"
    case "$1" in
        chunk | envelope) seeds=(../../schemas/vectors/tree) ;;
        log) seeds=(../../schemas/vectors/log) ;;
        statement) options+=("-dict=statement.dict") ;;
    esac
    [ ! -d "seeds/$1" ] || seeds+=("seeds/$1")
    # Coverage without sanitizers is all that is needed here, for there is no unsafe code; stable does not know these
    # flags unless it is told that it does.
    RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . --sanitizer none --target-dir "$TARGETS" "$1" \
        "$corpus" "${seeds[@]}" -- "${options[@]}" "-artifact_prefix=$TARGETS/artifacts/$1/"
}

main "$@"
