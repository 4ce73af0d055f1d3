#!/usr/bin/env bash
# tests/hold.sh COMMAND...: runs it, prints its process id, and asks it to stop (SIGTERM) when standard input ends.
# A test holds the other end of that pipe: however the test ends, even killed, nothing it started stays behind.
set -euo pipefail

# Ctrl-C goes to the whole foreground group; our end is the end of standard input.
trap '' INT
"$@" </dev/null &
readonly PID=$!
echo "$PID"
# Ours is the only copy of standard output from here on: a reader sees its end when the command closes its own.
exec 1>&-
cat >/dev/null || true
kill -TERM "$PID" 2>/dev/null || true
wait "$PID"
