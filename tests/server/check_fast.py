"""serve --compute fast: what the other commands give with it, to many clients at once."""
import json
import subprocess
import threading

from serving import COCKTAIL, Server, check, finish, generate

PROMPTS = ["the old", "What is 29 plus 7?", "Past tense: the sailor cleans the empty island",
           "Translate: the new island keeps the quiet basket", "the old sailor " * 30]
BASE, QUANTISED, ENCODER = "fixtures/decoder-base", "quantised.gguf", "fixtures/encoder-base"
NUMBERS = ["--max-tokens", "24", "--logprobs", "1"]


def name_of(model):
    return model.split("/")[-1]


def expected_of(model, compute):
    alone = [generate(model, prompt, "-q", "--compute", compute, *NUMBERS) for prompt in PROMPTS]
    return [(one["text"], [token["logprob"] for token in one["logprobs"]]) for one in alone]


def ask(server, model, prompt, found, i):
    _, answer = server.post("/v1/completions", {"model": name_of(model), "prompt": prompt, "max_tokens": 24,
                                                "temperature": 0, "logprobs": 1})
    choice = answer["choices"][0]
    found[i] = choice["text"], choice["logprobs"]["token_logprobs"]


def together(server, model):
    """all at once, each twice"""
    prompts, found = PROMPTS * 2, [None] * 2 * len(PROMPTS)
    clients = [threading.Thread(target=ask, args=(server, model, prompt, found, i))
               for i, prompt in enumerate(prompts)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return found


def vectors(compute):
    out = subprocess.run([COCKTAIL, "embed", "-q", "--compute", compute, ENCODER, "-"], check=True, text=True,
                         input="".join(f"{prompt}\n" for prompt in PROMPTS), stdout=subprocess.PIPE).stdout
    return [json.loads(line) for line in out.splitlines()]


subprocess.run([COCKTAIL, "convert", "-q", BASE, "-o", QUANTISED, "--dtype", "q8_0"], check=True,
               stdout=subprocess.DEVNULL)
with Server(BASE, QUANTISED, ENCODER, "--compute", "fast", "--parallel", "8") as server:
    check("it is said", sum("computing fast" in note or "--compute fast" in note for note in server.notes) == 1,
          server.notes)
    for model in BASE, QUANTISED:
        fast = expected_of(model, "fast")
        check(model, together(server, model) == fast * 2)
        if any("to bf16" in note for note in server.notes) or (
                model == QUANTISED and any("8 bits" in note for note in server.notes)):
            check("it is not exact", fast != expected_of(model, "exact"))
    _, found = server.post("/v1/embeddings", {"model": name_of(ENCODER), "input": PROMPTS})
    check("vectors", [row["embedding"] for row in found["data"]] == vectors("fast"))
    check("ends with 0", server.end() == 0)
finish()
