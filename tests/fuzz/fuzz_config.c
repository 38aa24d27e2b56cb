/* fuzz_config.c - any bytes as the config.json of a model: refused with a reason, or a model that
 * runs. The first byte chooses whose weights it describes. */
#include "base/memory.h"
#include "model/model.h"

#include "fuzz_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char *const donors[] = {"llama-gqa", "bert", "t5", "gpt2", "gemma3-f16",
                                     "phi3-window-bf16", "gpt-neox-f16", "roberta",
                                     "deepseek-v3-bf16", "molm-gmm-f16", "openmoe-k1-f16",
                                     "gpt-oss", "switch-transformers-bf16"};

/* FUZZ_MODELS, for a fuzzer that runs elsewhere than in the root of the tree. */
static void copy_weights(const char *donor)
{
    const char *models = getenv("FUZZ_MODELS");
    char path[512];
    static char bytes[1 << 20];
    FILE *file;
    size_t n;

    snprintf(path, sizeof path, "%s/%s/model.safetensors", models ? models : "fixtures/models",
             donor);
    file = fopen(path, "rb");
    MUST(file);
    n = fread(bytes, 1, sizeof bytes, file);
    MUST(n > 0 && n < sizeof bytes && fclose(file) == 0);
    files_write("model.safetensors", bytes, n);
}

/* Whatever it computes, it stays in its memory. */
static void run(struct model *model)
{
    enum { N = 9 };
    uint32_t ids[N] = {1, 2, 0, 3, 5, 7, 11, 13, 60};
    size_t ends[] = {1, N};
    struct batch batch = {.ids = ids, .ends = ends, .n_sequences = 2};
    size_t n = model->spec.hidden_size;
    float *hidden = memory_zalloc(N * n, sizeof *hidden);
    float *memory = memory_zalloc(N * n, sizeof *memory);
    float *logits = memory_zalloc(N * model->spec.vocab_size, sizeof *logits);
    struct error err = {0};

    if (model->spec.is_encoder_decoder) {
        if (model_encode(model, &batch, memory, &err))
            MUST(*err.text);
        batch.memory = memory;
        batch.memory_ends = ends;
    }
    if (model_run(model, &batch, hidden, &err))
        MUST(*err.text);
    else if (model->parameters.head.matrix.data)
        model_logits(model, hidden, N, logits);
    free(hidden);
    free(memory);
    free(logits);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *current;
    static struct threads *threads;
    const char *donor;
    struct error err = {0};

    if (size == 0)
        return 0;
    if (!threads)
        threads = threads_new(1, &err);
    donor = donors[bytes[0] % (sizeof donors / sizeof *donors)];
    if (donor != current)
        copy_weights(current = donor);
    files_write("config.json", bytes + 1, size - 1);
    for (int type = 0; type < N_MODEL_TYPES; type++) {
        struct notices notices = {0};
        struct model_folder folder;
        struct model *model = NULL;

        err = (struct error){0};
        if (model_folder_open(&folder, files_folder(), NULL, false, &err) == 0) {
            model = model_load(&folder, (enum model_type)type, threads, &notices, &err);
            MUST(!model == (err.code != ERROR_NONE));
            if (model)
                run(model);
            model_free(model);
            model_folder_release(&folder);
        } else {
            MUST(err.code == ERROR_FORMAT && *err.text);
        }
        notices_release(&notices);
    }
    return 0;
}
