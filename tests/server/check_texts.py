"""/v1/completions and /v1/chat/completions: what they give, whole and streamed, alone and together."""
import json
import subprocess
import threading

from serving import COCKTAIL, Server, check, finish, generate

BASE, TENSE = "fixtures/decoder-base", "fixtures/decoder-tense"
PROMPTS = ["the old", "What is 29 plus 7?", "Past tense: the sailor cleans the empty island",
           "Translate: the new island keeps the quiet basket",
           "the old the old the old the old the old"]  # guesses come true


def text_of(events):
    return "".join(c["text"] for e in events if e != "[DONE]" for c in e["choices"])


def completions(server):
    for prompt in PROMPTS:
        alone = generate(BASE, prompt, "--max-tokens", "24")
        request = {"model": "decoder-base", "prompt": prompt, "max_tokens": 24, "temperature": 0}
        status, whole = server.post("/v1/completions", request)
        check("status", status == 200, whole)
        choice = whole["choices"][0]
        check("object", whole["object"] == "text_completion" and whole["id"].startswith("cmpl-"))
        check("the text of generate", choice["text"] == alone["text"], (choice, alone))
        check("finish_reason",
              choice["finish_reason"] == ("length" if alone["stop"] == "length" else "stop"))
        check("usage", whole["usage"]["prompt_tokens"] == alone["n_prompt_tokens"] and
              whole["usage"]["completion_tokens"] == alone["n_tokens"] and
              whole["usage"]["total_tokens"] == alone["n_prompt_tokens"] + alone["n_tokens"])
        events = server.events("/v1/completions", dict(request, stream=True))
        check("[DONE]", events[-1] == "[DONE]")
        check("streamed", text_of(events) == alone["text"], events)
        check("no empty choices", all(e["choices"] for e in events[:-1]))
        events = server.events("/v1/completions", dict(
            request, stream=True, stream_options={"include_usage": True}))
        check("usage at the end", events[-2]["choices"] == [] and
              events[-2]["usage"]["completion_tokens"] == alone["n_tokens"])
        check("usage before", all(e["usage"] is None for e in events[:-2]))
        events = server.events("/v1/completions", dict(request, stream=True, stream_options={
            "include_usage": True, "continuous_usage_stats": True}))
        counts = [e["usage"]["completion_tokens"] for e in events[:-1]]
        check("usage all along", counts == sorted(counts) and 0 < counts[0] <= counts[-1] == alone["n_tokens"], events)


def forms(server):
    status, many = server.post("/v1/completions", {
        "prompt": PROMPTS, "max_tokens": 8, "temperature": 0, "n": 2, "model": "decoder-base"})
    check("order", [c["index"] for c in many["choices"]] == list(range(2 * len(PROMPTS))))
    for i, prompt in enumerate(PROMPTS):
        alone = generate(BASE, prompt, "--max-tokens", "8")["text"]
        check("each prompt twice", many["choices"][2 * i]["text"] == alone and
              many["choices"][2 * i + 1]["text"] == alone, many)
    _, by_ids = server.post("/v1/completions", {"prompt": [1, 293, 377], "max_tokens": 4,
                                                "temperature": 0, "model": "decoder-base"})
    check("ids count", by_ids["usage"]["prompt_tokens"] == 3, by_ids)
    _, by_lists = server.post("/v1/completions", {"prompt": [[1, 293, 377]], "max_tokens": 4,
                                                  "temperature": 0, "model": "decoder-base"})
    check("lists of ids", by_lists["choices"] == by_ids["choices"])
    _, default = server.post("/v1/completions", {"prompt": "the old", "ignore_eos": True,
                                                 "model": "decoder-base"})
    check("16 tokens", default["usage"]["completion_tokens"] == 16, default)
    _, echo = server.post("/v1/completions", {"prompt": "the old", "max_tokens": 4, "echo": True,
                                              "temperature": 0, "model": "decoder-base"})
    alone = generate(BASE, "the old", "--max-tokens", "4")["text"]
    check("echo", echo["choices"][0]["text"].endswith(alone) and
          "the old" in echo["choices"][0]["text"], echo)
    events = server.events("/v1/completions", {
        "prompt": "the old", "max_tokens": 4, "echo": True, "temperature": 0, "stream": True,
        "model": "decoder-base"})
    check("echo streamed", text_of(events) == echo["choices"][0]["text"], events)
    for stop in ("bottle", ["zzz", "a red", "holds"]):
        name = stop if isinstance(stop, str) else stop[2]
        _, stopped = server.post("/v1/completions", {"prompt": "the old", "stop": stop,
                                                     "max_tokens": 24, "temperature": 0,
                                                     "model": "decoder-base"})
        alone = generate(BASE, "the old", "--max-tokens", "24", "--stop", name)["text"]
        check("stop", stopped["choices"][0]["text"] == alone and
              stopped["choices"][0]["finish_reason"] == "stop", stopped)


def logprobs(server):
    request = {"prompt": "the old", "max_tokens": 5, "temperature": 0, "logprobs": 2,
               "model": "decoder-base"}
    alone = generate(BASE, "the old", "--max-tokens", "5", "--logprobs", "2")
    _, whole = server.post("/v1/completions", request)
    found = whole["choices"][0]["logprobs"]
    check("tokens", "".join(found["tokens"]) == alone["text"], (found, alone))
    check("numbers", found["token_logprobs"] == [t["logprob"] for t in alone["logprobs"]], found)
    check("top", all(len(t) == 2 for t in found["top_logprobs"]), found)
    check("offsets", found["text_offset"][0] == 0 and
          found["text_offset"][1] == len(found["tokens"][0]), found)
    events = server.events("/v1/completions", dict(request, stream=True))
    streamed = [n for e in events[:-1] for c in e["choices"] if c["logprobs"]
                for n in c["logprobs"]["token_logprobs"]]
    check("streamed numbers", streamed == found["token_logprobs"], streamed)
    offsets = [n for e in events[:-1] for c in e["choices"] if c["logprobs"]
               for n in c["logprobs"]["text_offset"]]
    check("streamed offsets", offsets == found["text_offset"], offsets)


def echoes(server):
    """The prompt before its answer, and how likely its tokens were."""
    request = {"prompt": "the old sailor holds", "max_tokens": 3, "temperature": 0, "logprobs": 5,
               "model": "decoder-base"}
    _, alone = server.post("/v1/completions", request)
    _, whole = server.post("/v1/completions", dict(request, echo=True))
    text, told = whole["choices"][0]["text"], whole["choices"][0]["logprobs"]
    own = alone["choices"][0]["logprobs"]
    check("the prompt stands before", text == request["prompt"] + alone["choices"][0]["text"], text)
    check("nothing tells the first", told["token_logprobs"][0] is None and
          told["top_logprobs"][0] is None, told)
    n = whole["usage"]["prompt_tokens"]
    check("a number for each", len(told["tokens"]) == n + 3 == len(told["token_logprobs"]), told)
    check("the answer's are the same", told["token_logprobs"][n:] == own["token_logprobs"] and
          told["tokens"][n:] == own["tokens"], (told, own))
    for i in range(1, len(told["tokens"])):
        check("offsets", text[told["text_offset"][i]:].startswith(told["tokens"][i].strip("\ufffd")),
              (i, told))
    made = json.loads(subprocess.run(
        [COCKTAIL, "tokenize", BASE, "--json"], input=request["prompt"].encode(),
        stdout=subprocess.PIPE, check=True).stdout)["ids"]
    for i in range(1, n):  # each as the next token behind what stands before it
        _, next_ = server.post("/v1/completions", dict(
            request, prompt=made[:i], max_tokens=1, logit_bias={str(made[i]): 100}))
        check("the number", next_["choices"][0]["logprobs"]["token_logprobs"] ==
              told["token_logprobs"][i:i + 1], (i, next_, told))
    for more in ({}, {"n": 2}):
        events = server.events("/v1/completions", dict(request, echo=True, stream=True, **more))
        for number in range(more.get("n", 1)):
            mine = [c for e in events[:-1] for c in e["choices"] if c["index"] == number]
            check("streamed text", "".join(c["text"] for c in mine) == text, mine)
            for key, values in told.items():
                check("streamed " + key, sum((c["logprobs"][key] for c in mine if c["logprobs"]),
                                             []) == values, mine)
    long = "the old sailor " * 60  # more than a block of what is scored, and it was read before
    _, first = server.post("/v1/completions", dict(request, prompt=long))
    _, second = server.post("/v1/completions", dict(request, prompt=long, echo=True))
    check("a prompt that was cached", second["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
          and None not in second["choices"][0]["logprobs"]["token_logprobs"][1:] and
          second["choices"][0]["text"].endswith(first["choices"][0]["text"]), second["usage"])


def seeds(server):
    request = {"prompt": "the old", "max_tokens": 20, "temperature": 1.5, "seed": 2**63 + 5,
               "n": 5, "model": "decoder-base"}
    _, one = server.post("/v1/completions", request)
    _, two = server.post("/v1/completions", request)
    texts = [c["text"] for c in one["choices"]]
    check("one seed, one text", texts == [c["text"] for c in two["choices"]])
    check("choices differ", len(set(texts)) > 1, texts)
    _, other = server.post("/v1/completions", dict(request, seed=2**63 + 6))
    check("all bits of a seed", texts != [c["text"] for c in other["choices"]])
    events = server.events("/v1/completions", dict(request, stream=True))
    streamed = [""] * 5
    for event in events[:-1]:
        for choice in event["choices"]:
            streamed[choice["index"]] += choice["text"]
    check("streamed seeds", streamed == texts, (streamed, texts))
    unseeded = {server.post("/v1/completions", {
        "prompt": "the old", "max_tokens": 20, "temperature": 1.5, "model": "decoder-base"})[1][
            "choices"][0]["text"] for _ in range(5)}
    check("without a seed each differs", len(unseeded) > 1, unseeded)
    cases = generate(BASE, "the old", "--max-tokens", "20", "--temperature", "1.5", "--seed", "77")
    _, same = server.post("/v1/completions", {
        "prompt": "the old", "max_tokens": 20, "temperature": 1.5, "seed": 77,
        "model": "decoder-base"})
    check("the seed of generate", same["choices"][0]["text"] == cases["text"], (same, cases))


def together(server):
    """Each of many clients gets what it gets alone."""
    def request(i):
        return {"model": ("decoder-base", "decoder-tense")[i % 2], "prompt": PROMPTS[i % 4],
                "max_tokens": 6 + i % 7, "temperature": i % 3 * 0.7, "seed": i + 1,
                "stream": i % 5 == 0}

    def ask(i):
        if request(i)["stream"]:
            return text_of(server.events("/v1/completions", request(i)))
        return server.post("/v1/completions", request(i))[1]["choices"][0]["text"]

    alone = [ask(i) for i in range(50)]
    for n in (1, 2, 8, 50):
        texts = [None] * n
        threads = [threading.Thread(target=lambda i=i: texts.__setitem__(i, ask(i)))
                   for i in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(f"{n} clients", texts == alone[:n],
              [(i, a, b) for i, (a, b) in enumerate(zip(texts, alone)) if a != b])


def crowded():
    """Caches that do not fit: texts lose theirs, and are the same. One request, so that all run at once."""
    request = {"prompt": [PROMPTS[i % 4] + " and" * i for i in range(6)], "max_tokens": 150, "temperature": 1,
               "seed": 1, "ignore_eos": True}
    texts = []
    for memory in ("1GB", "2MB"):
        with Server(BASE, "-q", "--cache-memory", memory) as server:
            found = [choice["text"] for choice in server.post("/v1/completions", request)[1]["choices"]]
            texts.append(found)
            check(f"{memory}: some lose their cache", (server.metric(
                "cocktail_num_preemptions_total") > 0) == (memory == "2MB"), memory)
    check("the same texts", texts[0] == texts[1], texts)


def come_and_go():
    """Models that are not all there at once."""
    done = subprocess.run([COCKTAIL, "serve", TENSE, "--max-memory", "1MB", "--port", "0"],
                          stderr=subprocess.PIPE, timeout=60, check=False)
    check("more than there may be", done.returncode == 4 and b"'decoder-tense'" in done.stderr, done)
    with Server(BASE, TENSE, "fixtures/decoder-arithmetic", "-q", "--max-memory", "2MB") as server:
        for i in range(6):
            name = ("decoder-base", "decoder-tense", "decoder-arithmetic")[i % 3]
            _, answer = server.post("/v1/completions", {
                "model": name, "prompt": PROMPTS[0], "temperature": 0, "max_tokens": 8})
            alone = generate("fixtures/" + name, PROMPTS[0], "--max-tokens", "8")["text"]
            check(name, answer["choices"][0]["text"] == alone, (answer, alone))
            check("one is there", sum(server.metric(
                f'cocktail_model_loaded{{model="{other}"') for other in (
                    "decoder-base", "decoder-tense", "decoder-arithmetic")) == 1)


crowded()
come_and_go()
with Server(BASE, TENSE, "--parallel", "8", "-q") as server:
    completions(server)
    forms(server)
    logprobs(server)
    echoes(server)
    seeds(server)
    together(server)
    check("nothing runs any more", server.metric("cocktail_num_requests_running") == 0)
    check("prompts were shared", server.metric("cocktail_prompt_tokens_cached_total") >= 0)
    check("ends with 0", server.end() == 0)
finish()
