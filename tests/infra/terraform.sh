# shellcheck shell=bash disable=SC2034
# Sourced: a copy of the modules to work in, and Terraform in it. Nothing is left in the tree.

readonly CACHE="${AFFIDAVIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/affidavit}"
readonly PYTHON="$CACHE/infra/bin/python"
readonly CHECKOV="$CACHE/infra/bin/checkov"
readonly PROVIDER_FOLDER="$CACHE/provider"
readonly CHECK_JSONSCHEMA="$CACHE/infra/bin/check-jsonschema"
# A user's own settings may name mirrors that are not here.
unset TF_CLI_CONFIG_FILE
export TF_IN_AUTOMATION=1 TF_INPUT=0 CHECKPOINT_DISABLE=1

# copy_tree FOLDER: the modules, and what they read beside themselves.
copy_tree() {
    mkdir -p "$1/schemas" "$1/functions/local"
    (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard infra schemas/TABLES.md functions/local/demo |
        xargs -0 cp --parents -t "$1")
}

# Where the provider is on this machine: TF_PLUGIN_DIR, or wherever it is found; empty where it is not.
plugins() {
    local found
    if [ -n "${TF_PLUGIN_DIR:-}" ]; then
        echo "$TF_PLUGIN_DIR"
        return
    fi
    found="$(find / -xdev -path '*/.terraform/*' -prune -o -type f -name 'terraform-provider-aws_v5.*' -print -quit 2>/dev/null)" || true
    # <folder>/<host>/<namespace>/<name>/<version>/<platform>/<file>
    [ -z "$found" ] || (cd "$(dirname "$found")/../../../../.." && pwd)
}

# init FOLDER: with the provider of this machine, or else as users do, from the registry.
init() {
    if [ -n "$PLUGINS" ]; then
        terraform -chdir="$1" init -no-color -plugin-dir="$PLUGINS" >"$WORK/init.log" 2>&1
    else
        timeout 120 terraform -chdir="$1" init -no-color >"$WORK/init.log" 2>&1
    fi
}

# Whether there is what everything here needs; says so where not.
can_run() {
    if ! command -v terraform >/dev/null; then
        echo "SKIPPED: $1: there is no terraform (1.11 or newer) on this machine" >&2
        return 1
    fi
    PLUGINS="$(plugins)"
    if ! init "$WORK/tree/infra/modules/function"; then
        echo "SKIPPED: $1: Terraform's AWS provider (5.100 or newer, below 6) is not on this machine, and cannot be had:" >&2
        tail -n 5 "$WORK/init.log" >&2
        return 1
    fi
}
