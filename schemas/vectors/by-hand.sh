#!/bin/sh
# Verifies one chunk with nothing but standard tools: SPEC.md, section "By hand".
# Usage: by-hand.sh CHUNK CERTIFICATE.json ROOT.pub.pem
set -eu
chunk=$1 certificate=$2 root=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An envelope is one line of canonical JSON: its members are cut out by their names.
member() { sed -E "s/.*\"$1\":\"([^\"]*)\".*/\1/"; }
# DSSE's pre-authentication encoding: lengths in bytes, then the payload.
pae() {
    member payload <"$1" | base64 -d >"$work/payload"
    type=$(member payloadType <"$1")
    printf 'DSSEv1 %s %s %s ' "${#type}" "$type" "$(wc -c <"$work/payload" | tr -d ' ')"
    cat "$work/payload"
}
verify() { # envelope, public key
    pae "$1" >"$work/pae"
    member sig <"$1" | base64 -d >"$work/sig"
    openssl dgst -sha256 -verify "$2" -signature "$work/sig" "$work/pae"
}

echo "1. the certificates root signed the certificate"
verify "$certificate" "$root"
{ echo "-----BEGIN PUBLIC KEY-----"; member spki <"$work/payload" | tr -d "\n" | fold -w 64; echo; echo "-----END PUBLIC KEY-----"; } >"$work/relay.pem"

echo "2. the certified key signed the chunk's manifest"
size=$(wc -c <"$chunk" | tr -d ' ')
length=$(tail -c 8 "$chunk" | od -An -tu4 -N4 | tr -d ' ')
tail -c "$length" "$chunk" | head -c $((length - 8)) >"$work/envelope"
verify "$work/envelope" "$work/relay.pem"

echo "3. the stored bytes and the frames they decode to are the ones it names"
for extent in stored decoded; do
    sed -E "s/.*\"$extent\":\{\"length\":[0-9]+,\"sha256\":\"([0-9a-f]+)\".*/\1/" "$work/payload" | tr -d '\n' >"$work/$extent"
done
echo "$(cat "$work/stored")  -" >"$work/stored.sum"
head -c $((size - length - 8)) "$chunk" | sha256sum -c "$work/stored.sum"
echo "$(cat "$work/decoded")  -" >"$work/decoded.sum"
zstd -dcq "$chunk" | sha256sum -c "$work/decoded.sum"
