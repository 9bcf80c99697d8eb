"""Lambda and API Gateway on this machine: the Runtime API, processes of the function, and a gateway in front.

    python -m tools.lambda_emulator --sandbox

`runtime_api` is what a function's process talks to, `process` starts one as Lambda does, `fleet` keeps a bounded number
of them, `api` knows the routes, `gateway` speaks HTTP in front of them. It is strict where AWS is: a process serves one
event at a time, an answer in the wrong form is a 502, and sizes and times have AWS's limits.
"""
