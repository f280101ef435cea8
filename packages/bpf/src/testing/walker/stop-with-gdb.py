# SPDX-License-Identifier: Apache-2.0
#
# Run by gdb: stops a process again and again, and prints of every thread the registers and the frames that gdb
# finds. While it is stopped, whoever reads this may look at its memory; then he writes a line.
#
#   gdb -q -nx -batch -ex 'python STOPS=100; PID=123' -x stop-with-gdb.py
#
# stdout:  {"registers": [16 by DWARF number, ip], "frames": [pc, ...]}     one line per thread
#          {"stopped": true}                                              all threads are said: answer with a line
#
import json
import random
import subprocess
import sys

import gdb

REGISTERS = "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split()
MAX_FRAMES = 127
MASK = (1 << 64) - 1

for setting in (
    "set pagination off",
    "set confirm off",
    "set backtrace past-main on",
    "set backtrace past-entry on",
    "set debuginfod enabled off",
    "set auto-load off",
    "set print thread-events off",
    "set max-completions 0",
    "handle all nostop noprint pass",
    "handle SIGINT stop print nopass",
):
    try:
        gdb.execute(setting, to_string=True)
    except gdb.error:
        # A setting that this gdb does not have.
        pass


def say(what):
    print("@" + json.dumps(what), flush=True)


def frames_of_this_thread():
    frames = []
    frame = gdb.newest_frame()
    while frame is not None and len(frames) < MAX_FRAMES:
        # Neither of inlined code, nor made up of a call that was a jump.
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            frames.append([frame.pc(), frame.type() == gdb.SIGTRAMP_FRAME])
        frame = frame.older()
    return frames


def say_threads():
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        newest = gdb.newest_frame()
        registers = [int(newest.read_register(name)) & MASK for name in REGISTERS]
        try:
            frames = frames_of_this_thread()
        except gdb.error as error:
            say({"error": str(error)})
            continue
        say({"registers": [str(value) for value in registers], "frames": [[str(pc), trap] for pc, trap in frames]})


def stop_later(pid):
    # A process of its own: gdb keeps Python's lock while the program runs.
    wait = random.uniform(0.001, 0.02)
    return subprocess.Popen(["sh", "-c", "sleep %f; kill -INT %d" % (wait, pid)])


gdb.execute("attach %d" % PID, to_string=True)
for stop in range(STOPS):
    interrupter = stop_later(PID)
    gdb.execute("continue", to_string=True)
    interrupter.wait()
    say_threads()
    say({"stopped": True})
    sys.stdin.readline()
gdb.execute("detach", to_string=True)
