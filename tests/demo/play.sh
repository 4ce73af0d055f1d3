# shellcheck shell=bash
# What the demo's scenes are made of: a psql of Alice's that is asked step by step, programs whose output is shown, and
# checks. Sourced by demo.sh after stage.sh; $SCENE is the stage's folder, and what was printed last is in
# $SCENE/output.
# shellcheck disable=SC2153 # demo.sh sets SCENE

# Columns of clinic.patients that say who somebody is; each value is long enough to be looked for in any text.
readonly WHO=(ssn name email phone mrn)
readonly FIRST_LINES=24 LAST_LINES=6
# What tests/setup.sh made.
readonly PYTHON="${AFFIDAVIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/affidavit}/venv/bin/python"
# psql says it after each answer.
readonly END='end of answer'
CHECKS=0
SCENES=0

# Acting -------------------------------------------------------------------------------------------------------------

# One psql session of Alice's, asked step by step.
start_session() {
    coproc ALICE { relay_psql alice --set=VERBOSITY=verbose 2>&1; }
    # Copies, for bash forgets the originals when psql ends.
    exec 7<&"${ALICE[0]}" 8>&"${ALICE[1]}"
}

# ask SQL: shows it and what came back, which stays in $SCENE/output.
ask() {
    put "$1"
    hear_answer
}

# ask_held SQL: the same up to the notice that it is held; REQUEST is then the request's id.
ask_held() {
    put "$1"
    hear 'relay approve'
    REQUEST="$(sed -n 's/.*relay approve \([^, ]*\).*/\1/p' "$SCENE/output")"
}

put() {
    printf '  alice> %s\n' "$1"
    printf '%s;\n\\echo %s\n' "$1" "$END" >&8
}

hear_answer() { hear "$END"; }

# hear WORDS: reads and shows what psql says up to the line that has them.
hear() {
    local line heard=no
    : >"$SCENE/output"
    while IFS= read -r -t 60 line <&7; do
        [ "$line" = "$END" ] || printf '%s\n' "$line" >>"$SCENE/output"
        case "$line" in *"$1"*) heard=yes ;; esac
        if [ "$heard" = yes ] || [ "$line" = "$END" ]; then break; fi
    done
    show "$SCENE/output"
    [ "$heard" = yes ] || broken "psql says $1"
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

# decide approve|deny NAME RATIONALE: about $REQUEST, logged in as NAME.
decide() {
    printf "  %s> relay %s %s --rationale '%s'\n" "$2" "$1" "$REQUEST" "$3"
    run "$BIN/relay" "$1" "$REQUEST" --rationale "$3" --console "$(endpoint console)" --login "$2"
}

# The same, showing the first finding and the end alone.
run_for_findings() {
    STATUS=0
    "$@" >"$SCENE/output" 2>&1 || STATUS=$?
    grep -m 1 -A 2 '^ERROR' "$SCENE/output" | indented || true
    tail -n 1 "$SCENE/output" | indented
}

succeeded() { [ "$STATUS" -eq 0 ]; }
# 1 is the auditor's word for findings; 2 would be that it could not look.
found_wrong() { [ "$STATUS" -eq 1 ]; }

verify() { "$BIN/auditor" verify --root "$SCENE/local/keys/certificates.pub.pem" "$@"; }

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

# duckdb [SQL]: asks the bundle's tables, each under its own name; without SQL, how many rows they have, as JSON.
# shellcheck disable=SC2120 # demo.sh asks with SQL
duckdb() {
    "$PYTHON" - "$SCENE/bundle/tables" "$@" <<'PYTHON'
import duckdb, json, pathlib, sys

folder, *question = sys.argv[1:]
database = duckdb.connect()
tables = sorted(pathlib.Path(folder).glob("*.parquet"))
for file in tables:
    database.execute(f"CREATE VIEW {file.stem} AS FROM read_parquet('{file}')")
if question:
    print(str(database.sql(*question)).strip())
else:
    print(json.dumps({file.stem: database.table(file.stem).count("*").fetchall()[0][0] for file in tables}))
PYTHON
}

have_duckdb() { [ -x "$PYTHON" ] && "$PYTHON" -c 'import duckdb' 2>/dev/null; }

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

folder_has_no_raw_value() {
    local column
    for column in "${WHO[@]}"; do
        if grep -rqF -f "$SCENE/raw.$column" "$1"; then return 1; fi
    done
}

# DuckDB, the bundle's manifest and the verifier, of each table.
same_counts() {
    # shellcheck disable=SC2119 # no SQL: the counts
    duckdb | jq -S . >"$SCENE/counted"
    jq -S '.payload | @base64d | fromjson | .predicate.counts' "$SCENE/bundle/manifest.dsse.json" >"$SCENE/promised"
    verify "$SCENE/bundle" --json | jq -S .report.checked.rows >"$SCENE/recomputed"
    [ -s "$SCENE/counted" ] && cmp -s "$SCENE/counted" "$SCENE/promised" && cmp -s "$SCENE/counted" "$SCENE/recomputed"
}

amount_of() { target_psql --tuples-only --no-align --command="SELECT amount FROM billing.invoices WHERE id = $1"; }
remember_amount() { AMOUNT="$(amount_of "$1")"; }

# Since remember_amount, by the database itself; what runs twice changes it twice.
amount_changed_by() {
    local sql="SELECT amount - $AMOUNT = $2 FROM billing.invoices WHERE id = $1"
    [ "$(target_psql --tuples-only --no-align --command="$sql")" = t ]
}

refused_with() { [ "$STATUS" -ne 0 ] && grep -qF "$1" "$SCENE/output"; }

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
    grep -q 'affidavit_relay@clinic .*LOG: ' "$log" && ! grep -qiF "$1" "$log"
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

# Printing -----------------------------------------------------------------------------------------------------------

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
