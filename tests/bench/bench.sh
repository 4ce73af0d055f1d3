#!/usr/bin/env bash
# The relay beside PgBouncer, and both beside PostgreSQL itself: built as deployed, everything recorded, one machine.
#
#   ROUNDS (5)            interleaved: each round asks everybody everything once, so that a busy minute hits all
#   SECONDS_EACH (4)      of pgbench
#   CLIENTS (8)           of pgbench, where there are several
#   BULK_MEGABYTES (200)  of the large result
#   IDLE (1000)           idle sessions
#
# Towards the client all three speak TLS. Relay and PgBouncer speak to PostgreSQL without it, on loopback, so that the
# cost of a second encryption hides nothing. PgBouncer pools by session, which is what the relay does. The relay stores its
# evidence in a folder; the functions, which run elsewhere where it is deployed, stand still.
set -euo pipefail

# shellcheck source=tests/demo/stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/../demo/stage.sh"

readonly ROUNDS="${ROUNDS:-5}"
readonly SECONDS_EACH="${SECONDS_EACH:-4}"
readonly CLIENTS="${CLIENTS:-8}"
readonly BULK_MEGABYTES="${BULK_MEGABYTES:-200}"
readonly IDLE="${IDLE:-1000}"
readonly CONTENDERS=(direct pgbouncer relay)
BENCH="$REPOSITORY/tests/bench"
TICKS_PER_SECOND="$(getconf CLK_TCK)"
# As it is deployed: what indexes and logs its evidence runs elsewhere.
UP=(--relay-alone)

main() {
    # As it is deployed: with optimisation across crates.
    stage_build dist
    SCENE="$(mktemp -d "${TMPDIR:-/tmp}/affidavit-bench.XXXXXXXX")"
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    MAX_CONNECTIONS="$((IDLE + 100))" stage_raise "$SCENE" --target-tls disable
    prepare
    second_connection
    start_pgbouncer
    conditions >"$SCENE/conditions"
    local round
    for ((round = 1; round <= ROUNDS; round++)); do
        say "round $round of $ROUNDS"
        pgbench_round accounts prepared "$CLIENTS"
        pgbench_round accounts simple "$CLIENTS"
        pgbench_round masked prepared "$CLIENTS"
        pgbench_round masked simple "$CLIENTS"
        pgbench_round accounts prepared 1
        bulk_round
    done
    idle
    cat "$SCENE/conditions"
    uptime | sed 's/.*load average/Load average at the end/'
    python3 "$BENCH/table.py" "$SCENE/results"
    decisions
}

# What a decision and its rewriting cost, without a server.
decisions() {
    printf '\nOne statement decided and rewritten, on one core:\n\n'
    (cd "$REPOSITORY" && cargo bench --quiet --locked --profile dist --package relay --bench decisions)
}

clean_up() {
    local status=$?
    trap - EXIT
    stop_pgbouncer
    (stage_strike "$SCENE") || status=1
    rm -rf "$SCENE"
    exit "$status"
}

# The stage ------------------------------------------------------------------------------------------------------------

# pgbench's own tables, open to everybody, and its `-S` as a script: the built-in one reads system catalogs first.
prepare() {
    local bin
    bin="$(sed -n 's/^SERVER_BIN=//p' "$SCENE/postgres/env")"
    PGBENCH="$bin/pgbench"
    [ -x "$PGBENCH" ] || PGBENCH=pgbench
    (
        read_env "$SCENE/postgres/env"
        export PGHOST PGPORT PGDATABASE PGUSER PGPASSFILE PGSSLMODE PGSSLROOTCERT
        "$PGBENCH" --initialize --quiet --scale=1 >/dev/null 2>&1
    )
    target_psql --quiet --command='GRANT SELECT ON pgbench_accounts TO affidavit_relay' \
        --command="CREATE TABLE public.bulk AS SELECT g AS id, left(repeat(md5(g::text), 32), 1000) AS filler,
                   to_char(g, 'FM900-00-0000') AS ssn FROM generate_series(1, $BULK_MEGABYTES * 1000) g" \
        --command='CREATE TABLE public.bulk_masked AS TABLE public.bulk' \
        --command='GRANT SELECT ON public.bulk, public.bulk_masked TO affidavit_relay' \
        --command='VACUUM ANALYZE public.bulk' --command='VACUUM ANALYZE public.bulk_masked' \
        --command="ALTER SYSTEM SET log_statement = 'none'" --command='SELECT pg_reload_conf()' >/dev/null
    cat >"$SCENE/accounts.sql" <<'SQL'
\set aid random(1, 100000)
SELECT abalance FROM public.pgbench_accounts WHERE aid = :aid;
SQL
    cat >"$SCENE/masked.sql" <<'SQL'
\set id random(1, 1200)
SELECT id, name, ssn, birth_date, zip FROM clinic.patients WHERE id = :id;
SQL
    # The relay reads the catalog anew, and knows the tables.
    relay_psql alice --quiet --command='SELECT abalance FROM public.pgbench_accounts LIMIT 1' >/dev/null
}

# The same target once more, of whose results a digest goes on record and the first hundred rows. And a large table with a
# protected column, beside one without.
second_connection() {
    local config="$SCENE/local/relay.toml" block
    stage_stop_local
    cat >>"$SCENE/local/classification.toml" <<'TOML'

[[table]]
name = "public.bulk_masked"
columns = { id = "clear", filler = "clear", ssn = "last4" }
TOML
    block="$(awk '/^\[/ { inside = ($0 == "[[connection]]") } inside' "$config" |
        sed -e 's/^name = .*/name = "digest"/' -e 's/^results = .*/results = { keep = "digest", rows = 100 }/')"
    printf '%s\n' "$block" >>"$config"
    cat >"$SCENE/local/policies/digest.cedar" <<'CEDAR'
@id("engineers-read-digested")
permit (
  principal in Group::"engineers",
  action in [Action::"connect", Action::"select"],
  resource in Connection::"digest"
);
CEDAR
    stage_start_local
}

start_pgbouncer() {
    local program password deadline=$((SECONDS + READY_SECONDS))
    program="$(command -v pgbouncer || echo /usr/sbin/pgbouncer)"
    POOL="$(mktemp -d /tmp/affidavit-pgbouncer.XXXXXXXX)"
    POOL_PORT="$(free_port)"
    read_env "$SCENE/postgres/env"
    password="$(cat "$RELAY_PASSWORD_FILE")"
    printf '"%s" "%s"\n' "$RELAY_USER" "$password" >"$POOL/users"
    cp "$SCENE/local/tls/server.pem" "$SCENE/local/tls/server.key" "$POOL/"
    cat >"$POOL/pgbouncer.ini" <<INI
[databases]
clinic = host=$PGHOST port=$PGPORT dbname=$PGDATABASE
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $POOL_PORT
unix_socket_dir =
auth_type = plain
auth_file = $POOL/users
pool_mode = session
default_pool_size = 50
max_client_conn = $((IDLE + 100))
client_tls_sslmode = require
client_tls_cert_file = $POOL/server.pem
client_tls_key_file = $POOL/server.key
server_tls_sslmode = disable
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
INI
    chmod 700 "$POOL"
    # It will not run as root.
    local -a as=()
    if [ "$(id -u)" -eq 0 ]; then
        chown -R nobody "$POOL"
        as=(setpriv --reuid=nobody --clear-groups --)
    fi
    (ulimit -n "$(ulimit -H -n)" && exec "${as[@]}" "$program" "$POOL/pgbouncer.ini") >"$SCENE/pgbouncer.log" 2>&1 \
        </dev/null &
    POOL_PID=$!
    until as_pgbouncer psql --no-psqlrc --quiet --command='SELECT 1' >/dev/null 2>&1; do
        if ! kill -0 "$POOL_PID" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            cat "$SCENE/pgbouncer.log" >&2
            echo 'pgbouncer did not start' >&2
            return 1
        fi
        sleep 0.1
    done
}

stop_pgbouncer() {
    if [ -n "${POOL_PID:-}" ]; then
        kill "$POOL_PID" 2>/dev/null || true
        wait "$POOL_PID" 2>/dev/null || true
    fi
    [ -z "${POOL:-}" ] || rm -rf "$POOL"
}

free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# Who is asked ---------------------------------------------------------------------------------------------------------

as_direct() {
    (
        read_env "$SCENE/postgres/env"
        export PGHOST PGPORT PGDATABASE PGSSLROOTCERT PGSSLMODE=verify-full
        export PGUSER="$RELAY_USER"
        PGPASSWORD="$(cat "$RELAY_PASSWORD_FILE")" "$@"
    )
}

as_pgbouncer() {
    (
        read_env "$SCENE/postgres/env"
        PGPASSWORD="$(cat "$RELAY_PASSWORD_FILE")" PGHOST=127.0.0.1 PGPORT="$POOL_PORT" PGDATABASE=clinic \
            PGUSER="$RELAY_USER" PGSSLMODE=verify-full PGSSLROOTCERT="$(endpoint ca)" "$@"
    )
}

as_relay() { CONNECTION=clinic through_relay "$@"; }

as_digest() { CONNECTION=digest through_relay "$@"; }

through_relay() {
    local address
    address="$(endpoint relay)"
    PGPASSWORD="$("$BIN/local" token alice --data "$STAGE/local")" PGHOST="${address%:*}" PGPORT="${address##*:}" \
        PGDATABASE="$CONNECTION" PGUSER=alice PGSSLMODE=verify-full PGSSLROOTCERT="$(endpoint ca)" "$@"
}

process_of() {
    case "$1" in
        relay | digest) cat "$SCENE/local.pid" ;;
        pgbouncer) echo "$POOL_PID" ;;
        direct) echo none ;;
    esac
}

# User and system time that a process has used so far, in microseconds.
cpu_of() {
    [ "$1" != none ] || { echo 0; return; }
    # The name may hold spaces: the fields after it are counted.
    sed 's/.*) //' "/proc/$1/stat" | awk -v ticks="$TICKS_PER_SECOND" '{ print int(($12 + $13) * 1000000 / ticks) }'
}

# What a run leaves to be done (sealing, storing, indexing) is not to slow down the next one. It counts as the run's own,
# and is told apart.
settle() {
    [ "$1" != none ] || return 0
    local before after
    for ((i = 0; i < 60; i++)); do
        before="$(cpu_of "$1")"
        sleep 0.3
        after="$(cpu_of "$1")"
        [ $((after - before)) -gt 20000 ] || break
    done
}

# What is measured -----------------------------------------------------------------------------------------------------

# note WHAT WHO MEASURE VALUE
note() { echo "$1 $2 $3 $4" >>"$SCENE/results"; }

# pgbench_round SCRIPT PROTOCOL CLIENTS
pgbench_round() {
    local who process before during after output
    for who in "${CONTENDERS[@]}"; do
        process="$(process_of "$who")"
        rm -f "$SCENE"/latency.*
        local -a log=()
        [ "$3" -gt 1 ] || log=(--log --log-prefix="$SCENE/latency")
        before="$(cpu_of "$process")"
        output="$("as_$who" "$PGBENCH" --no-vacuum --client="$3" --jobs=1 --time="$SECONDS_EACH" --protocol="$2" \
            --file="$SCENE/$1.sql" "${log[@]}" 2>&1)" || { echo "$who: $output" >&2; return 1; }
        during="$(cpu_of "$process")"
        settle "$process"
        after="$(cpu_of "$process")"
        local tps transactions
        tps="$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' <<<"$output" | head -n 1)"
        transactions="$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' <<<"$output")"
        note "$1-$2-$3" "$who" tps "$tps"
        note "$1-$2-$3" "$who" cpu "$(awk "BEGIN { print ($during - $before) / $transactions }")"
        note "$1-$2-$3" "$who" later "$(awk "BEGIN { print ($after - $during) / $transactions }")"
        [ "$3" -gt 1 ] || latencies "$1-$2-$3" "$who"
    done
}

# latencies WHAT WHO: percentiles of pgbench's log, in microseconds.
latencies() {
    cut -d' ' -f3 "$SCENE"/latency.* | sort -n | awk '{ v[NR] = $1 } END { print v[int(NR * 0.50) + 1], v[int(NR * 0.99) + 1] }' \
        >"$SCENE/percentiles"
    local p50 p99
    read -r p50 p99 <"$SCENE/percentiles"
    note "$1" "$2" p50 "$p50"
    note "$1" "$2" p99 "$p99"
}

bulk_round() {
    local who
    for who in "${CONTENDERS[@]}" digest; do
        bulk_of bulk "$who"
    done
    for who in relay digest; do
        bulk_of bulk_masked "$who"
    done
}

# bulk_of TABLE WHO
bulk_of() {
    local what="$1" who="$2" process before during after bytes seconds
    process="$(process_of "$who")"
    before="$(cpu_of "$process")"
    read -r bytes seconds < <(python_client "$who" bulk "SELECT id, filler, ssn FROM public.$what")
    during="$(cpu_of "$process")"
    settle "$process"
    after="$(cpu_of "$process")"
    note "$what" "$who" mbs "$(awk "BEGIN { print $bytes / $seconds / 1000000 }")"
    note "$what" "$who" cpu "$(awk "BEGIN { print ($during - $before) / ($bytes / 1000000) }")"
    note "$what" "$who" later "$(awk "BEGIN { print ($after - $during) / ($bytes / 1000000) }")"
}

# python_client WHO COMMAND WHAT
python_client() {
    # shellcheck disable=SC2016 # expanded by the inner shell, which has the contender's variables
    "as_$1" sh -c 'exec python3 "$0" "$1" "$PGHOST" "$PGPORT" "$PGDATABASE" "$PGUSER" "$PGSSLROOTCERT" "$2"' \
        "$BENCH/client.py" "$2" "$3"
}

# Resident memory that each of many idle sessions adds; a few come first, for what a first session costs once.
idle() {
    local who process before after pid
    for who in pgbouncer relay; do
        say "$IDLE idle sessions of $who"
        process="$(process_of "$who")"
        python_client "$who" idle 20 </dev/null >/dev/null
        settle "$process"
        before="$(resident "$process")"
        rm -f "$SCENE/hold" "$SCENE/idle.out"
        mkfifo "$SCENE/hold"
        python_client "$who" idle "$IDLE" <"$SCENE/hold" >"$SCENE/idle.out" &
        pid=$!
        exec 8>"$SCENE/hold"
        until grep -q open "$SCENE/idle.out" 2>/dev/null; do
            kill -0 "$pid" 2>/dev/null || { echo "$who does not hold $IDLE sessions" >&2; exec 8>&-; return 1; }
            sleep 0.2
        done
        settle "$process"
        after="$(resident "$process")"
        exec 8>&-
        wait "$pid"
        note idle "$who" kb "$(awk "BEGIN { print ($after - $before) / $IDLE }")"
    done
}

# In kB.
resident() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$1/status"; }

conditions() {
    cat <<TEXT

$ROUNDS interleaved rounds; pgbench ran $SECONDS_EACH s each, with $CLIENTS clients where there are several. Client, proxy and server share one
machine of $(getconf _NPROCESSORS_ONLN) cores ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)), over loopback. TLS to the client everywhere; plaintext
from relay and PgBouncer to the server. The relay records everything (durability "process"), seals it and stores it in a
folder: that of it which happens while clients are served is in the CPU of the run, the rest stands under "afterwards".
The functions, which index and log what it stores, do not run. $("$PGBENCH" --version), $(pgbouncer --version 2>/dev/null | head -n 1 || /usr/sbin/pgbouncer --version | head -n 1).
Load average at the start: $(cut -d' ' -f1-3 /proc/loadavg)
TEXT
}

say() { printf '%s\n' "$*" >&2; }

main "$@"
