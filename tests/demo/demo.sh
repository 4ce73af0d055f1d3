#!/usr/bin/env bash
# demo.sh        the whole story on a throwaway stage, each step checked; exits 0 only if all of it was true
# demo.sh up     leaves the stage running and prints what to paste
# demo.sh down   ends what `up` started
set -euo pipefail

# shellcheck source=tests/demo/stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

readonly LASTING="$REPOSITORY/.affidavit"
# Columns of clinic.patients that say who somebody is; each value is long enough to be looked for in any text.
readonly WHO=(ssn name email phone mrn)
readonly FIRST_LINES=24 LAST_LINES=6
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
    EVIDENCE="$SCENE/local/evidence"
    collect_raw_values
    tell_masking
    tell_refusals
    tell_reveal
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

tell_evidence() {
    scene 'The relay is asked to stop: it seals what it recorded, signs it and stores it.'
    stage_stop_local
    say "$(find "$EVIDENCE/objects" -type f | wc -l) objects are stored"
    check 'nothing protected is readable in any of them' evidence_has_no_raw_value

    scene 'An auditor verifies, with nothing but the evidence and the root key.'
    run verify "$EVIDENCE"
    check 'auditor verify accepts it' succeeded

    scene 'She trusts no program of ours, and checks one chunk with openssl, zstd and sha256sum.'
    run by_hand
    check 'signatures and digests hold' succeeded
}

tell_tampering() {
    scene 'Somebody changes one byte in a copy.'
    local object
    cp -r "$EVIDENCE" "$SCENE/copy"
    object="$(chunk_of_alice)"
    flip_byte "$SCENE/copy/objects/$object"
    say "changed: the byte in the middle of $object"
    run verify "$SCENE/copy"
    check 'auditor verify rejects the copy' found_wrong
    check 'it names the object' grep -qF "$object" "$SCENE/output"
    check 'and the rule' grep -q 'rule: ' "$SCENE/output"
}

tell_replay() {
    scene "With the data key a reviewer replays Alice's session: what she sent, what was decided, what she saw."
    local session
    session="$("$BIN/auditor" sessions "$EVIDENCE" | awk '/, alice to / { print $1 }')"
    run "$BIN/auditor" replay "$EVIDENCE" "$session" --keys "$SCENE/local/keys"
    check 'auditor replay succeeds' succeeded
    check 'the refused statement is in it' grep -qF 'DROP TABLE' "$SCENE/output"
    check 'and no value that was masked for her' has_no_raw_value
}

# Acting -------------------------------------------------------------------------------------------------------------

# One psql session of Alice's, asked step by step.
start_session() {
    coproc ALICE { relay_psql alice --quiet --set=VERBOSITY=verbose 2>&1; }
    # Copies, for bash forgets the originals when psql ends.
    exec 7<&"${ALICE[0]}" 8>&"${ALICE[1]}"
}

# ask SQL: shows it and what came back, which stays in $SCENE/output.
ask() {
    local line ended=no
    printf '  alice> %s\n' "$1"
    printf '%s;\n\\echo end of answer\n' "$1" >&8
    : >"$SCENE/output"
    while IFS= read -r -t 60 line <&7; do
        if [ "$line" = 'end of answer' ]; then
            ended=yes
            break
        fi
        printf '%s\n' "$line" >>"$SCENE/output"
    done
    show "$SCENE/output"
    [ "$ended" = yes ] || broken 'the session goes on'
}

end_session() {
    local process="$ALICE_PID"
    exec 8>&- 7<&-
    eval "exec ${ALICE[1]}>&- ${ALICE[0]}<&-"
    wait "$process" || broken "Alice's session ends in order"
}

# run COMMAND...: shows what it printed, which stays in $SCENE/output; how it ended is for the checks.
run() {
    STATUS=0
    "$@" >"$SCENE/output" 2>&1 || STATUS=$?
    show "$SCENE/output"
}

succeeded() { [ "$STATUS" -eq 0 ]; }
# 1 is the auditor's word for findings; 2 would be that it could not look.
found_wrong() { [ "$STATUS" -eq 1 ]; }

verify() { "$BIN/auditor" verify "$1" --root "$SCENE/local/keys/certificates.pub.pem"; }

by_hand() {
    local chunk
    chunk="$EVIDENCE/objects/$(chunk_of_alice)"
    "$REPOSITORY/schemas/vectors/by-hand.sh" "$chunk" "${chunk%/sessions/*}/certificate.json" \
        "$SCENE/local/keys/certificates.pub.pem"
}

# The largest chunk holds what Alice saw.
chunk_of_alice() {
    (cd "$EVIDENCE/objects" && find . -name '*.zst' -printf '%s %P\n' | sort -rn | head -n 1 | cut -d' ' -f2-)
}

flip_byte() {
    local middle byte
    middle=$(($(wc -c <"$1") / 2))
    byte="$(od -An -tu1 -j "$middle" -N 1 "$1" | tr -d ' ')"
    chmod u+w "$1"
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\x$(printf '%02x' $((byte ^ 1)))" | dd of="$1" bs=1 seek="$middle" conv=notrunc status=none
}

# Checking -----------------------------------------------------------------------------------------------------------

# Every value of the columns that say who a patient is, one a line, from the database itself.
collect_raw_values() {
    local column
    for column in "${WHO[@]}"; do
        target_psql --tuples-only --no-align \
            --command="SELECT $column FROM clinic.patients WHERE $column IS NOT NULL" >"$SCENE/raw.$column"
        [ "$(wc -l <"$SCENE/raw.$column")" -gt 1000 ] || broken "the clinic has more than 1,000 of column $column"
    done
}

no_value_of() { ! grep -qF -f "$SCENE/raw.$1" "$SCENE/output"; }

has_no_raw_value() {
    local column
    for column in "${WHO[@]}"; do
        no_value_of "$column" || return 1
    done
}

target_shows_raw_values() {
    target_psql --command="$1" >"$SCENE/output"
    ! no_value_of ssn && ! no_value_of name && ! no_value_of email
}

evidence_has_no_raw_value() {
    local column
    for column in "${WHO[@]}"; do
        if grep -rqF -f "$SCENE/raw.$column" "$EVIDENCE"; then return 1; fi
    done
}

has_rows() { check "$1 rows came back" grep -q "^($1 rows)" "$SCENE/output"; }

same_as_target() {
    target_psql --command="$1" >"$SCENE/expected"
    cmp -s "$SCENE/output" "$SCENE/expected"
}

shows_true_names() {
    local name
    while read -r name; do
        grep -qF "$name" "$SCENE/output" || return 1
    done < <(target_psql --tuples-only --no-align --command='SELECT name FROM clinic.patients ORDER BY id LIMIT 3')
}

# By the server's own log, which has what it did run.
target_never_ran() {
    local log
    log="$(sed -n 's/^SERVER_LOG=//p' "$SCENE/postgres/env")"
    grep -q 'affidavit_relay@clinic LOG: ' "$log" && ! grep -qiF "$1" "$log"
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

# A long one is cut in its middle; whoever wants all of a replay uses `make up`.
show() {
    local lines
    lines="$(wc -l <"$1")"
    if [ "$lines" -le $((FIRST_LINES + LAST_LINES)) ]; then
        indented <"$1"
    else
        head -n "$FIRST_LINES" "$1" | indented
        printf '    … %d lines more …\n' $((lines - FIRST_LINES - LAST_LINES))
        tail -n "$LAST_LINES" "$1" | indented
    fi
}

indented() { sed '/^$/!s/^/    /'; }
say() { printf '  %s\n' "$*"; }
progress() { printf '== %s\n' "$*" >&2; }

main "$@"
