#!/usr/bin/env bash
# Deploys infra/live/example from nothing on an emulator that evaluates policies, and takes it down again:
# apply, a second plan without drift, what each role may do and must not (rights.py), destroy.
# The functions' zips hold stand-ins here: nothing of what functions do is shown by this.
#
# Takes about five minutes and 0.7 GB. `make infra-emulated`; skipped, and says so, where something is missing.
set -euo pipefail

readonly EXAMPLE='tree/infra/live/example'

main() {
    ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
    WORK="$(mktemp -d)"
    trap 'release; rm -rf "$WORK"' EXIT
    # shellcheck source=tests/infra/terraform.sh
    . "$ROOT/tests/infra/terraform.sh"
    copy_tree "$WORK/tree"
    can_run 'infra-emulated' || exit 0
    if ! "$ROOT/tests/emulator.sh" installed || [ ! -x "$PYTHON" ]; then
        echo 'SKIPPED: infra-emulated: no emulator (tests/setup.sh --test) or no boto3 (tests/setup.sh --infra)' >&2
        exit 0
    fi
    hold
    "$PYTHON" "$ROOT/tests/infra/prepare.py" "$WORK/$EXAMPLE"
    init "$WORK/$EXAMPLE"

    # With the usual ten at once the emulator was late with one answer, and took the same request's repetition for another.
    step 'apply' tf apply -no-color -auto-approve -parallelism=6
    step 'second plan' tf plan -no-color -out=second.tfplan
    tf show -json second.tfplan >"$WORK/second.json"
    step 'drift' "$PYTHON" "$ROOT/tests/infra/drift.py" "$WORK/second.json"
    tf output -json >"$WORK/outputs.json"
    step 'rights' "$PYTHON" "$ROOT/tests/infra/rights.py" "$WORK/outputs.json"
    step 'destroy' tf destroy -no-color -auto-approve
    step 'nothing left' "$PYTHON" "$ROOT/tests/infra/left.py"
}

tf() { terraform -chdir="$WORK/$EXAMPLE" "$@"; }

# The emulator ends when its standard input does.
hold() {
    coproc EMULATOR { exec "$ROOT/tests/emulator.sh" hold "$WORK/emulator" --rights; }
    read -r AWS_ENDPOINT_URL <&"${EMULATOR[0]}"
    export AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
    HELD="$EMULATOR_PID"
}

release() {
    [ -n "${HELD:-}" ] || return 0
    eval "exec ${EMULATOR[1]}>&-"
    wait "$HELD" 2>/dev/null || true
}

step() {
    local name="$1" started="$SECONDS"
    shift
    if "$@" >"$WORK/log" 2>&1; then
        [ "$name" != rights ] || cat "$WORK/log"
        printf '%-14s ok %4d s  %s\n' "$name" $((SECONDS - started)) "$(grep -E '^(Apply|Destroy) complete|^Drift' "$WORK/log" || true)"
    else
        tail -n 80 "$WORK/log" >&2
        printf '%-14s FAILED\n' "$name"
        exit 1
    fi
}

main "$@"
