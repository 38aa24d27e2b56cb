/* fuzz_adapter.c - any bytes as an adapter, up to a NUL its adapter_config.json and behind it the header of
 * its adapter_model.safetensors: refused with a reason, or added to a model, every tensor of which can
 * be read. */
#include "adapter/adapted_model.h"
#include "base/memory.h"
#include "tensor/tensor_source.h"

#include "fuzz_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { DATA_BYTES = 8192 };

/* Numbers between -1 and 1, whatever they are taken for. */
static void write_weights(const uint8_t *header, size_t size)
{
    size_t all = 8 + size + DATA_BYTES;
    char *file = memory_zalloc(all, 1);
    uint64_t length = size;

    memcpy(file, &length, sizeof length);
    memcpy(file + 8, header, size);
    for (size_t i = 0; i < DATA_BYTES / 4; i++) {
        float value = (float)(i % 17) / 16 - 0.5f;

        memcpy(file + 8 + size + 4 * i, &value, sizeof value);
    }
    files_write("adapter_model.safetensors", file, all);
    free(file);
}

static void read_all(struct model_folder *model, struct notices *notices)
{
    struct error err = {0};
    const struct checkpoint *weights = model_folder_weights(model, notices, &err);

    MUST(weights);
    for (size_t i = 0; i < weights->n_tensors; i++) {
        const struct tensor *tensor = &weights->tensors[i];
        float *values = memory_zalloc(tensor->n_items + 1, sizeof *values);

        err = (struct error){0};
        if (tensor_read_floats(tensor, values, &err))
            MUST(*err.text);
        free(values);
    }
}

/* FUZZ_ADAPTERS, for a fuzzer that runs elsewhere than in the root of the tree. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const bases[] = {"base-llama", "base-qwen3-moe", "base-gpt2", "base-llama-tied"};
    const char *adapters = getenv("FUZZ_ADAPTERS");
    const uint8_t *end = memchr(bytes, '\0', size);
    size_t n_config = end ? (size_t)(end - bytes) : size;

    files_write("adapter_config.json", bytes, n_config);
    write_weights(end ? end + 1 : bytes, end ? size - n_config - 1 : 0);
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        char *path = memory_format("%s/%s", adapters ? adapters : "fixtures/adapters", bases[i]);
        struct notices notices = {0};
        struct model_folder model;
        struct error err = {0};

        MUST(model_folder_open(&model, path, NULL, false, &err) == 0);
        if (adapted_model_add(&model, files_folder(), "it", false, &notices, &err) == 0)
            read_all(&model, &notices);
        else
            MUST(err.code != ERROR_NONE && *err.text);
        model_folder_release(&model);
        notices_release(&notices);
        free(path);
    }
    return 0;
}
