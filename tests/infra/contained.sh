#!/usr/bin/env bash
# Runs an image of infra/image.py as a container would, without a container's programs: a root that has the image's files
# alone and is read-only, the image's user without capabilities, its volumes, its environment, its own process ids. The network
# is ours, for what it serves is asked from here, on 127.0.0.1.
#
#   tests/infra/contained.sh ARCHIVE [--at INSIDE=FOLDER]... [--env NAME=VALUE]... [-- ARGUMENT...]
#
# Every digest is checked on the way, with nothing of image.py. `--at` shows a file or folder of ours inside, read-only; `--over` a
# folder that the program may write, as a volume. Without arguments the image's own are taken. Needs root, jq and unshare.
set -euo pipefail

main() {
    [ "$(id -u)" -eq 0 ] || fail 'needs root, for mounts and for the owner of files'
    local archive="$1"
    shift
    SEEN=() OVER=() VARIABLES=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        case "$1" in
            --at) SEEN+=("$2") ;;
            --over) OVER+=("$2") ;;
            --env) VARIABLES+=("$2") ;;
            *) fail "unknown argument $1" ;;
        esac
        shift 2
    done
    [ $# -eq 0 ] || shift
    WORK="$(mktemp -d "${TMPDIR:-/tmp}/affidavit-contained.XXXXXXXX")"
    trap 'rm -rf --one-file-system "$WORK"' EXIT
    unpack "$archive"
    enter "$@"
}

# $WORK/root, and CONFIG.
unpack() {
    mkdir "$WORK/image" "$WORK/root"
    tar -xf "$1" -C "$WORK/image"
    local blob manifest config layer
    for blob in "$WORK"/image/blobs/sha256/*; do
        echo "${blob##*/}  $blob" | sha256sum --check --quiet || fail "${blob##*/} is not what it is named by"
    done
    [ "$(jq -r .imageLayoutVersion "$WORK/image/oci-layout")" = 1.0.0 ] || fail 'expected an OCI image layout'
    manifest="$(blob "$(jq -c '.manifests[0]' "$WORK/image/index.json")")"
    config="$(blob "$(jq -c .config "$manifest")")"
    [ "$(jq '.layers | length' "$manifest")" -eq 1 ] || fail 'expected one layer'
    layer="$(blob "$(jq -c '.layers[0]' "$manifest")")"
    [ "sha256:$(gzip -dc "$layer" | sha256sum | cut -d' ' -f1)" = "$(jq -r '.rootfs.diff_ids[0]' "$config")" ] ||
        fail 'the layer is not the one that the configuration names'
    tar -xzpf "$layer" -C "$WORK/root" --same-owner --numeric-owner
    CONFIG="$(jq -c .config "$config")"
}

# blob DESCRIPTOR: its file, which has the size that is said.
blob() {
    local file
    file="$WORK/image/blobs/$(jq -r '.digest | sub(":"; "/")' <<<"$1")"
    [ "$(stat -c %s "$file")" -eq "$(jq .size <<<"$1")" ] || fail "$file has another size than is said of it"
    echo "$file"
}

# enter ARGUMENT...: from a namespace of its own, so that no mount outlives it.
enter() {
    local user volume status
    local -a entrypoint arguments environment volumes
    user="$(jq -r .User <<<"$CONFIG")"
    mapfile -t entrypoint < <(jq -r '.Entrypoint[]' <<<"$CONFIG")
    mapfile -t arguments < <(jq -r '.Cmd[]' <<<"$CONFIG")
    mapfile -t environment < <(jq -r '.Env[]' <<<"$CONFIG")
    environment+=("${VARIABLES[@]}")
    mapfile -t volumes < <(jq -r '.Volumes | keys[]' <<<"$CONFIG")
    [ $# -eq 0 ] || arguments=("$@")
    for volume in "${volumes[@]}"; do
        [ "$(stat -c %u:%g "$WORK/root$volume")" = "$user" ] || fail "$volume is not the user's"
    done
    # As whoever runs containers gives them.
    for volume in hosts resolv.conf; do [ ! -r "/etc/$volume" ] || SEEN+=("/etc/$volume=/etc/$volume"); done
    for volume in "${SEEN[@]}"; do make_place "${volume%%=*}" "${volume#*=}"; done
    export ROOT="$WORK/root" ROOT_USER="$user"
    VOLUMES="${volumes[*]}" SEEN="${SEEN[*]}" OVER="${OVER[*]}" unshare --mount --pid --ipc --uts --fork --kill-child \
        bash -euc "$INSIDE" inside "${#environment[@]}" "${environment[@]}" "${entrypoint[@]}" "${arguments[@]}" &
    trap 'ask_to_stop "$!"' TERM INT
    until
        status=0
        # A signal ends this, and not the program at once.
        wait "$!" || status=$?
        [ ! -e "/proc/$!" ]
    do :; done
    exit "$status"
}

# What `unshare` waits for is the program.
# shellcheck disable=SC2317 # called by the trap
ask_to_stop() {
    local child
    read -r child <"/proc/$1/task/$1/children" && kill -TERM "$child"
}

# A place to mount something on, which a container's program makes too.
make_place() {
    if [ -d "$2" ]; then mkdir -p "$WORK/root$1"; else mkdir -p "$(dirname "$WORK/root$1")" && touch "$WORK/root$1"; fi
}

# Everything but the program itself is done from outside: the image has no shell.
# shellcheck disable=SC2016 # for the shell inside
readonly INSIDE='
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount -o remount,bind,ro,nosuid,nodev "$ROOT"
mount -t proc -o nosuid,nodev,noexec proc "$ROOT/proc"
mount -t tmpfs -o mode=755,nosuid tmpfs "$ROOT/dev"
for device in null zero random urandom; do touch "$ROOT/dev/$device"; mount --bind "/dev/$device" "$ROOT/dev/$device"; done
for volume in $VOLUMES; do
    mount -t tmpfs -o "uid=${ROOT_USER%:*},gid=${ROOT_USER#*:},mode=700,nosuid,nodev,noexec" tmpfs "$ROOT$volume"
done
for pair in $OVER; do mount --bind "${pair#*=}" "$ROOT${pair%%=*}"; done
for pair in $SEEN; do
    mount --bind "${pair#*=}" "$ROOT${pair%%=*}"
    mount -o remount,bind,ro,nosuid,nodev "$ROOT${pair%%=*}"
done
count="$1"
shift
environment=("${@:1:count}")
shift "$count"
exec setpriv --no-new-privs env -i "${environment[@]}" "$(command -v chroot)" --userspec="$ROOT_USER" --groups= "$ROOT" "$@"
'

fail() {
    printf 'contained: %s\n' "$*" >&2
    exit 1
}

main "$@"
