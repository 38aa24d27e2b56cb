"""peer.py KIND FILE... - another program's figures, a line of JSON a round; run by bench_run.py.

A process of its own for each of them, with as many threads as cocktail: OMP_NUM_THREADS says how
many. Everything is loaded, and has run once, before the clock starts. With --probe instead of files:
says which versions are installed, or fails.

  transformers DTYPE MODEL WORK        tokens/s of a prompt, and after a short one
  llama.cpp MODEL.gguf WORK            the same
  sentence-transformers MODEL WORK     texts/s
  onnxruntime MODEL WORK               the same, or pairs/s
  cross-encoder MODEL WORK             pairs/s

WORK is JSON: {"ids": of the prompt, "n_tokens": after its first SHORT ids}, {"texts": …} or {"query", "texts"};
"rounds" of it are measured.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

THREADS = int(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0))))
SHORT = 8


def say_round(**figures):
    print(json.dumps(figures), flush=True)


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


# ---- decoders


def run_decoder(model, work):
    """model.read(ids) begins anew and returns the likeliest next one, model.go_on(id) the one after."""

    def go_on(last):
        for _ in range(work["n_tokens"]):
            last = model.go_on(last)

    for turn in range(work["rounds"] + 1):
        prompt_s = seconds(lambda: model.read(work["ids"]))
        last = model.read(work["ids"][:SHORT])
        then_s = seconds(lambda: go_on(last))
        if turn:
            say_round(prompt=len(work["ids"]) / prompt_s, then=work["n_tokens"] / then_s)


class Transformers:
    def __init__(self, dtype, folder):
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(THREADS)
        torch.set_grad_enabled(False)
        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()

    def read(self, ids):
        self.cache = None
        return self.step(ids)

    def go_on(self, last):
        return self.step([last])

    def step(self, ids):
        out = self.model(self.torch.tensor([ids]), past_key_values=self.cache, use_cache=True, logits_to_keep=1)
        self.cache = out.past_key_values
        return int(out.logits[0, -1].argmax())


class LlamaCpp:
    def __init__(self, path):
        import llama_cpp
        import numpy

        self.cpp, self.numpy = llama_cpp, numpy
        llama_cpp.llama_log_set(QUIET, None)
        settings = llama_cpp.llama_model_default_params()
        settings.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), settings)
        if not self.model:
            sys.exit(f"llama.cpp does not load {path}")
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx, settings.n_batch, settings.n_ubatch = 1024, 512, 512
        settings.n_threads = settings.n_threads_batch = THREADS
        self.context = llama_cpp.llama_init_from_model(self.model, settings)
        self.n_words = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))

    def read(self, ids):
        self.cpp.llama_memory_clear(self.cpp.llama_get_memory(self.context), True)
        return self.step(ids)

    def go_on(self, last):
        return self.step([last])

    def step(self, ids):
        tokens = (self.cpp.llama_token * len(ids))(*ids)  # the batch borrows them
        if self.cpp.llama_decode(self.context, self.cpp.llama_batch_get_one(tokens, len(ids))):
            sys.exit("llama_decode failed")
        logits = self.cpp.llama_get_logits_ith(self.context, -1)
        return int(self.numpy.ctypeslib.as_array(logits, (self.n_words,)).argmax())


def quiet_log():
    import llama_cpp

    return llama_cpp.llama_log_callback(lambda level, text, data: None)


# ---- encoders


def run_texts(score, n_texts, work):
    for turn in range(work["rounds"] + 1):
        figure = n_texts / seconds(score)
        if turn:
            say_round(texts=figure)


def run_sentence_transformers(folder, work):
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(THREADS)
    model = SentenceTransformer(folder, device="cpu")
    run_texts(lambda: model.encode(work["texts"], batch_size=32, show_progress_bar=False), len(work["texts"]), work)


def run_cross_encoder(folder, work):
    import torch
    from sentence_transformers import CrossEncoder

    torch.set_num_threads(THREADS)
    model = CrossEncoder(folder, device="cpu")
    pairs = [(work["query"], text) for text in work["texts"]]
    run_texts(lambda: model.predict(pairs, batch_size=32, show_progress_bar=False), len(pairs), work)


def export_onnx(folder, is_reranker, path):
    """The inputs that its tokenizer gives, both of their sizes free."""
    import torch
    from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

    model = (AutoModelForSequenceClassification if is_reranker else AutoModel).from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").eval()
    batch = AutoTokenizer.from_pretrained(folder)(["a b c", "d e f"], return_tensors="pt")
    names = list(batch.keys())

    class Outputs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *inputs):
            return self.model(**dict(zip(names, inputs)), return_dict=False)[0]

    axes = {name: {0: "texts", 1: "tokens"} for name in [*names, "out"]}
    torch.onnx.export(Outputs(), tuple(batch.values()), path, input_names=names, output_names=["out"],
                      dynamic_axes=axes if not is_reranker else {**axes, "out": {0: "texts"}}, dynamo=False)


def run_onnxruntime(folder, work):
    import numpy
    import onnxruntime
    from transformers import AutoTokenizer

    tokenizer, is_reranker = AutoTokenizer.from_pretrained(folder), "query" in work
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "model.onnx")
        export_onnx(folder, is_reranker, path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    taken = {entry.name for entry in session.get_inputs()}
    texts = sorted(work["texts"], key=len)  # as sentence-transformers does: less padding

    def one_batch(batch):
        inputs = [[work["query"]] * len(batch), batch] if is_reranker else [batch]
        encoded = tokenizer(*inputs, padding=True, truncation=True, max_length=work["max_tokens"], return_tensors="np")
        out = session.run(None, {name: encoded[name].astype(numpy.int64) for name in taken})[0]
        if is_reranker:
            return out
        mask = encoded["attention_mask"][..., None]
        mean = (out * mask).sum(1) / mask.sum(1)
        return mean / numpy.linalg.norm(mean, axis=1, keepdims=True)

    run_texts(lambda: [one_batch(texts[i:i + 32]) for i in range(0, len(texts), 32)], len(texts), work)


# ---- all


PROBES = {"transformers": ["torch", "transformers"], "llama.cpp": ["llama_cpp"],
          "sentence-transformers": ["torch", "sentence_transformers"], "cross-encoder": ["torch", "sentence_transformers"],
          "onnxruntime": ["onnxruntime", "onnx", "transformers"]}


def probe(kind):
    import importlib

    modules = {name: importlib.import_module(name) for name in PROBES[kind]}
    print(", ".join(f"{name} {module.__version__}" for name, module in modules.items()))


def main():
    global QUIET
    kind, *arguments = sys.argv[1:]
    if arguments == ["--probe"]:
        probe(kind)
        return
    work = json.loads(Path(arguments.pop()).read_text())
    if kind == "transformers":
        run_decoder(Transformers(*arguments), work)
    elif kind == "llama.cpp":
        QUIET = quiet_log()
        run_decoder(LlamaCpp(*arguments), work)
    else:
        {"sentence-transformers": run_sentence_transformers, "cross-encoder": run_cross_encoder,
         "onnxruntime": run_onnxruntime}[kind](*arguments, work)


if __name__ == "__main__":
    main()
