#!/usr/bin/env bash
# infra/live/example from nothing to nothing on an emulator of AWS that evaluates policies: Terraform applies it, the
# functions' own programs run as its Lambda functions, a relay serves with what its task is told and its role's rights, the
# demo's session goes through it, with logins at an OpenID Connect provider and an approval at the deployed console. What it
# stored is indexed, sealed by the schedule and bundled; the bundle is downloaded and verified. A second plan finds no drift,
# each role can do what it must and nothing else (rights.py), and destroy leaves what Object Lock keeps.
#
# `make test-aws`; skipped, and says so, where something is missing. Takes some six minutes and 2 GB.
#
#   LAMBDAS=folder   zips to deploy (`make lambdas`), in place of the workspace's programs as they are built for tests
#   BIN=folder       where these, the relay and the auditor are built already
set -euo pipefail

readonly FUNCTIONS=(indexer sealer certifier bundler console)
readonly READY_SECONDS=120
readonly STOP_SECONDS=90

main() {
    ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
    INFRA="$ROOT/tests/infra"
    WORK="$(mktemp -d "${TMPDIR:-/tmp}/affidavit-aws.XXXXXXXX")"
    STEP=''
    HOLDS=()
    HELD=()
    trap finish EXIT
    trap 'exit 130' INT TERM
    # shellcheck source=tests/infra/terraform.sh
    . "$INFRA/terraform.sh"
    readonly EXAMPLE="$WORK/tree/infra/live/example"
    copy_tree "$WORK/tree"
    can_run 'test-aws' || exit 0
    has_tools || exit 0

    step 'programs' build
    step 'certificates' make_certificates
    export SSL_CERT_FILE="$WORK/tls/ca.pem"
    hold emulator "$ROOT/tests/emulator.sh" hold "$WORK/aws" --rights
    export AWS_ENDPOINT_URL="$SAID" AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
    hold provider node "$INFRA/provider.mjs" "$PROVIDER_FOLDER" "$WORK/tls/server.pem" "$WORK/tls/server.key" \
        "http://localhost:${AWS_ENDPOINT_URL##*:}"
    ISSUER="$SAID"
    step 'database' "$ROOT/tests/postgres.sh" start "$WORK/postgres"
    step 'prepare' prepare
    step 'init' init "$EXAMPLE"

    # With the usual ten at once the emulator was late with one answer, and took the same request's repetition for another.
    step 'apply' tf apply -no-color -auto-approve -parallelism=6
    tf output -json >"$WORK/outputs.json"
    step 'certify keys' python deployment.py "$WORK/outputs.json" certify-keys
    step 'relay' start_relay
    step 'session' tell_session
    step 'drain' stop_relay
    step 'indexed' pipeline indexed alice
    step 'second plan' tf plan -no-color -out=second.tfplan
    step 'drift' drift
    step 'sealed' pipeline sealed
    step 'bundle' pipeline bundle "$WORK/bundle"
    step 'verify' verify
    step 'one byte off' tamper
    step 'queues' pipeline quiet
    step 'bound' pipeline bound
    step 'rights' python rights.py "$WORK/outputs.json"
    step 'destroy' tf destroy -no-color -auto-approve
    step 'nothing left' python left.py
}

has_tools() {
    local missing=''
    "$ROOT/tests/emulator.sh" installed || missing='the emulator (tests/setup.sh --infra)'
    [ -x "$PYTHON" ] || missing='boto3 (tests/setup.sh --infra)'
    [ -e "$PROVIDER_FOLDER/node_modules/oidc-provider" ] || missing="npm's oidc-provider (tests/setup.sh --infra)"
    [ -z "$missing" ] || { echo "SKIPPED: test-aws: missing: $missing" >&2; return 1; }
}

# Steps --------------------------------------------------------------------------------------------------------------

# As `cargo test --workspace` builds them, so that after it nothing is left to build.
build() {
    local function
    if [ -z "${BIN:-}" ]; then
        (cd "$ROOT" && cargo build --workspace --lib --bins --locked)
        BIN="${CARGO_TARGET_DIR:-$ROOT/target}/debug"
    fi
    ZIPS="${LAMBDAS:-$WORK/zips}"
    [ -z "${LAMBDAS:-}" ] || return 0
    mkdir "$ZIPS"
    for function in "${FUNCTIONS[@]}"; do
        LEVEL=1 "$ROOT/infra/lambdas.sh" pack "$BIN/$function" "$ZIPS/$function.zip"
    done
    say "$(du -ch --apparent-size "$ZIPS"/*.zip | tail -n 1 | cut -f1) of zips"
}

# One for provider and relay; clients know its authority and no other.
make_certificates() (
    mkdir "$WORK/tls"
    cd "$WORK/tls"
    new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
    openssl req -x509 "${new_key[@]}" -keyout ca.key -out ca.pem -sha256 -days 30 -subj '/CN=Affidavit throwaway CA' \
        -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
    openssl req "${new_key[@]}" -keyout server.key -out server.csr -subj '/CN=localhost'
    printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' 'extendedKeyUsage=serverAuth' \
        'subjectAltName=DNS:localhost,DNS:relays.affidavit-clinic-trial.internal,IP:127.0.0.1' >server.ext
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -sha256 -days 30 -extfile server.ext
)

prepare() {
    local ports
    ports="$(
        set -a
        # shellcheck disable=SC1091 # written by tests/postgres.sh
        . "$WORK/postgres/env"
        python prepare.py "$WORK/tree" "$ZIPS" "$WORK/tls" "$ISSUER"
    )"
    read -r RELAY_PORT HEALTH_PORT <<<"$ports"
}

# With the environment of its task and with nothing else, but for where it tells its health and keeps what it fetched.
start_relay() {
    local deadline=$((SECONDS + READY_SECONDS))
    local -a environment
    mkdir -p "$WORK/spool" "$WORK/scratch"
    python deployment.py "$WORK/outputs.json" relay one >"$WORK/relay.env"
    mapfile -t environment <"$WORK/relay.env"
    env -i "${environment[@]}" AFFIDAVIT_HEALTH="127.0.0.1:$HEALTH_PORT" AFFIDAVIT_SCRATCH="$WORK/scratch" \
        SSL_CERT_FILE="$SSL_CERT_FILE" "$BIN/relay" serve >"$WORK/relay.log" 2>&1 </dev/null &
    RELAY="$!"
    until ready; do
        kill -0 "$RELAY" 2>/dev/null || { say 'the relay ended'; return 1; }
        [ "$SECONDS" -lt "$deadline" ] || { say "the relay was not ready within $READY_SECONDS s"; return 1; }
        sleep 0.2
    done
    say 'ready'
}

ready() (
    exec 3<>"/dev/tcp/127.0.0.1/$HEALTH_PORT" || exit 1
    printf 'GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
    IFS= read -r answer <&3
    [[ "$answer" == 'HTTP/1.1 200'* ]]
) 2>/dev/null

tell_session() {
    CONSOLE="$(tf output -raw console)"
    export WORK BIN ISSUER CONSOLE RELAY_PORT INFRA_PYTHON="$PYTHON"
    "$INFRA/session.sh" "$WORK/outputs.json"
}

# As ECS does; what it recorded is then sealed and stored.
stop_relay() {
    local deadline=$((SECONDS + STOP_SECONDS)) status=0
    kill -TERM "$RELAY"
    while kill -0 "$RELAY" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || { say "the relay did not stop within $STOP_SECONDS s"; return 1; }
        sleep 0.2
    done
    wait "$RELAY" || status=$?
    RELAY=''
    return "$status"
}

drift() {
    tf show -json second.tfplan >"$WORK/second.json"
    python drift.py "$WORK/second.json"
}

verify() {
    python deployment.py "$WORK/outputs.json" root >"$WORK/root.pem"
    "$BIN/auditor" verify --root "$WORK/root.pem" "$WORK/bundle"
}

tamper() {
    local chunk status=0
    chunk="$(cd "$WORK/bundle" && find . -name 'chunk-*.zst' -printf '%s %P\n' | sort -rn | head -n 1 | cut -d' ' -f2-)"
    cp -r "$WORK/bundle" "$WORK/copy"
    python -c 'import sys; data = bytearray(open(sys.argv[1], "rb").read()); data[len(data) // 2] ^= 1; open(sys.argv[1], "wb").write(data)' \
        "$WORK/copy/$chunk"
    "$BIN/auditor" verify --root "$WORK/root.pem" "$WORK/copy" >"$WORK/tampered" 2>&1 || status=$?
    [ "$status" -eq 1 ] && grep -qF "ERROR $chunk" "$WORK/tampered"
    say "$chunk is named"
}

pipeline() { TOKEN="$(python login.py token "$ISSUER" affidavit-console bob)" python pipeline.py "$WORK/outputs.json" "$@"; }
python() { (cd "$INFRA" && "$PYTHON" "$@"); }
tf() { terraform -chdir="$EXAMPLE" "$@"; }

# Holding and telling ------------------------------------------------------------------------------------------------

# hold NAME COMMAND...: starts a server that prints a line when it is ready (SAID), and ends when its standard input does.
hold() {
    local name="$1" held looks
    shift
    mkfifo "$WORK/$name.in"
    : >"$WORK/$name.out"
    "$@" <"$WORK/$name.in" >"$WORK/$name.out" 2>"$WORK/$name.log" &
    HELD+=("$!")
    exec {held}>"$WORK/$name.in"
    HOLDS+=("$held")
    for ((looks = 0; looks < 300; looks++)); do
        if read -r SAID <"$WORK/$name.out"; then return; fi
        sleep 0.1
    done
    tail -n 20 "$WORK/$name.log" >&2
    return 1
}

# The last one first, for it has copies of what the earlier ones wait for.
release() {
    local place held
    for ((place = ${#HOLDS[@]} - 1; place >= 0; place--)); do
        held="${HOLDS[place]}"
        exec {held}>&-
        wait "${HELD[place]}" 2>/dev/null || true
    done
}

say() { echo "$*"; }

# A step's last line stands beside its verdict; of one that failed, everything.
step() {
    local started="$SECONDS"
    STEP="$1"
    shift
    "$@" >"$WORK/log" 2>&1
    printf '%-14s ok %4d s  %s\n' "$STEP" $((SECONDS - started)) "$(told)"
    STEP=''
}

told() {
    case "$STEP" in
        session) printf '%d checks' "$(grep -c '✓' "$WORK/log")" ;;
        rights) printf '\n%s' "$(sed 's/^/    /' "$WORK/log")" ;;
        apply | destroy) grep -oE '(Apply|Destroy) complete.*' "$WORK/log" ;;
        init | 'second plan' | certificates | database) ;;
        *) tail -n 1 "$WORK/log" ;;
    esac
}

finish() {
    local status=$?
    trap - EXIT
    if [ -n "$STEP" ]; then
        tail -n 80 "$WORK/log" >&2
        printf '%-14s FAILED\n' "$STEP"
        [ ! -s "$WORK/relay.log" ] || { echo '-- the relay:'; tail -n 20 "$WORK/relay.log"; } >&2
    fi
    [ -z "${RELAY:-}" ] || kill -KILL "$RELAY" 2>/dev/null || true
    [ ! -e "$WORK/postgres" ] || "$ROOT/tests/postgres.sh" stop "$WORK/postgres" || true
    release
    rm -rf "$WORK"
    exit "$status"
}

main "$@"
