#!/usr/bin/env bash
# What Terraform, checkov and a schema of compose files say of infra/ without asking anybody: format, validity, the modules'
# own tests (with mock providers), static checks; and whether COST.md's tables are those of its counts and prices.
# `make infra-check`; skipped, and says so, where there is no Terraform or provider.
set -euo pipefail

main() {
    ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
    WORK="$(mktemp -d)"
    trap 'rm -rf "$WORK"' EXIT
    # shellcheck source=tests/infra/terraform.sh
    . "$ROOT/tests/infra/terraform.sh"
    copy_tree "$WORK/tree"
    step 'COST.md is what was counted' python3 "$ROOT/tests/infra/cost/cost.py" check
    if [ -x "$CHECK_JSONSCHEMA" ]; then
        step 'compose' "$CHECK_JSONSCHEMA" --builtin-schema vendor.compose-spec "$WORK/tree/infra/compose/docker-compose.yml"
    else
        echo 'SKIPPED: compose: check-jsonschema is not installed (tests/setup.sh --infra)' >&2
    fi
    can_run 'infra-check' || exit 0

    step 'format' terraform fmt -check -diff -recursive "$WORK/tree/infra"
    local folder
    for folder in "$WORK"/tree/infra/modules/* "$WORK/tree/infra/live/example"; do
        init "$folder" || { cat "$WORK/init.log" >&2; exit 1; }
        step "validate ${folder#"$WORK"/tree/}" terraform -chdir="$folder" validate -no-color
        if compgen -G "$folder/tests/*.tftest.hcl" >/dev/null; then
            step "test ${folder#"$WORK"/tree/}" terraform -chdir="$folder" test -no-color
        fi
    done
    if [ -x "$CHECKOV" ]; then
        step 'checkov' "$CHECKOV" -d "$WORK/tree/infra" --framework terraform --compact --quiet --skip-download
    else
        echo 'SKIPPED: checkov: not installed (tests/setup.sh --infra)' >&2
    fi
}

# Quiet when all is well.
step() {
    local name="$1"
    shift
    if "$@" >"$WORK/log" 2>&1; then
        printf '%-28s ok%s\n' "$name" "$(sed -n 's/^Success! \([0-9]* passed\), .*/, \1/p; s/^Passed checks: \([0-9]*\).*Skipped checks: \([0-9]*\).*/, \1 passed, \2 skipped with a reason/p' "$WORK/log")"
    else
        cat "$WORK/log" >&2
        printf '%-28s FAILED\n' "$name"
        exit 1
    fi
}

main "$@"
