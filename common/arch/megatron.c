#include "megatron.h"

#include <stdlib.h>
#include <string.h>

#include "arch/megatron_settings.h"
#include "arch/megatron_tensors.h"
#include "base/json.h"
#include "base/memory.h"

/* ---- the folder that it is shown as ---- */

/* What stands beside the iterations, but for what belongs to them. */
static int show_files(struct folder *folder, struct error *err)
{
    char **names;
    size_t n_names;

    if (folder_list(folder, "", &names, &n_names, err))
        return -1;
    for (size_t i = 0; i < n_names; i++) {
        const char *ending = strrchr(names[i], '.');
        bool is_theirs = strncmp(names[i], "latest_", 7) == 0 ||
                         (ending && (strcmp(ending, ".pt") == 0 || strcmp(ending, ".distcp") == 0));

        if (!is_theirs && folder_look(folder, names[i]) == FOLDER_FILE)
            folder_show(folder, names[i]);
    }
    folder_names_free(names, n_names);
    folder_restrict(folder);
    return 0;
}

/* ---- ranks ---- */

static int read_ranks(struct megatron *megatron, const struct megatron_files *files,
                      struct error *err)
{
    enum { MOST = 1 << 20 };
    const cJSON *args = files->args;
    size_t n_each;

    megatron->n_tensor = files->n_tensor;
    megatron->n_stages = files->n_stages;
    megatron->n_chunks = files->n_chunks;
    megatron->n_expert = files->n_expert;
    megatron->is_sequence_parallel = json_bool(args, "sequence_parallel", false);
    if (megatron_args_count(args, "context_parallel_size", 1, 1, MOST, &megatron->n_context, err) ||
        megatron_args_count(args, "expert_tensor_parallel_size", 0, 1, MOST,
                            &megatron->n_expert_tensor, err))
        return -1;
    n_each = files->n_tensor * files->n_stages * megatron->n_context;
    if (megatron_args_count(args, "data_parallel_size", 1, 1, MOST, &megatron->n_data, err) ||
        megatron_args_count(args, "world_size", n_each * megatron->n_data, 1, (size_t)1 << 50,
                            &megatron->n_world, err))
        return -1;
    return 0;
}

/* Since 2025 experts have a grid of their own over the same processes. */
static bool fits_folded(const struct megatron *megatron, struct buffer *sentence)
{
    size_t n = megatron->n_expert_tensor * megatron->n_expert * megatron->n_stages;
    bool fits = megatron->n_world % n == 0;

    buffer_format(sentence, "world_size %zu is %s multiple of ETP %zu * EP %zu * PP %zu%s",
                  megatron->n_world, fits ? "a" : "no", megatron->n_expert_tensor,
                  megatron->n_expert, megatron->n_stages,
                  fits ? "" : ", the processes that hold all experts once");
    return fits;
}

/* Before, groups of experts were cut out of the data parallel ones. */
static bool fits_old(const struct megatron *megatron, struct buffer *sentence)
{
    bool fits = megatron->n_data % megatron->n_expert == 0;

    if (fits && megatron->n_tensor > 1 && megatron->n_expert > 1 &&
        !megatron->is_sequence_parallel) {
        buffer_format(sentence, "sequence_parallel is false, but with TP %zu and EP %zu experts "
                      "are trained with it only", megatron->n_tensor, megatron->n_expert);
        return false;
    }
    buffer_format(sentence, "DP %zu is %s multiple of EP %zu%s", megatron->n_data,
                  fits ? "a" : "no", megatron->n_expert,
                  fits ? "" : ": groups of expert parallel ranks are cut out of data parallel "
                              "ones");
    return fits;
}

bool megatron_fits_rules(const struct megatron *megatron, struct buffer *sentence)
{
    bool is_whole = megatron->n_world == megatron->n_tensor * megatron->n_stages *
                                             megatron->n_context * megatron->n_data;

    if (!is_whole || megatron->n_experts == 0) {
        buffer_format(sentence, "world_size %zu is %sTP %zu * PP %zu * CP %zu * DP %zu",
                      megatron->n_world, is_whole ? "" : "not ", megatron->n_tensor,
                      megatron->n_stages, megatron->n_context, megatron->n_data);
        return is_whole;
    }
    buffer_format(sentence, "%zu experts are EP %zu * %zu; ", megatron->n_experts,
                  megatron->n_expert, megatron->n_experts / megatron->n_expert);
    return megatron->n_expert_tensor ? fits_folded(megatron, sentence)
                                     : fits_old(megatron, sentence);
}

/* ---- opening ---- */

static int read_all(struct megatron *megatron, struct megatron_files *files,
                    struct megatron_settings *settings, struct folder *folder, struct error *err)
{
    const char *first = files->ranks[0].name;

    if (megatron_settings_check_alike(files, err))
        return -1;
    if (megatron_settings_read(settings, files, err) || read_ranks(megatron, files, err))
        return error_context(err, "'%s'", first);
    if (megatron_tensors_make(files, settings, err) || show_files(folder, err))
        return -1;
    folder_add(folder, "config.json", settings->config, strlen(settings->config));
    settings->config = NULL;
    megatron->n_experts = settings->n_experts;
    megatron->n_rows = settings->is_padded ? settings->vocab_size : 0;
    megatron->no_place = settings->no_place;
    settings->no_place = NULL;
    megatron->checkpoint = files->checkpoint;
    files->checkpoint = NULL;
    return 0;
}

struct megatron *megatron_open(struct folder *folder, struct error *err)
{
    struct megatron_files files;
    struct megatron_settings settings = {0};
    struct megatron *megatron;
    int rc;

    if (folder_look(folder, "config.json") != FOLDER_ABSENT || !megatron_files_are_there(folder))
        return NULL;
    if (megatron_files_open(&files, folder, err))
        return NULL;
    megatron = memory_zalloc(1, sizeof *megatron);
    rc = read_all(megatron, &files, &settings, folder, err);
    megatron_settings_release(&settings);
    megatron_files_release(&files);
    if (rc == 0)
        return megatron;
    error_context(err, "'%s'", folder->path);
    megatron_free(megatron);
    return NULL;
}

void megatron_free(struct megatron *megatron)
{
    if (!megatron)
        return;
    free(megatron->no_place);
    checkpoint_close(megatron->checkpoint);
    free(megatron);
}
