"""bench_serve.py PROGRAM - how fast many clients are served, beside llama-cpp-python's server, as Markdown tables.

CLIENTS (1,4,16) ask at once for N_TOKENS (128) tokens behind a prompt of N_PROMPT (128), each another one, and read
the answer as it comes: tokens a second of all together, and the time to the first token, the median of clients. (That
server takes one request after the other; by default it breaks off the one that runs, which is turned off.) Of
SmolLM2-135M-Instruct and of a Llama of 0.83 B parameters, both in bf16; llama.cpp runs the GGUF files that
`cocktail convert` makes of them. Each server starts anew for each model, and answers once before the clock starts.
Then embeddings: texts a second of all-MiniLM-L6-v2, asked for 32 at a time by four clients, beside
sentence-transformers, which is called without a server.

  BENCH_ONLY  smollm2, llama, embeddings; and llama.cpp to run it as well when others are named
  N_TOKENS, N_PROMPT, CLIENTS; ROUNDS, THREADS, BENCH_DIR as in harness.py
"""

import http.client
import importlib.util
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time

from bench_run import WORDS, convert, make_llama
from harness import BENCH_DIR, ROUNDS, THREADS, peer, print_machine, real_model, say, table

N_TOKENS, N_PROMPT = int(os.environ.get("N_TOKENS", 128)), int(os.environ.get("N_PROMPT", 128))
CLIENTS = [int(n) for n in os.environ.get("CLIENTS", "1,4,16").split(",")]
ONLY = [word for word in os.environ.get("BENCH_ONLY", "").split(",") if word]
PARTS = ["smollm2", "llama", "embeddings"]
numbers = random.Random(1)


def wants(part):
    named = [word for word in ONLY if word in PARTS]
    return not named or part in named


# ---- servers


class Server:
    def __init__(self, command, port):
        self.port = port
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self):
        end = time.monotonic() + 300
        while time.monotonic() < end and self.process.poll() is None:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                connection.request("GET", "/v1/models")
                if connection.getresponse().status == 200:
                    return True
            except OSError:
                time.sleep(0.2)
        return False

    def end(self):
        self.process.terminate()
        self.process.wait()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_cocktail(program, model):
    port = free_port()
    return Server([program, "serve", "-q", "-t", THREADS, "--parallel", max(CLIENTS), "--port", port, model], port)


def start_llama_cpp(program, path):
    if not all(importlib.util.find_spec(name) for name in ("llama_cpp", "starlette", "uvicorn", "sse_starlette")):
        say("left out: llama-cpp-python's server, which is not installed")
        return None
    port = free_port()
    return Server([sys.executable, "-m", "llama_cpp.server", "--model", path, "--n_threads", THREADS, "--n_threads_batch", THREADS,
                   "--n_ctx", 2 * (N_TOKENS + N_PROMPT), "--interrupt_requests", "false", "--port", port], port)


# ---- clients


def prompt():
    return "".join(" " + numbers.choice(WORDS) for _ in range(N_PROMPT))


def complete(port, text, n_tokens, banned):
    """Seconds to the first token and to the last."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1200)
    start, first, reason = time.perf_counter(), None, None
    connection.request("POST", "/v1/completions", json.dumps(
        {"prompt": text, "max_tokens": n_tokens, "temperature": 0, "stream": True, "logit_bias": {str(i): -100 for i in banned}}),
        {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert response.status == 200, response.read()
    for line in response:
        if not line.startswith(b"data: {"):
            continue
        first = first or time.perf_counter() - start
        reason = json.loads(line[6:])["choices"][0]["finish_reason"] or reason
    assert reason == "length", reason
    connection.close()
    return first, time.perf_counter() - start


def run_clients(port, n_clients, banned):
    """Tokens a second of all, and the median time to the first token."""
    firsts, threads = [], []
    for _ in range(n_clients):
        text = prompt()
        threads.append(threading.Thread(target=lambda text=text: firsts.append(complete(port, text, N_TOKENS, banned)[0])))
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(firsts) == n_clients
    return n_clients * N_TOKENS / (time.perf_counter() - start), statistics.median(firsts)


def measure(start, program, model, banned):
    """{clients: (tokens/s, seconds)}, the best of ROUNDS each; None without the server."""
    server, found = start(program, model), {}
    if not server:
        return None
    try:
        if not server.wait():
            say(f"{model}: the server does not answer")
            return None
        complete(server.port, prompt(), 2, banned)
        for n in CLIENTS:
            rounds = [run_clients(server.port, n, banned) for _ in range(ROUNDS)]
            found[n] = max(rate for rate, _ in rounds), min(first for _, first in rounds)
            say(f"{model}, {n} clients: {found[n][0]:.1f} tokens/s, first after {found[n][1]:.2f} s")
    finally:
        server.end()
    return found


def texts(program, title, model, banned):
    rows, ours = [], measure(start_cocktail, program, model, banned)
    theirs = measure(start_llama_cpp, program, convert(program, model, "bf16"), banned)
    for name, found in (("cocktail", ours), ("llama-cpp-python", theirs)):
        for n in found or ():
            rate, first = found[n]
            rows.append([f"{name}, {n} client{'s' if n > 1 else ''}", f"{rate:.1f}", f"{rate / found[min(found)][0]:.2f}", f"{first:.2f}",
                         f"{ours[n][0] / rate:.2f}", f"{first / ours[n][1]:.2f}"])
    table(f"{title}: {N_PROMPT} tokens in, {N_TOKENS} out", ["tokens/s", "times one client", "first after, s", "tokens/s, times",
                                                             "first, times"], rows)


# ---- embeddings


def embed(port, batch):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", "/v1/embeddings", json.dumps({"input": batch, "encoding_format": "base64"}))
    answer = json.loads(connection.getresponse().read())
    assert len(answer["data"]) == len(batch)
    connection.close()


def run_embeddings(program, model, all_texts):
    server = start_cocktail(program, model)
    best = 0
    try:
        assert server.wait()
        batches = [all_texts[i:i + 32] for i in range(0, len(all_texts), 32)]
        embed(server.port, batches[0])
        for _ in range(ROUNDS):
            threads = [threading.Thread(target=lambda i=i: [embed(server.port, batch) for batch in batches[i::4]]) for i in range(4)]
            start = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            best = max(best, len(all_texts) / (time.perf_counter() - start))
    finally:
        server.end()
    return best


def embeddings(program):
    model = real_model("minilm")
    if not model:
        return
    rows = []
    for name, n_words, n_texts in (("short", 12, 256), ("long", 254, 64)):
        all_texts = [" ".join(numbers.choice(WORDS) for _ in range(n_words)) for _ in range(n_texts)]
        ours = run_embeddings(program, model, all_texts)
        theirs = peer("sentence-transformers", model, work={"texts": all_texts, "rounds": ROUNDS})
        ours = max(ours, run_embeddings(program, model, all_texts))
        rows.append([f"cocktail serve, {name} texts", f"{ours:.1f}", ""])
        if theirs:
            rows.append([f"sentence-transformers, {name} texts", f"{theirs['texts']:.1f}", f"{ours / theirs['texts']:.2f}"])
    table("all-MiniLM-L6-v2, embeddings", ["texts/s", "times"], rows)


def end_ids(model):
    """Tokens that would end an answer early."""
    path = model / "generation_config.json"
    found = json.loads(path.read_text()).get("eos_token_id") if path.exists() else None
    return [] if found is None else found if isinstance(found, list) else [found]


def in_bf16(program, model):
    folder = BENCH_DIR / f"{model.name}-bf16"
    if not folder.exists():
        subprocess.run([program, "convert", "-q", "--dtype", "bf16", model, "-o", folder], check=True)
    return folder


def main(program):
    print_machine(program)
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    smollm2 = wants("smollm2") and real_model("smollm2")
    if smollm2:
        texts(program, "SmolLM2-135M-Instruct in bf16", in_bf16(program, smollm2), end_ids(smollm2))
    llama = wants("llama") and make_llama()
    if llama:
        texts(program, "Llama of 0.83 B parameters in bf16", llama, [])
    if wants("embeddings"):
        embeddings(program)


if __name__ == "__main__":
    main(sys.argv[1])
