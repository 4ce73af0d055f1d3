#!/usr/bin/env bash
# demo.sh        the whole story on a throwaway stage, each step checked; exits 0 only if all of it was true
# demo.sh up     leaves the stage running and prints what to paste
# demo.sh down   ends what `up` started
set -euo pipefail

# shellcheck source=tests/demo/stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/stage.sh"
# shellcheck source=tests/demo/play.sh
. "$(dirname "${BASH_SOURCE[0]}")/play.sh"

readonly LASTING="$REPOSITORY/.affidavit"

main() {
    case "${1:-story}" in
        story) story ;;
        up) up ;;
        down) down ;;
        *) stage_failed "unknown argument $1 (expected up, down or nothing)" ;;
    esac
}

story() {
    progress 'building (some minutes the first time)'
    stage_build
    SCENE="$(mktemp -d "${TMPDIR:-/tmp}/affidavit-demo.XXXXXXXX")"
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    progress 'starting PostgreSQL with a synthetic clinic, and the relay in front of it'
    stage_raise "$SCENE"
    EVIDENCE="$SCENE/local/evidence"
    collect_raw_values
    tell_masking
    tell_refusals
    tell_reveal
    tell_approval
    tell_evidence
    tell_bundle
    tell_tampering
    tell_replay
    printf '\nAll %d checks were true.\n' "$CHECKS"
}

clean_up() {
    local status=$?
    trap - EXIT
    if [ "$status" -ne 0 ] && [ -s "$SCENE/local.log" ]; then
        printf '\nThe demo failed. Last lines of the relay:\n' >&2
        tail -n 15 "$SCENE/local.log" >&2
    fi
    (stage_strike "$SCENE") || status=1
    rm -rf "$SCENE"
    exit "$status"
}

# The scenes ---------------------------------------------------------------------------------------------------------

tell_masking() {
    scene 'Alice is an engineer. She asks for patients with plain psql; who they are is masked.'
    local sql='SELECT id, name, ssn, birth_date, zip, email FROM clinic.patients ORDER BY id LIMIT 3'
    start_session
    ask "$sql"
    has_rows 3
    check 'no SSN, name, e-mail, telephone or record number of the database is in it' has_no_raw_value
    check 'asked at the database itself, the same query shows them' target_shows_raw_values "$sql"

    scene 'Joins and aggregates are hers as before.'
    sql="SELECT v.department, count(*) AS visits, count(DISTINCT p.id) AS patients
    FROM clinic.patients p JOIN clinic.visits v ON v.patient_id = p.id
    WHERE v.visited_on >= '2025-01-01' GROUP BY v.department ORDER BY visits DESC, v.department LIMIT 3"
    ask "$sql"
    check 'the numbers are those of the database' same_as_target "$sql"
}

tell_refusals() {
    scene 'She tries to drop a table. The relay refuses.'
    ask 'DROP TABLE clinic.visits'
    check 'with SQLSTATE 42501, insufficient privilege' grep -q '42501' "$SCENE/output"
    check 'the database never heard of it' target_never_ran 'DROP TABLE'

    scene 'She hides the question in a string that the server would run.'
    ask "SELECT query_to_xml('SELECT ssn FROM clinic.patients', true, false, '')"
    check 'with SQLSTATE 42501, insufficient privilege' grep -q '42501' "$SCENE/output"
    check 'the database never heard of it' target_never_ran 'query_to_xml'
    end_session
}

tell_reveal() {
    scene 'Carol is at the front desk: policy reveals names to her, and still no SSN.'
    local sql='SELECT id, name, ssn FROM clinic.patients ORDER BY id LIMIT 3'
    printf '  carol> %s\n' "$sql"
    run relay_psql carol --command="$sql"
    has_rows 3
    check 'the names are the true ones' shows_true_names
    check 'no SSN is' no_value_of ssn
}

tell_approval() {
    scene 'Alice corrects an invoice. Policy lets her, once somebody else has approved exactly that.'
    local sql='UPDATE billing.invoices SET amount = amount - 10 WHERE id = 7'
    remember_amount 7
    start_session
    ask "SET affidavit.reason = 'Ticket 4711: billed twice'"
    ask_held "$sql"
    check 'she is told what is held, and the prompt does not come back' grep -q 'held for approval: update on billing.invoices' "$SCENE/output"
    check 'the invoice is as it was' amount_changed_by 7 0

    scene 'She tries to approve it herself.'
    decide approve alice 'Looks right to me'
    check 'that is refused' refused_with self-approval
    check 'the invoice is as it was' amount_changed_by 7 0

    scene 'Bob looks at it, logs in for this one decision, and approves.'
    decide approve bob 'Checked with the payer'
    check 'relay approve succeeds' succeeded
    hear_answer
    check 'her statement ends' grep -q '^UPDATE 1' "$SCENE/output"
    check 'and ran exactly once' amount_changed_by 7 -10

    scene 'Another one he denies.'
    remember_amount 8
    ask_held 'UPDATE billing.invoices SET amount = 0 WHERE id = 8'
    decide deny bob 'Paid already'
    check 'relay deny succeeds' succeeded
    hear_answer
    check 'Alice is told, and why' grep -q '42501.*Paid already' "$SCENE/output"
    check 'the invoice is as it was' amount_changed_by 8 0
    end_session
}

tell_evidence() {
    scene 'The relay is asked to stop: it seals what it recorded, signs it and stores it.'
    stage_stop_local
    say "$(find "$EVIDENCE/objects" -type f | wc -l) objects are stored"
    check 'nothing protected is readable in any of them' folder_has_no_raw_value "$EVIDENCE"

    scene 'An auditor verifies, with nothing but the evidence and the root key.'
    run verify "$EVIDENCE"
    check 'auditor verify accepts it' succeeded

    scene 'She trusts no program of ours, and checks one chunk with openssl, zstd and sha256sum.'
    run by_hand
    check 'signatures and digests hold' succeeded
}

tell_bundle() {
    scene 'She asks for everything of the period, to take away: a bundle.'
    run "$BIN/local" bundle --data "$SCENE/local" --out "$SCENE/bundle"
    check 'local bundle makes it' succeeded
    say "in it: $(cd "$SCENE/bundle" && printf '%s ' *)"
    check 'nothing protected is readable in any of its files' folder_has_no_raw_value "$SCENE/bundle"

    scene 'She verifies it: signature, every file, all evidence; tables and answers are made again from it and compared.'
    run verify "$SCENE/bundle"
    check 'auditor verify accepts it' succeeded

    have_duckdb || { say '(DuckDB is not installed: tests/setup.sh brings it)'; return; }
    scene 'She asks the tables with DuckDB, which has nothing of ours in it.'
    run duckdb 'SELECT s.name AS who, decision, count(*)::INT AS statements, sum(t.rows_returned)::INT AS "rows"
        FROM statements t JOIN sessions s USING (session) GROUP BY ALL ORDER BY ALL'
    check 'they open' succeeded
    run duckdb 'SELECT subject, reason, verdict, approver_name, rationale, outcome FROM approvals ORDER BY requested'
    check 'who asked, who decided and why is in them' grep -q 'Ticket 4711.*approved.*Bob Boss.*Checked' "$SCENE/output"
    check 'they have as many rows as the bundle says and auditor verify made again' same_counts
}

tell_tampering() {
    scene 'Somebody changes one byte of a table in a copy, and one byte of the evidence in another.'
    local object
    object="$(chunk_of_alice)"
    changed_byte tables/statements.parquet
    changed_byte "$object"
}

changed_byte() {
    rm -rf "$SCENE/copy"
    cp -r "$SCENE/bundle" "$SCENE/copy"
    flip_byte "$SCENE/copy/$1"
    say "changed: the byte in the middle of $1"
    run_for_findings verify "$SCENE/copy"
    check 'auditor verify rejects the copy' found_wrong
    check 'names the file' grep -qF "ERROR $1" "$SCENE/output"
    check 'and the rule' grep -q 'rule: ' "$SCENE/output"
}

tell_replay() {
    scene "With the data key a reviewer replays Alice's first session: what she sent, what was decided, what she saw."
    local session
    session="$("$BIN/auditor" sessions "$EVIDENCE" | awk '/, alice to / { print $1; exit }')"
    run "$BIN/auditor" replay "$EVIDENCE" "$session" --keys "$SCENE/local/keys"
    check 'auditor replay succeeds' succeeded
    check 'the refused statement is in it' grep -qF 'DROP TABLE' "$SCENE/output"
    check 'and no value that was masked for her' has_no_raw_value
}

# Leaving it running -------------------------------------------------------------------------------------------------

up() {
    progress 'building (some minutes the first time)'
    stage_build
    if [ -e "$LASTING/local.pid" ] && STAGE="$LASTING" && stage_runs; then
        progress 'it runs already'
    else
        rm -rf "$LASTING/local" "$LASTING/local.log"
        progress 'starting PostgreSQL with a synthetic clinic, and the relay in front of it'
        stage_raise "$LASTING"
    fi
    local address
    address="$(endpoint relay)"
    cat <<TEXT

It runs. Paste this to ask as alice (an engineer; carol may see names):

  export PGSSLMODE=verify-full PGSSLROOTCERT=$(endpoint ca)
  export PGPASSWORD="\$($BIN/local token alice --data $LASTING/local)"
  psql "host=${address%:*} port=${address##*:} dbname=clinic user=alice" -c 'SELECT * FROM clinic.patients LIMIT 5'

This one is held until somebody else approves it, here bob, who needs no browser for it at this issuer:

  psql "host=${address%:*} port=${address##*:} dbname=clinic user=alice" -c 'UPDATE billing.invoices SET amount = 80 WHERE id = 7'
  $BIN/relay approve REQUEST --console $(endpoint console) --login bob --rationale 'Checked with the payer'

The console is $(endpoint console). The evidence so far, and a bundle of it:

  $BIN/local bundle --data $LASTING/local --out bundle
  $BIN/auditor verify $LASTING/local/evidence --root $LASTING/local/keys/certificates.pub.pem

make down ends it.
TEXT
}

down() {
    STAGE="$LASTING"
    [ -e "$LASTING" ] || { progress 'nothing runs'; return; }
    stage_strike "$LASTING"
    progress "stopped; the evidence stays in $LASTING/local/evidence until the next make up"
}

main "$@"
