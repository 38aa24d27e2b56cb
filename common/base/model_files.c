#include "model_files.h"

#include <fnmatch.h>
#include <string.h>

#include "base/memory.h"

const struct model_weights_name model_weights_names[MODEL_WEIGHTS_NAMES] = {
    {"model.safetensors", false, false},
    {"model.safetensors.index.json", true, false},
    {"pytorch_model.bin", false, false},
    {"pytorch_model.bin.index.json", true, false},
    {"consolidated.safetensors", false, false},
    {"consolidated.safetensors.index.json", true, false},
    {"consolidated.00.safetensors", false, true},
    {"consolidated.00.pth", false, true},
    {"consolidated.00.pt", false, true},
};

int model_files_number(const char *name)
{
    static const char *const endings[] = {".safetensors", ".pth", ".pt"};
    const char *digits = name + strlen("consolidated.");

    if (strncmp(name, "consolidated.", strlen("consolidated.")) != 0 || digits[0] < '0' ||
        digits[0] > '9' || digits[1] < '0' || digits[1] > '9')
        return -1;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strcmp(digits + 2, endings[i]) == 0)
            return 10 * (digits[0] - '0') + (digits[1] - '0');
    return -1;
}

char *model_files_numbered(const char *path, unsigned number)
{
    const char *ending = strrchr(path, '.');

    return memory_format("%.*s%02u%s", (int)(ending - path - 2), path, number, ending);
}

bool model_files_match(const char *const *patterns, const char *name)
{
    for (size_t i = 0; patterns[i]; i++)
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    return false;
}

bool model_files_is_consolidated(const char *name)
{
    return strncmp(name, "consolidated", strlen("consolidated")) == 0;
}

bool model_files_is_weights(const char *name)
{
    static const char *const patterns[] = {
        "*.safetensors", "*.safetensors.index.json", "*.bin", "*.bin.index.json", "*.pt", "*.pth",
        "*.h5", "*.h5.index.json", "*.msgpack", "*.msgpack.index.json", "*.ot", "*.onnx*", "*.gguf",
        "consolidated*", NULL,
    };

    return model_files_match(patterns, name);
}

bool model_files_is_stale(const char *name)
{
    static const char *const patterns[] = {
        "adapter_*",       "optimizer.*",     "optimizer_*", "scheduler.*",   "rng_state*",
        "scaler.*",        "training_args.*", "trainer_state.json", "consolidated*", ".git*",
        "checklist.chk",   NULL, /* Llama's digests of the weights */
    };

    return model_files_match(patterns, name);
}

bool model_files_is_stale_folder(const char *name)
{
    static const char *const patterns[] = {
        "openvino", "onnx", "original", "checkpoint-*", "global_step*", "consolidated*", ".git*",
        ".cache",  NULL,
    };

    return model_files_match(patterns, name);
}

bool model_files_is_head(const char *name)
{
    static const char *const names[] = {"colbert_linear.pt", "sparse_linear.pt", NULL};

    return model_files_match(names, name);
}

bool model_files_is_lone_weights(const char *name)
{
    static const char *const patterns[] = {"*.pt", "*.pth", NULL};
    static const char *const others[] = {
        "optimizer*", "scheduler*", "rng_state*", "scaler*", "training_args*", "adapter_*",
        "consolidated*", NULL,
    };

    return model_files_match(patterns, name) && !model_files_match(others, name) &&
           !model_files_is_head(name);
}
