#!/usr/bin/env bash
# The demo's session through a deployed relay: what Alice asks with psql, what is refused, what Bob approves at the deployed
# console. Each step is checked against the database itself.
#
#   session.sh OUTPUTS      from test-aws.sh, whose environment names where everything is
set -euo pipefail

# shellcheck source=tests/demo/stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/../demo/stage.sh"
# shellcheck source=tests/demo/play.sh
. "$(dirname "${BASH_SOURCE[0]}")/../demo/play.sh"

readonly OUTPUTS="$1"
# shellcheck disable=SC2034,SC2153 # for stage.sh and play.sh; test-aws.sh sets WORK
readonly SCENE="$WORK" STAGE="$WORK" INFRA="$REPOSITORY/tests/infra"

main() {
    collect_raw_values
    read_masked
    try_to_drop
    change_with_approval
}

read_masked() {
    local sql='SELECT id, name, ssn, birth_date, zip, email FROM clinic.patients ORDER BY id LIMIT 3'
    start_session
    ask "$sql"
    has_rows 3
    check 'no SSN, name, e-mail, telephone or record number of the database is in it' has_no_raw_value
    check 'asked at the database itself, the same query shows them' target_shows_raw_values "$sql"
    sql='SELECT department, count(*) FROM clinic.visits GROUP BY department ORDER BY department'
    ask "$sql"
    check 'what is not protected is as in the database' same_as_target "$sql"
}

try_to_drop() {
    ask 'DROP TABLE clinic.visits'
    check 'DROP is refused with SQLSTATE 42501' grep -q '42501' "$SCENE/output"
    check 'the database never heard of it' target_never_ran 'DROP TABLE'
}

change_with_approval() {
    remember_amount 7
    ask "SET affidavit.reason = 'Ticket 4711: billed twice'"
    ask_held 'UPDATE billing.invoices SET amount = amount - 10 WHERE id = 7'
    check 'a change is held' amount_changed_by 7 0
    run pipeline pending "$REQUEST"
    check 'the console shows it to approvers, and nothing to strangers' succeeded
    decide approve alice 'Looks right to me'
    check 'Alice cannot approve it herself' refused_with self-approval
    decide approve bob 'Checked with the payer'
    check 'Bob approves it at the deployed console' succeeded
    hear_answer
    check 'it ran exactly once' amount_changed_by 7 -10
    run pipeline decided "$REQUEST"
    check 'the decision is stored' succeeded
    end_session
}

# The demo's, with a token of another provider, and a login by filling in its forms ------------------------------------

relay_psql() {
    local name="$1"
    shift
    PGPASSWORD="$(token affidavit "$name")" PGSSLMODE=verify-full PGSSLROOTCERT="$SSL_CERT_FILE" \
        psql --no-psqlrc "host=localhost port=$RELAY_PORT dbname=clinic user=$name" "$@"
}

decide() {
    printf "  %s> relay %s %s --rationale '%s'\n" "$2" "$1" "$REQUEST" "$3"
    run python "$INFRA/login.py" as "$2" "$BIN/relay" "$1" "$REQUEST" --rationale "$3" --console "$CONSOLE"
}

token() { python "$INFRA/login.py" token "$ISSUER" "$@"; }
pipeline() { TOKEN="$(token affidavit-console bob)" python "$INFRA/pipeline.py" "$OUTPUTS" "$@"; }
python() { "$INFRA_PYTHON" "$@"; }

main
