#!/usr/bin/env bash
# The functions as zips for AWS Lambda: each an x86_64 program named `bootstrap`, for the runtime provided.al2023.
#
#   infra/lambdas.sh build [FOLDER]      builds them all into FOLDER (target/lambdas), checks each, prints sizes
#   infra/lambdas.sh pack PROGRAM ZIP    packs one program that is built, without its symbols (LEVEL=1: in haste)
#   infra/lambdas.sh check PROGRAM       whether Amazon Linux 2023 can run it
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
readonly HERE
readonly FUNCTIONS=(indexer sealer certifier bundler console)
# Amazon Linux 2023's. Debian 12, Ubuntu 22.04 and it itself build what it can run.
readonly GLIBC='2.34'
# Its C library and compiler's; nothing else is there.
readonly LIBRARIES='^(libc\.so\.6|libm\.so\.6|libgcc_s\.so\.1|ld-linux-x86-64\.so\.2)$'
# Bytes of a zip: a start unpacks all of it. Lambda's own limit is 50 MB.
readonly BUDGET=10000000

main() {
    case "${1:-}:$#" in
        build:1) build "$HERE/../target/lambdas" ;;
        build:2) build "$2" ;;
        pack:3) pack "$2" "$3" ;;
        check:2) check "$2" ;;
        *) fail 'usage: lambdas.sh build [FOLDER] | pack PROGRAM ZIP | check PROGRAM' ;;
    esac
}

build() {
    local function program size
    local -a programs=()
    need cargo
    for function in "${FUNCTIONS[@]}"; do programs+=(--bin "$function"); done
    (cd "$HERE/.." && cargo build --locked --profile dist --package lambda "${programs[@]}")
    mkdir -p "$1"
    for function in "${FUNCTIONS[@]}"; do
        program="${CARGO_TARGET_DIR:-$HERE/../target}/dist/$function"
        check "$program"
        pack "$program" "$1/$function.zip"
        size="$(stat -c %s "$1/$function.zip")"
        printf '%-10s %6d kB zipped, of %d kB\n' "$function" $((size / 1000)) $((BUDGET / 1000))
        [ "$size" -le "$BUDGET" ] || fail "$function.zip is larger than its budget"
    done
}

pack() {
    local folder
    need strip
    need python3
    folder="$(mktemp -d)"
    # shellcheck disable=SC2064 # Now, for it is gone when the trap runs.
    trap "rm -rf '$folder'" EXIT
    strip --strip-all -o "$folder/bootstrap" "$1"
    # The same program gives the same zip, so that Terraform sees a change where there is one.
    python3 - "$folder/bootstrap" "$2" "${LEVEL:-9}" <<'PYTHON'
import sys, zipfile

program, path, level = sys.argv[1:]
entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
entry.create_system = 3
entry.external_attr = 0o100755 << 16
entry.compress_type = zipfile.ZIP_DEFLATED
with zipfile.ZipFile(path, "w") as file, open(program, "rb") as source:
    file.writestr(entry, source.read(), compresslevel=int(level))
PYTHON
    rm -rf "$folder"
    trap - EXIT
}

check() {
    local newest others
    need objdump
    objdump -f "$1" | grep -q 'file format elf64-x86-64' || fail "$1: expected a program for x86_64"
    newest="$(objdump -T "$1" | grep -oE 'GLIBC_[0-9]+(\.[0-9]+)+' | sort -Vu | tail -n 1)"
    [ -n "$newest" ] || fail "$1: expected a program that is linked with glibc"
    if [ "$(printf '%s\n' "GLIBC_$GLIBC" "$newest" | sort -V | tail -n 1)" != "GLIBC_$GLIBC" ]; then
        fail "$1 needs $newest, and Amazon Linux 2023 has $GLIBC: build it where glibc is no newer (Debian 12, Ubuntu 22.04)"
    fi
    others="$(objdump -p "$1" | awk '$1 == "NEEDED" { print $2 }' | grep -vE "$LIBRARIES" | tr '\n' ' ')" || true
    [ -z "$others" ] || fail "$1 needs libraries that Amazon Linux 2023 has not: $others"
}

need() {
    command -v "$1" >/dev/null || fail "$1 is missing"
}

fail() {
    printf 'lambdas: %s\n' "$*" >&2
    exit 1
}

main "$@"
