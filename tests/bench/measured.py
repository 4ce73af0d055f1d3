"""Runs a command and tells what it took: `seconds cpu_seconds megabytes status`, megabytes being those it had resident
at most (what the kernel calls VmHWM). The command's output goes where ours does not: to the file named first."""

import os
import sys
import time


def main():
    output, command = sys.argv[1], sys.argv[2:]
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
        os.execvp(command[0], command)
    _, status, used = os.wait4(child, 0)
    seconds = time.monotonic() - began
    # ru_maxrss counts KiB.
    print(
        f"{seconds:.2f} {used.ru_utime + used.ru_stime:.2f} {used.ru_maxrss * 1024 / 1e6:.0f} "
        f"{os.waitstatus_to_exitcode(status)}"
    )


main()
