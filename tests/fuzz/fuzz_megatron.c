/* fuzz_megatron.c - any bytes as the file of a Megatron-LM checkpoint's only rank: refused or read,
 * never more.
 *
 * What is accepted must also be true: config.json can be loaded, and the values of every tensor
 * read. */
#include <sys/stat.h>

#include "arch/model_folder.h"
#include "arch/model_spec.h"
#include "base/memory.h"
#include "fuzz_folder.h"
#include "fuzz_zip.h"

static const char file_name[] = "iter_0000001/mp_rank_00/model_optim_rng.pt";

static void make_folders(void)
{
    static const char *const names[] = {"iter_0000001", "iter_0000001/mp_rank_00"};
    static bool are_there;

    for (size_t i = 0; !are_there && i < 2; i++) {
        char path[128];

        snprintf(path, sizeof path, "%s/%s", files_folder(), names[i]);
        MUST(mkdir(path, 0700) == 0);
    }
    are_there = true;
}

static void read_values(const struct tensor *tensor)
{
    enum { MOST = 4096 };
    static char out[MOST * 16];
    size_t n = tensor->n_items < MOST ? tensor->n_items : MOST;
    struct error err = {0};

    MUST(tensor_read(tensor, 0, n, out, &err) == 0);
    MUST(tensor_read(tensor, tensor->n_items - n, n, out, &err) == 0);
}

static void look_at(struct model_folder *model)
{
    const struct checkpoint *checkpoint;
    struct notices notices = {0};
    struct model_spec spec;
    struct error err = {0};
    enum model_type type;

    MUST(model->megatron && model->has_config);
    checkpoint = model_folder_weights(model, &notices, &err);
    MUST(checkpoint);
    for (size_t i = 0; i < checkpoint->n_tensors; i++)
        read_values(&checkpoint->tensors[i]);
    MUST(model_folder_type(model, NULL, &type, &err) == 0);
    if (model_spec_load(&spec, &model->config, type, "fuzz", &err) == 0)
        model_spec_release(&spec);
    else
        MUST(*err.text);
    notices_release(&notices);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct model_folder model;
    struct error err = {0};
    uint8_t *copy = memory_alloc(size);

    make_folders();
    if (size)
        memcpy(copy, bytes, size);
    zip_clear_crcs(copy, size);
    files_write(file_name, copy, size);
    free(copy);
    if (model_folder_open(&model, files_folder(), NULL, false, &err) == 0) {
        look_at(&model);
        model_folder_release(&model);
    } else {
        MUST(err.code != ERROR_NONE && *err.text);
    }
    return 0;
}
