#!/usr/bin/env bash
# An archive of infra/image.py, as strangers read it, and its program in it alone. tests/tests/integration/image.rs asks more, of
# the programs under test.
#
#   tests/infra/image.sh ARCHIVE
set -euo pipefail

main() {
    local archive="$1" transport
    if ! command -v skopeo >/dev/null; then
        echo 'SKIPPED: image: no skopeo to read it with (apt-get install skopeo)' >&2
    else
        for transport in oci-archive docker-archive; do
            skopeo inspect --config "$transport:$archive" |
                jq -e '.config.User == "10001:10001" and (.config.Volumes | length > 0)' >/dev/null
            echo "$transport  read by skopeo"
        done
    fi
    if [ "$(id -u)" -ne 0 ]; then
        echo 'SKIPPED: image: only root can give it a root of its own' >&2
    else
        echo "contained    $("$(dirname "${BASH_SOURCE[0]}")/contained.sh" "$archive" -- --version)"
    fi
}

main "$@"
