#!/usr/bin/env bash
# What a relay stores: raises the demo's stage, has somebody ask, and leaves the evidence in DIR/local/evidence/objects.
#
#   relay.sh DIR SESSIONS STATEMENTS SECONDS    so many sessions one after the other, each with so many statements, then
#                                               so many seconds in which nobody comes
#
# BIN names the folder of `local`; without it, it is built.
set -euo pipefail

# shellcheck source=tests/demo/stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../demo/stage.sh"

stage_build release
stage_raise "$1"
trap 'stage_strike "$1"' EXIT
for ((session = 0; session < $2; session++)); do
    for ((statement = 0; statement < $3; statement++)); do
        echo "SELECT id, name, ssn, birth_date, zip FROM clinic.patients WHERE id = $((statement % 200 + 1));"
    done | relay_psql alice -q >/dev/null
done
sleep "$4"
