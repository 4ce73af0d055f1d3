#!/usr/bin/env bash
# pgbench against PostgreSQL directly and through the relay, on one machine, release build, everything recorded.
# Rounds are interleaved, so that a busy minute hits both; the table shows medians, and the spread of the ratio.
#
#   ROUNDS (5), SECONDS_EACH (4), CLIENTS (4)   may be set in the environment
#
# Client to relay is TLS, as it is in use; client to PostgreSQL is TLS as well in `direct`. Relay to PostgreSQL is
# plaintext on loopback, so that the relay's own cost is not hidden behind a second encryption.
set -euo pipefail

# shellcheck source=tests/demo/stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/../demo/stage.sh"

readonly ROUNDS="${ROUNDS:-5}"
readonly SECONDS_EACH="${SECONDS_EACH:-4}"
readonly CLIENTS="${CLIENTS:-4}"
readonly SCALE=1
TICKS_PER_SECOND="$(getconf CLK_TCK)"

main() {
    stage_build
    SCENE="$(mktemp -d "${TMPDIR:-/tmp}/affidavit-bench.XXXXXXXX")"
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    stage_raise "$SCENE" --target-tls disable
    prepare
    local protocol workload
    for workload in accounts masked; do
        for protocol in simple prepared; do
            measure "$workload" "$protocol"
        done
    done
    table
}

clean_up() {
    local status=$?
    trap - EXIT
    (stage_strike "$SCENE") || status=1
    rm -rf "$SCENE"
    exit "$status"
}

# pgbench's own tables, open to everybody, and its `-S` as a script: the built-in one reads system catalogs first.
prepare() {
    local bin
    bin="$(sed -n 's/^SERVER_BIN=//p' "$SCENE/postgres/env")"
    PGBENCH="$bin/pgbench"
    [ -x "$PGBENCH" ] || PGBENCH=pgbench
    as_target "$PGBENCH" --initialize --quiet --scale="$SCALE" >/dev/null 2>&1
    target_psql --quiet --command='GRANT SELECT ON pgbench_accounts TO affidavit_relay' \
        --command="ALTER SYSTEM SET log_statement = 'none'" --command='SELECT pg_reload_conf()' >/dev/null
    cat >"$SCENE/accounts.sql" <<'SQL'
\set aid random(1, 100000)
SELECT abalance FROM public.pgbench_accounts WHERE aid = :aid;
SQL
    cat >"$SCENE/masked.sql" <<'SQL'
\set id random(1, 1200)
SELECT id, name, ssn, birth_date, zip FROM clinic.patients WHERE id = :id;
SQL
    relay_psql alice --quiet --command='SELECT abalance FROM public.pgbench_accounts LIMIT 1' >/dev/null
}

# measure WORKLOAD PROTOCOL: one line in $SCENE/results.
measure() {
    local round direct relay before after
    : >"$SCENE/rounds"
    for ((round = 1; round <= ROUNDS; round++)); do
        printf '%s, %s: round %d of %d\n' "$1" "$2" "$round" "$ROUNDS" >&2
        direct="$(as_target run_pgbench "$1" "$2" 'dbname=clinic')"
        before="$(cpu_microseconds)"
        relay="$(through_relay run_pgbench "$1" "$2")"
        after="$(cpu_microseconds)"
        echo "${direct% *} ${relay% *} $(((after - before) / ${relay#* }))" >>"$SCENE/rounds"
    done
    printf '| %-8s | %-8s | %8.0f | %8.0f | %5.2f (%.2f to %.2f) | %9.0f |\n' "$1" "$2" \
        "$(cut -d' ' -f1 "$SCENE/rounds" | median)" "$(cut -d' ' -f2 "$SCENE/rounds" | median)" \
        "$(ratios | median)" "$(ratios | sort -n | head -n 1)" "$(ratios | sort -n | tail -n 1)" \
        "$(cut -d' ' -f3 "$SCENE/rounds" | median)" >>"$SCENE/results"
}

# Prints `tps transactions`.
run_pgbench() {
    "$PGBENCH" --no-vacuum --client="$CLIENTS" --jobs=1 --time="$SECONDS_EACH" --protocol="$2" \
        --file="$SCENE/$1.sql" "$3" >"$SCENE/pgbench.out" 2>&1 || { cat "$SCENE/pgbench.out" >&2; return 1; }
    local tps transactions
    tps="$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$SCENE/pgbench.out" | head -n 1)"
    transactions="$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$SCENE/pgbench.out")"
    echo "$tps $transactions"
}

as_target() {
    (
        read_env "$SCENE/postgres/env"
        export PGHOST PGPORT PGDATABASE PGUSER PGPASSFILE PGSSLMODE PGSSLROOTCERT
        "$@"
    )
}

through_relay() {
    local address
    address="$(endpoint relay)"
    PGPASSWORD="$("$BIN/local" token alice --data "$STAGE/local")" PGSSLMODE=verify-full \
        PGSSLROOTCERT="$(endpoint ca)" \
        "$@" "host=${address%:*} port=${address##*:} dbname=clinic user=alice"
}

# User and system time that `local` has used so far.
cpu_microseconds() {
    awk -v ticks="$TICKS_PER_SECOND" '{ print int(($14 + $15) * 1000000 / ticks) }' \
        "/proc/$(cat "$SCENE/local.pid")/stat"
}

ratios() { awk '{ print $2 / $1 }' "$SCENE/rounds"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

table() {
    cat <<HEAD

$CLIENTS clients, $ROUNDS interleaved rounds of $SECONDS_EACH s, $(getconf _NPROCESSORS_ONLN) cores shared by all; medians.

| query    | protocol |   direct |    relay | relay / direct      | relay CPU |
|          |          |      tps |      tps | (lowest to highest) |  us a txn |
|----------|----------|---------:|---------:|--------------------:|----------:|
HEAD
    cat "$SCENE/results"
}

main "$@"
