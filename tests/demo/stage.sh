# shellcheck shell=bash
# The stage that demo and bench play on: PostgreSQL, and `local` (issuer, certifier, relay, indexer in one process)
# in front of it. Sourced, not run. Everything of one stage is below one folder:
#
#   postgres/   see tests/postgres.sh       local/   `local`'s data: keys, evidence, spool, endpoints.toml
#   local.pid   the running `local`         local.log   what it logged

REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
# Seconds: recovery of spools and a first certificate are quick; a busy machine is not.
readonly READY_SECONDS=60
# `local` drains: its own limit is 30 s.
readonly STOP_SECONDS=60
# Flags of `local up`.
UP=()

# stage_build [PROFILE]: builds what the stage runs, in release where nothing is said, showing cargo's progress, and sets
# BIN; a BIN of the environment has it. Of the relay's program only what people use: `relay serve` would bring the SDK of AWS.
stage_build() {
    local profile="${1:-release}"
    [ -z "${BIN:-}" ] || return 0
    command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    (cd "$REPOSITORY" && cargo build --profile "$profile" --locked --no-default-features -p local -p auditor -p program)
    BIN="${CARGO_TARGET_DIR:-$REPOSITORY/target}/$profile"
    case "$BIN" in /*) ;; *) BIN="$REPOSITORY/$BIN" ;; esac
}

# stage_raise DIR [flag of `local init`]...
stage_raise() {
    STAGE="$1"
    shift
    mkdir -p "$STAGE"
    "$REPOSITORY/tests/postgres.sh" start "$STAGE/postgres"
    local PGHOST PGPORT PGDATABASE RELAY_USER RELAY_PASSWORD_FILE PGSSLROOTCERT
    read_env "$STAGE/postgres/env"
    "$BIN/local" init --data "$STAGE/local" \
        --target-host "$PGHOST" --target-port "$PGPORT" --target-database "$PGDATABASE" \
        --target-user "$RELAY_USER" --target-password-file "$RELAY_PASSWORD_FILE" --target-ca "$PGSSLROOTCERT" "$@" \
        >>"$STAGE/local.log" 2>&1 || stage_failed 'local init failed'
    stage_start_local
}

stage_start_local() {
    rm -f "$STAGE/local/endpoints.toml"
    setsid "$BIN/local" up --data "$STAGE/local" "${UP[@]}" >>"$STAGE/local.log" 2>&1 </dev/null &
    local pid="$!" deadline=$((SECONDS + READY_SECONDS))
    echo "$pid" >"$STAGE/local.pid"
    until [ -e "$STAGE/local/endpoints.toml" ]; do
        # Not stage_runs: for a moment our child has not become `local` yet.
        kill -0 "$pid" 2>/dev/null || stage_failed 'local up ended before it was ready'
        [ "$SECONDS" -lt "$deadline" ] || stage_failed "local up was not ready within $READY_SECONDS s"
        sleep 0.1
    done
}

# Asks `local` to stop, and waits: after that everything is sealed and stored.
stage_stop_local() {
    [ -e "$STAGE/local.pid" ] || return 0
    local deadline=$((SECONDS + STOP_SECONDS)) pid
    pid="$(cat "$STAGE/local.pid")"
    kill -TERM "$pid" 2>/dev/null || true
    while stage_runs; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            kill -KILL "$pid" 2>/dev/null || true
            stage_failed "local did not stop within $STOP_SECONDS s"
        fi
        sleep 0.1
    done
    rm -f "$STAGE/local.pid"
}

# stage_strike DIR: stops what runs there; what it wrote stays, but for PostgreSQL's data.
stage_strike() {
    STAGE="$1"
    stage_stop_local
    "$REPOSITORY/tests/postgres.sh" stop "$STAGE/postgres"
}

# Whether the process of local.pid is still our `local`, and not another that got its number.
stage_runs() {
    local pid
    pid="$(cat "$STAGE/local.pid" 2>/dev/null)" && kill -0 "$pid" 2>/dev/null || return 1
    [ ! -e "/proc/$pid/comm" ] || [ "$(cat "/proc/$pid/comm")" = local ]
}

# relay_psql NAME [psql argument]...: psql through the relay, with a fresh token of NAME as password.
relay_psql() {
    local name="$1" address ca
    shift
    address="$(endpoint relay)"
    ca="$(endpoint ca)"
    PGPASSWORD="$("$BIN/local" token "$name" --data "$STAGE/local")" PGSSLMODE=verify-full PGSSLROOTCERT="$ca" \
        psql --no-psqlrc "host=${address%:*} port=${address##*:} dbname=clinic user=$name" "$@"
}

# target_psql [psql argument]...: psql at the target itself, as its superuser: what the demo compares with.
target_psql() {
    (
        read_env "$STAGE/postgres/env"
        export PGHOST PGPORT PGDATABASE PGUSER PGPASSFILE PGSSLMODE PGSSLROOTCERT
        psql --no-psqlrc "$@"
    )
}

# A string member of endpoints.toml.
endpoint() { sed -n "s/^$1 *= *\"\(.*\)\"\$/\1/p" "$STAGE/local/endpoints.toml"; }

read_env() {
    # shellcheck disable=SC1090 # written by tests/postgres.sh
    . "$1"
}

stage_failed() {
    printf '%s\n' "$*" >&2
    tail -n 20 "$STAGE/local.log" >&2 || true
    exit 1
}
