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
    enum { MOST = 1 << 24 };
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

    if (fits)
        buffer_format(sentence, "%zu processes are %zu times %zu tensor, %zu expert and %zu pipeline "
                      "parallel ranks of experts", megatron->n_world, megatron->n_world / n,
                      megatron->n_expert_tensor, megatron->n_expert, megatron->n_stages);
    else
        buffer_format(sentence, "%zu processes cannot be divided into groups of %zu tensor, %zu "
                      "expert and %zu pipeline parallel ranks of experts", megatron->n_world,
                      megatron->n_expert_tensor, megatron->n_expert, megatron->n_stages);
    return fits;
}

/* Before, groups of experts were cut out of the data parallel ones. */
static bool fits_old(const struct megatron *megatron, struct buffer *sentence)
{
    if (megatron->n_data % megatron->n_expert) {
        buffer_format(sentence, "%zu data parallel ranks cannot be divided into groups of %zu expert "
                      "parallel ones, which are cut out of them", megatron->n_data,
                      megatron->n_expert);
        return false;
    }
    if (megatron->n_tensor > 1 && megatron->n_expert > 1 && !megatron->is_sequence_parallel) {
        buffer_format(sentence, "experts over several ranks beside tensor parallel ones are trained "
                      "with sequence_parallel only, which is false");
        return false;
    }
    buffer_format(sentence, "%zu data parallel ranks hold %zu groups of %zu expert parallel ones",
                  megatron->n_data, megatron->n_data / megatron->n_expert, megatron->n_expert);
    return true;
}

bool megatron_fits_rules(const struct megatron *megatron, struct buffer *sentence)
{
    size_t n_each = megatron->n_tensor * megatron->n_stages * megatron->n_context;

    if (megatron->n_world != n_each * megatron->n_data) {
        buffer_format(sentence, "world_size is %zu, but %zu tensor, %zu pipeline, %zu context and "
                      "%zu data parallel ranks are %zu processes", megatron->n_world,
                      megatron->n_tensor, megatron->n_stages, megatron->n_context,
                      megatron->n_data, n_each * megatron->n_data);
        return false;
    }
    if (megatron->n_experts == 0) {
        buffer_format(sentence, "%zu processes, each tensor %zu times", megatron->n_world,
                      megatron->n_data * megatron->n_context);
        return true;
    }
    buffer_format(sentence, "%zu experts, %zu on each of %zu ranks; ", megatron->n_experts,
                  megatron->n_experts / megatron->n_expert, megatron->n_expert);
    return megatron->n_expert_tensor ? fits_folded(megatron, sentence)
                                     : fits_old(megatron, sentence);
}

/* ---- opening ---- */

static int read_all(struct megatron *megatron, struct megatron_files *files,
                    struct megatron_settings *settings, struct folder *folder, struct error *err)
{
    const char *first = files->ranks[0].name;

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
