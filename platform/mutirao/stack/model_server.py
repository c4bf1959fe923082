"""llama.cpp's OpenAI-compatible server: `python -m mutirao.stack.model_server MODEL PORT SLOTS`."""

import os
import signal
import sys

# Of the prompt cache's memory, in MiB; llama.cpp's own default is 8 GiB.
CACHE_MEBIBYTES = 64
# It computes on every core; the database, the API and the workers come first.
NICENESS = 5
CONTEXT_TOKENS_PER_SLOT = 4096


def main(arguments: list[str]) -> None:
    """Serve a GGUF file on loopback, for so many requests at once, until SIGTERM."""
    import xllamacpp

    path, port, slots = arguments
    os.nice(NICENESS)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})  # before it makes its threads
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.model_alias = {"builtin"}
    parameters.n_parallel = int(slots)
    parameters.n_ctx = CONTEXT_TOKENS_PER_SLOT * int(slots)
    parameters.cache_ram_mib = CACHE_MEBIBYTES
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = int(port)
    parameters.offline = True
    parameters.ui = False
    server = xllamacpp.Server(parameters)
    print(f"serving {path} at {server.listening_address}", flush=True)  # noqa: T201 - its log
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    os._exit(0)  # nothing to save; its own ending waits for running generations


if __name__ == "__main__":
    main(sys.argv[1:])
