"""/v1/embeddings, rerank and the words of ollama; models, metrics and what is refused."""
import base64
import json
import os
import struct
import subprocess

from serving import COCKTAIL, Server, check, finish, generate

ENCODER, RERANKER, BASE = "fixtures/encoder-base", "fixtures/reranker-base", "fixtures/decoder-base"
TEXTS = ["the old sailor", "a red bottle", "the painter holds a red bottle", "x"]


def run(*arguments):
    out = subprocess.run([COCKTAIL, *arguments, "-q"], input="\n".join(TEXTS) + "\n",
                         stdout=subprocess.PIPE, check=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def embeddings(server):
    expected = run("embed", ENCODER, "-")
    status, found = server.post("/v1/embeddings", {"input": TEXTS})
    check("status", status == 200, found)
    check("the vectors of embed", [d["embedding"] for d in found["data"]] == expected)
    check("index", [d["index"] for d in found["data"]] == [0, 1, 2, 3])
    check("usage", found["usage"]["prompt_tokens"] == found["usage"]["total_tokens"] > 8, found)
    _, one = server.post("/v1/embeddings", {"input": TEXTS[0], "model": "encoder-base"})
    check("one text", one["data"][0]["embedding"] == expected[0])
    _, coded = server.post("/v1/embeddings", {"input": TEXTS, "encoding_format": "base64"})
    for row, data in zip(expected, coded["data"]):
        raw = base64.b64decode(data["embedding"])
        check("base64", list(struct.unpack(f"<{len(row)}f", raw)) ==
              [struct.unpack("<f", struct.pack("<f", x))[0] for x in row])
    _, short = server.post("/v1/embeddings", {"input": TEXTS[0], "dimensions": 8})
    row = short["data"][0]["embedding"]
    check("dimensions", len(row) == 8 and abs(sum(x * x for x in row) - 1) < 1e-5, row)
    length = sum(x * x for x in expected[0][:8]) ** 0.5
    check("the first", all(abs(a - b / length) < 1e-6 for a, b in zip(row, expected[0])))
    ids = [json.loads(l)["ids"] for l in subprocess.run(
        [COCKTAIL, "tokenize", ENCODER, "--lines", "--json", "-"], input="\n".join(TEXTS) + "\n",
        stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()]
    _, by_ids = server.post("/v1/embeddings", {"input": ids})
    check("ids", [d["embedding"] for d in by_ids["data"]] == expected)
    for body, status in (({"input": []}, 400), ({"input": ""}, 400), ({"input": [""]}, 400),
                         ({"input": [1, "a"]}, 400), ({"input": [[1], "a"]}, 400), ({}, 400),
                         ({"input": [99999999]}, 400), ({"input": [-1]}, 400), ({"input": 3}, 400),
                         ({"input": "a", "dimensions": 100000}, 400),
                         ({"input": "a", "encoding_format": "x"}, 400),
                         ({"input": "a", "model": "decoder-base"}, 400),
                         ({"input": "a", "model": "nobody"}, 404),
                         ({"input": "a " * 5000, "truncate": False}, 400),
                         ({"input": "a " * 5000}, 200), ({"input": ["a"] * 2049}, 400),
                         ({"input": "a", "prompt_name": "nothing"}, 400)):
        found, answer = server.post("/v1/embeddings", body)
        check(f"{status} for {str(body)[:60]}", found == status, (found, answer))
    for name, wrong, right in (("normalize", True, None), ("input_type", "query", None), ("task", "retrieval.query", None),
                               ("output_dimension", 8, None), ("truncate_prompt_tokens", 4, -1), ("truncation", False, True),
                               ("embedding_types", ["int8"], ["float"]), ("truncation_direction", "left", "right")):
        for path in ("/v1/embeddings", "/api/embed"):
            status, answer = server.post(path, {"input": "a", name: wrong})
            check(f"400 for {name}", status == 400 and f"'{name}'" in str(answer["error"]), answer)
            check(f"200 for {name}", server.post(path, {"input": "a", name: right})[0] == 200)
    _, words = server.post("/api/embed", {"model": "encoder-base:latest", "input": TEXTS})
    check("ollama's", words["embeddings"] == expected)


def rerank(server):
    scores = {r["line"] - 1: r["score"] for r in
              run("rerank", RERANKER, "--query", "old red", "--json", "-")}
    status, found = server.post("/v1/rerank", {"query": "old red", "documents": TEXTS,
                                               "raw_scores": True})
    check("status", status == 200, found)
    check("scores", {r["index"]: r["relevance_score"] for r in found["results"]} == scores,
          (found, scores))
    order = [r["relevance_score"] for r in found["results"]]
    check("best first", order == sorted(order, reverse=True))
    _, top = server.post("/v2/rerank", {"query": "old red", "documents": TEXTS, "top_n": 2,
                                        "return_documents": True})
    check("top", len(top["results"]) == 2 and all(
        r["document"]["text"] == TEXTS[r["index"]] and 0 <= r["relevance_score"] <= 1
        for r in top["results"]), top)
    _, tei = server.post("/rerank", {"query": "old red", "texts": TEXTS, "return_text": True})
    check("TEI", [r["index"] for r in tei] == [r["index"] for r in found["results"]] and
          all(r["text"] == TEXTS[r["index"]] for r in tei), tei)
    _, objects = server.post("/v1/rerank", {"query": "old red", "documents": [
        {"text": t} for t in TEXTS], "top_n": 99})
    check("objects", len(objects["results"]) == 4, objects)
    _, twice = server.post("/v1/rerank", b'{"query": "a", "documents": ['
                           b'{"text": "x", "text": "the old"}, "b"], "return_documents": true}')
    check("the last text of an object", sorted(r["document"]["text"] for r in twice["results"]) ==
          ["b", "the old"], twice)
    for body in ({"query": "a"}, {"documents": ["a"]}, {"query": "a", "documents": []},
                 {"query": "a", "documents": ["a", 3]}, {"query": "a", "documents": "a"},
                 {"query": "a", "documents": [{"title": "x"}]}, {"query": 1, "documents": ["a"]},
                 {"query": "a", "documents": [[1]]}, {"query": "a", "documents": [1]},
                 {"query": "a", "documents": ["a"] * 1001}):
        status, answer = server.post("/v1/rerank", body)
        check(f"400 for {str(body)[:60]}", status == 400, (status, answer))


    for path, texts, cases in (
            ("/v1/rerank", "documents", (("max_tokens_per_doc", 10, None), ("rank_fields", ["title"], ["text"]), ("top_k", 1, None),
                                         ("use_activation", False, True), ("return_text", True, False))),
            ("/rerank", "texts", (("top_n", 1, None), ("return_documents", True, False), ("truncation_direction", "Left", "Right")))):
        for name, wrong, right in cases:
            status, answer = server.post(path, {"query": "a", texts: ["b"], name: wrong})
            check(f"400 for {name}", status == 400 and answer["error"]["param"] == name, answer)
            check(f"200 for {name}", server.post(path, {"query": "a", texts: ["b"], name: right})[0] == 200)
    for model, status in (("reranker-base", 200), ("nobody", 404)):
        check("TEI's form knows the model", server.post("/rerank", {"query": "a", "texts": ["b"], "model": model})[0] == status)


def ollama(server):
    alone = generate(BASE, "the old", "--max-tokens", "20")
    options = {"temperature": 0, "num_predict": 20}
    lines = server.lines("/api/generate", {"model": "decoder-base", "prompt": "the old",
                                           "raw": True, "options": options})
    check("lines", "".join(l["response"] for l in lines) == alone["text"], lines)
    check("done", [l["done"] for l in lines[:-1]] == [False] * (len(lines) - 1) and
          lines[-1]["done"] and lines[-1]["eval_count"] == alone["n_tokens"] and
          lines[-1]["done_reason"] == "stop", lines[-1])
    _, whole = server.post("/api/generate", {"model": "decoder-base", "prompt": "the old",
                                             "stream": False, "options": options})
    check("whole", whole["response"] == alone["text"] and whole["done"], whole)
    status, error = server.post("/api/generate", {"model": "nobody", "prompt": "a"})
    check("an error of ollama's", status == 404 and isinstance(error["error"], str), error)
    status, error = server.post("/api/chat", {"model": "decoder-base", "messages": [
        {"role": "user", "content": "a"}]})
    check("no template", status == 400 and "--template" in error["error"], error)
    status, error = server.post("/api/nothing", {})
    check("nothing there, in ollama's words", status == 404 and isinstance(error["error"], str), error)
    for path, body in (("generate", {}), ("generate", {"prompt": "", "keep_alive": 0}), ("generate", {"prompt": None, "stream": True}),
                       ("chat", {}), ("chat", {"messages": []})):
        status, answer = server.post("/api/" + path, dict(body, model="decoder-base"))
        empty = answer["response"] if path == "generate" else answer["message"]["content"]
        check("nothing to answer", status == 200 and answer["done"] is True and answer["done_reason"] == "load" and empty == "", answer)
    _, tags = server.get("/api/tags")
    check("tags", {m["name"] for m in tags["models"]} ==
          {"decoder-base", "encoder-base", "reranker-base"}, tags)
    _, version = server.get("/api/version")
    check("version", version["version"] == "0.1.0")


def others(server):
    _, models = server.get("/v1/models")
    check("models", {m["id"] for m in models["data"]} >
          {"decoder-base", "encoder-base"}, models)
    status, one = server.get("/v1/models/decoder-base")
    check("a model", status == 200 and one["id"] == "decoder-base" and
          one["max_model_len"] == 256, one)
    status, one = server.get("/v1/models/my%2Fname%20x")
    check("an alias", status == 200 and one["id"] == "decoder-base", one)
    check("no model", server.get("/v1/models/x")[0] == 404)
    check("health", server.get("/health") == (200, {"status": "ok"}))
    check("openapi", server.get("/openapi.json")[1]["openapi"].startswith("3."))
    status, headers, page = server.ask("GET", "/")
    check("page", status == 200 and b"<title>" in page and
          "default-src 'none'" in headers["Content-Security-Policy"])
    status, headers, body = server.ask("HEAD", "/health")
    check("HEAD", status == 200 and body == b"")
    for path, allowed in (("/v1/models", "GET, HEAD, OPTIONS"), ("/v1/completions", "POST, OPTIONS")):
        status, headers, body = server.ask("OPTIONS", path)
        check("OPTIONS", status == 204 and headers["Allow"] == allowed, headers)
    _, fireworks = server.post("/inference/v1/completions", {
        "model": "accounts/fireworks/models/decoder-base", "prompt": "the old", "max_tokens": 3,
        "temperature": 0})
    check("fireworks", fireworks["choices"][0]["text"] ==
          generate(BASE, "the old", "--max-tokens", "3")["text"], fireworks)
    _, _, metrics = server.ask("GET", "/metrics")
    for name in ("num_requests_waiting", "time_to_first_token_seconds_bucket",
                 "http_requests_total"):
        check(name, f"cocktail_{name}".encode() in metrics)
    lines = [line for line in metrics.decode().splitlines() if 'model="decoder-base"' in line]
    found = {line.split("{")[0]: float(line.rsplit(" ", 1)[1]) for line in lines}
    n_texts = found["cocktail_request_decode_time_seconds_count"]
    check("times", n_texts > 1 and found["cocktail_request_prefill_time_seconds_count"] == n_texts and
          found["cocktail_request_queue_time_seconds_sum"] +
          found["cocktail_request_prefill_time_seconds_sum"] +
          found["cocktail_request_decode_time_seconds_sum"] < 1.01 * found["cocktail_e2e_request_latency_seconds_sum"],
          lines)
    check("tokens of steps", found["cocktail_iteration_tokens_total_sum"] ==
          found["cocktail_prompt_tokens_total"] - found["cocktail_prompt_tokens_cached_total"] +
          found["cocktail_generation_tokens_total"] - n_texts, lines)
    check("between tokens", 0 < found["cocktail_inter_token_latency_seconds_count"] <=
          found["cocktail_generation_tokens_total"] - n_texts, lines)
    check("caches that are kept", 0 < found["cocktail_kv_cache_usage_perc"] < 1, lines)
    check("memory", any(line.startswith("process_resident_memory_bytes ") and int(line.split()[1]) > 1e6
                        for line in metrics.decode().splitlines()))


with Server(ENCODER, RERANKER, BASE, "-q", "--alias", "my/name x=decoder-base") as server:
    embeddings(server)
    rerank(server)
    ollama(server)
    others(server)
    check("ends with 0", server.end() == 0)
os.environ.pop("COCKTAIL_API_KEY", None)
finish()
