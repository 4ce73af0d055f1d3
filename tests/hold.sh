#!/usr/bin/env bash
# tests/hold.sh [--then-remove FOLDER] COMMAND...: runs it, prints its process id, asks it to stop (SIGTERM) when
# standard input ends, and removes the folder. A test holds the other end of that pipe: however the test ends, even
# killed, nothing it started stays behind.
set -euo pipefail

REMOVE=''
if [ "$1" = --then-remove ]; then
    REMOVE="$2"
    shift 2
fi
# Ctrl-C goes to the whole foreground group; our end is the end of standard input.
trap '' INT
"$@" </dev/null &
readonly PID=$!
echo "$PID"
# The command has the only copy of standard output from here on: a reader sees its end when the command closes it.
exec 1>&-
cat >/dev/null || true
kill -TERM "$PID" 2>/dev/null || true
STATUS=0
wait "$PID" || STATUS=$?
if [ -n "$REMOVE" ]; then rm -rf "$REMOVE"; fi
exit "$STATUS"
