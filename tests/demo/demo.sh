#!/usr/bin/env bash
# demo.sh        the whole story on a throwaway stage, each step checked; exits 0 only if all of it was true
# demo.sh up     leaves the stage running and prints what to paste
# demo.sh down   ends what `up` started
set -euo pipefail

# shellcheck source=tests/demo/stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

readonly LASTING="$REPOSITORY/.affidavit"
CHECKS=0

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
    collect_raw_values
    tell_masking
    tell_reveal
    tell_refusals
    tell_evidence
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
    query alice 'SELECT id, name, ssn, birth_date, zip, email FROM clinic.patients ORDER BY id LIMIT 3'
    has_rows 3
    no_raw_value
    relay_differs_from_target 'id, name, ssn, birth_date, zip, email' 'clinic.patients ORDER BY id LIMIT 3'

    scene 'Joins and aggregates are hers as before: the numbers are those of the database.'
    local sql="SELECT v.department, count(*) AS visits, count(DISTINCT p.id) AS patients
    FROM clinic.patients p JOIN clinic.visits v ON v.patient_id = p.id
    WHERE v.visited_on >= '2025-01-01' GROUP BY v.department ORDER BY visits DESC, v.department LIMIT 3"
    query alice "$sql"
    same_as_target "$sql"
}

tell_reveal() {
    scene 'Carol is at the front desk: policy reveals names to her, and still no SSN.'
    query carol 'SELECT id, name, ssn FROM clinic.patients ORDER BY id LIMIT 3'
    has_rows 3
    check 'the names are the true ones' shows_true_names
    check 'no SSN is' no_value_of ssn
}

tell_refusals() {
    scene 'Alice tries to drop a table. The relay refuses; the database never hears of it.'
    refused alice 'DROP TABLE clinic.visits'
    never_ran 'DROP TABLE'

    scene 'She hides the question in a string that the server would run.'
    refused alice "SELECT query_to_xml('SELECT ssn FROM clinic.patients', true, false, '')"
    never_ran 'query_to_xml'
}

tell_evidence() {
    scene 'The relay is asked to stop: it seals what it recorded, signs it and stores it.'
    stage_stop_local
    say "$(find "$SCENE/local/evidence" -type f | wc -l) objects of evidence"
    check 'nothing protected is readable in any of them' evidence_has_no_raw_value

    scene 'An auditor verifies, with nothing but the evidence and the root key.'
    check 'auditor verify accepts it' verify "$SCENE/local/evidence"
    show "$SCENE/output"
}

tell_tampering() {
    scene 'Somebody changes one byte in a copy.'
    cp -r "$SCENE/local/evidence" "$SCENE/copy"
    local object
    object="$(largest_chunk)"
    flip_byte "$SCENE/copy/$object"
    say "changed one byte in the middle of $object"
    check 'auditor verify rejects the copy' rejects "$SCENE/copy"
    show "$SCENE/output"
    check 'it names the object' grep -qF "$(basename "$object")" "$SCENE/output"
}

tell_replay() {
    scene "With the data key a reviewer replays Alice's session: what she sent and what she saw."
    local session
    session="$(session_of 'query_to_xml')"
    "$BIN/auditor" replay "$SCENE/local/evidence" "$session" --keys "$SCENE/local/keys" >"$SCENE/output"
    show "$SCENE/output"
    check 'the refused statement is in it' grep -qF 'query_to_xml' "$SCENE/output"
    no_raw_value
}

# Acting -------------------------------------------------------------------------------------------------------------

# query NAME SQL: shows it and leaves what came back in $SCENE/output.
query() {
    printf '  %s> %s\n' "$1" "$2"
    relay_psql "$1" --command="$2" >"$SCENE/output" 2>&1 || { show "$SCENE/output"; broken 'the query succeeds'; }
    show "$SCENE/output"
}

refused() {
    printf '  %s> %s\n' "$1" "$2"
    : >"$SCENE/output"
    check 'psql fails' fails relay_psql "$1" --set=VERBOSITY=verbose --command="$2"
    show "$SCENE/output"
    check 'with SQLSTATE 42501, insufficient privilege' grep -q '42501' "$SCENE/output"
}

fails() { ! "$@" >"$SCENE/output" 2>&1; }

verify() {
    "$BIN/auditor" verify "$1" --root "$SCENE/local/keys/certificates.pub.pem" >"$SCENE/output" 2>&1
}

rejects() { ! verify "$1"; }

flip_byte() {
    local middle byte
    middle=$(($(wc -c <"$1") / 2))
    byte="$(od -An -tu1 -j "$middle" -N 1 "$1" | tr -d ' ')"
    chmod u+w "$1"
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\x$(printf '%02x' $((byte ^ 1)))" | dd of="$1" bs=1 seek="$middle" conv=notrunc status=none
}

# The largest object is a chunk: everything else is a small signed statement.
largest_chunk() { (cd "$SCENE/copy" && find . -type f -printf '%s %P\n' | sort -rn | head -n 1 | cut -d' ' -f2-); }

# Checking -----------------------------------------------------------------------------------------------------------

# Every value of the columns that say who a patient is, one a line, from the database itself.
collect_raw_values() {
    local column
    for column in ssn name email phone mrn; do
        target_psql --tuples-only --no-align \
            --command="SELECT $column FROM clinic.patients WHERE $column IS NOT NULL" >"$SCENE/raw.$column"
        [ "$(wc -l <"$SCENE/raw.$column")" -gt 1000 ] || broken "the clinic has more than 1,000 of column $column"
    done
}

no_value_of() { ! grep -qF -f "$SCENE/raw.$1" "$SCENE/output"; }

no_raw_value() {
    check 'no SSN, name, e-mail, telephone or record number of the database is in it' has_no_raw_value
}

has_no_raw_value() {
    local column
    for column in ssn name email phone mrn; do no_value_of "$column" || return 1; done
}

# The same query at the target does show them: so the comparison compares.
relay_differs_from_target() {
    target_psql --command="SELECT $1 FROM $2" >"$SCENE/output"
    check 'the same query at the database itself shows them' fails has_no_raw_value
}

evidence_has_no_raw_value() {
    local column
    for column in ssn name email phone mrn; do
        ! grep -rqF -f "$SCENE/raw.$column" "$SCENE/local/evidence" || return 1
    done
}

has_rows() { check "$1 rows came back" grep -q "^($1 rows)" "$SCENE/output"; }

same_as_target() {
    target_psql --command="$1" >"$SCENE/expected"
    check 'they are the same as at the database itself' cmp -s "$SCENE/output" "$SCENE/expected"
}

shows_true_names() {
    local name
    while read -r name; do
        grep -qF "$name" "$SCENE/output" || return 1
    done < <(target_psql --tuples-only --no-align --command='SELECT name FROM clinic.patients ORDER BY id LIMIT 3')
}

never_ran() {
    local log
    log="$(sed -n 's/^SERVER_LOG=//p' "$SCENE/postgres/env")"
    grep -q 'statement: ' "$log" || broken 'the server logs statements'
    check "the server's log has no $1" fails grep -qiF "$1" "$log"
}

# check WORDS COMMAND...: the demo ends where something it says is not true.
check() {
    local words="$1"
    shift
    "$@" || { show "$SCENE/output"; broken "$words"; }
    CHECKS=$((CHECKS + 1))
    printf '  \342\234\223 %s\n' "$words"
}

broken() {
    printf '  \342\234\227 NOT TRUE: %s\n' "$1" >&2
    exit 1
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

The evidence so far:

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

# --------------------------------------------------------------------------------------------------------------------

SCENES=0
scene() {
    SCENES=$((SCENES + 1))
    printf '\n%d. %s\n' "$SCENES" "$1"
}

show() { sed 's/^/    /' "$1"; }
say() { printf '  %s\n' "$*"; }
progress() { printf '== %s\n' "$*" >&2; }

main "$@"
