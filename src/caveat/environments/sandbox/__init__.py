"""Run code that models wrote: one call at a time, in a process that can reach nothing.

`run.py` has what others use: `run_calls`, `run_many`, `check_source`, `isolation`. Expected values
never enter the sandbox: it gives a call's plain value, and the caller compares. docs/sandbox.md
says which layer defends against what, and what is not defended against.

In order of a call: `workers.py` (the study's side of a process), `server.py` (the process, which
forks for each call), `confinement.py` and `seccomp.py` (what the fork may reach), `gate.py` and
`names.py` (what its code may say), `values.py` (how its value comes out).
"""
