#include "megatron_files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "format/checkpoint_reader.h"
#include "format/torchbin_nested.h"

enum {
    RANKS_MAX = 65536,
    CHUNKS_MAX = 1024,
    TRACKER_BYTES_MAX = 4096,
};

static const char tracker[] = "latest_checkpointed_iteration.txt";
/* With Megatron's distributed optimizer of 2023 the second, beside optim.pt. */
static const char *const file_names[] = {"model_optim_rng.pt", "model_rng.pt"};

/* ---- which folder ---- */

static bool is_rank_name(const char *name)
{
    return strncmp(name, "mp_rank_", 8) == 0;
}

/* "release", or "iter_" and digits. */
static bool is_iteration_name(const char *name)
{
    if (strcmp(name, "release") == 0)
        return true;
    return strncmp(name, "iter_", 5) == 0 && name[5] &&
           name[5 + strspn(name + 5, "0123456789")] == '\0';
}

/* How many of the names in a directory are so; the last of them in *found, to be freed. */
static size_t count_names(const struct folder *folder, const char *directory,
                          bool (*is_so)(const char *name), char **found)
{
    struct error ignored = {0};
    char **names;
    size_t n_names, n = 0;

    if (folder_list(folder, directory, &names, &n_names, &ignored))
        return 0;
    for (size_t i = 0; i < n_names; i++)
        if (is_so(names[i])) {
            n++;
            if (found) {
                free(*found);
                *found = memory_copy(names[i]);
            }
        }
    folder_names_free(names, n_names);
    return n;
}

static bool is_distributed_name(const char *name)
{
    size_t n = strlen(name);

    return n > 7 && strcmp(name + n - 7, ".distcp") == 0;
}

static bool is_distributed(const struct folder *folder, const char *directory)
{
    char *path = folder_join(directory, "common.pt");
    bool is = folder_look(folder, path) != FOLDER_ABSENT ||
              count_names(folder, directory, is_distributed_name, NULL) > 0;

    free(path);
    return is;
}

bool megatron_files_are_there(const struct folder *folder)
{
    return folder_look(folder, tracker) != FOLDER_ABSENT ||
           count_names(folder, "", is_rank_name, NULL) > 0 ||
           count_names(folder, "", is_iteration_name, NULL) > 0 ||
           (folder_look(folder, "metadata.json") != FOLDER_ABSENT && is_distributed(folder, ""));
}

/* The directory that the tracker names, to be freed. */
static char *read_tracker(const struct folder *folder, struct error *err)
{
    size_t size, n;
    char *text = folder_read_text(folder, tracker, TRACKER_BYTES_MAX, &size, err), *name = NULL;

    if (!text)
        return NULL;
    while (size > 0 && strchr(" \t\r\n", text[size - 1]))
        size--;
    n = size ? strspn(text, "0123456789") : 0;
    if (size == 7 && memcmp(text, "release", 7) == 0)
        name = memory_copy("release");
    else if (n > 0 && n == size && n <= 18)
        name = memory_format("iter_%07llu", strtoull(text, NULL, 10));
    else
        error_set(err, ERROR_FORMAT, "'%s/%s': holds neither a number nor 'release'", folder->path,
                  tracker);
    free(text);
    if (name && folder_look(folder, name) != FOLDER_DIRECTORY) {
        error_set(err, ERROR_FORMAT, "'%s/%s': names '%s', which is not there; is the copy "
                  "complete?", folder->path, tracker, name);
        free(name);
        name = NULL;
    }
    return name;
}

/* The directory with mp_rank_…, to be freed. */
static char *find_iteration(const struct folder *folder, struct error *err)
{
    char *name = NULL;
    size_t n;

    if (folder_look(folder, tracker) != FOLDER_ABSENT)
        return read_tracker(folder, err);
    if (count_names(folder, "", is_rank_name, NULL) > 0 || is_distributed(folder, ""))
        return memory_copy("");
    n = count_names(folder, "", is_iteration_name, &name);
    if (n == 1)
        return name;
    free(name);
    error_set(err, ERROR_FORMAT, "'%s': holds %zu iterations and no '%s'; name one of them",
              folder->path, n, tracker);
    return NULL;
}

static int refuse_distributed(const struct folder *folder, const char *directory,
                              struct error *err)
{
    if (!is_distributed(folder, directory))
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "'%s%s%s': a distributed checkpoint of Megatron-Core "
                     "(torch_dist), which is not supported; load it there and save it with "
                     "--ckpt-convert-format torch", folder->path, *directory ? "/" : "", directory);
}

/* ---- settings ---- */

int megatron_args_count(const cJSON *args, const char *name, size_t fallback, size_t least,
                        size_t most, size_t *out, struct error *err)
{
    const cJSON *member = json_find(args, name);

    *out = fallback;
    if (!member)
        return 0;
    if (!cJSON_IsNumber(member))
        return error_set(err, ERROR_FORMAT, "args.%s is not a number", name);
    if (!(member->valuedouble >= (double)least && member->valuedouble <= (double)most) ||
        member->valuedouble != floor(member->valuedouble))
        return error_set(err, ERROR_FORMAT, "args.%s is %g, not a whole number from %zu to %zu",
                         name, member->valuedouble, least, most);
    *out = (size_t)member->valuedouble;
    return 0;
}

/* Bounded by RANKS_MAX once read_grid has been content. */
static size_t grid_size(const struct megatron_files *files)
{
    return files->n_tensor * files->n_stages * files->n_expert; /* of numbers of 17 bits */
}

static int read_grid(struct megatron_files *files, const cJSON *args, struct error *err)
{
    size_t n_ranks;

    if (megatron_args_count(args, "tensor_model_parallel_size", 1, 1, RANKS_MAX, &files->n_tensor,
                            err) ||
        megatron_args_count(args, "pipeline_model_parallel_size", 1, 1, RANKS_MAX,
                            &files->n_stages, err) ||
        megatron_args_count(args, "expert_model_parallel_size", 1, 1, RANKS_MAX, &files->n_expert,
                            err) ||
        megatron_args_count(args, "virtual_pipeline_model_parallel_size", 1, 1, CHUNKS_MAX,
                            &files->n_chunks, err))
        return -1;
    /* For three months of 2023 experts were spread over all data-parallel ranks. */
    if (json_bool(args, "expert_parallel", false) &&
        megatron_args_count(args, "data_parallel_size", 1, 1, RANKS_MAX, &files->n_expert, err))
        return -1;
    n_ranks = grid_size(files);
    if (n_ranks > RANKS_MAX)
        return error_set(err, ERROR_FORMAT, "args speak of %zu ranks (%zu tensor, %zu pipeline, "
                         "%zu expert parallel), more than the limit of %d", n_ranks,
                         files->n_tensor, files->n_stages, files->n_expert, RANKS_MAX);
    return 0;
}

/* ---- the files of ranks ---- */

static char *rank_directory(const struct megatron_files *files, const struct megatron_rank *rank)
{
    char stage[32] = "", expert[32] = "";

    if (files->n_stages > 1)
        snprintf(stage, sizeof stage, "_%03zu", rank->stage);
    if (files->n_expert > 1)
        snprintf(expert, sizeof expert, "_%03zu", rank->expert);
    return memory_format("mp_rank_%02zu%s%s", rank->tensor, stage, expert);
}

/* The path of the file in a rank's directory, to be freed. */
static char *find_file(const struct folder *folder, const char *directory, struct error *err)
{
    for (size_t i = 0; i < sizeof file_names / sizeof *file_names; i++) {
        char *path = folder_join(directory, file_names[i]);

        if (folder_look(folder, path) != FOLDER_ABSENT)
            return path;
        free(path);
    }
    error_set(err, ERROR_FORMAT, "'%s/%s': no '%s' in it", folder->path, directory, file_names[0]);
    return NULL;
}

static int index_tensors(struct megatron_files *files, struct megatron_rank *rank, size_t first,
                         struct error *err)
{
    const struct checkpoint *checkpoint = files->checkpoint;

    for (size_t i = first; i < checkpoint->n_tensors; i++) {
        const char *name = checkpoint->tensors[i].name;

        if (hash_map_add(&rank->by_name, name, strlen(name), i) != i)
            return error_set(err, ERROR_FORMAT, "duplicate tensor '" ERROR_NAME "'", name);
    }
    return 0;
}

static int check_values(const struct megatron_rank *rank, struct error *err)
{
    const cJSON *version = json_find(rank->values, "checkpoint_version");

    if (!cJSON_IsObject(json_find(rank->values, "args")))
        return error_set(err, ERROR_FORMAT, "no args in it, which say how the model is built");
    if (version && !(cJSON_IsNumber(version) && version->valuedouble >= 2))
        return error_set(err, ERROR_UNSUPPORTED, "checkpoint_version is below 2: queries, keys and "
                         "values stand in another order, which is not supported; load and save it "
                         "with a newer Megatron-LM");
    return 0;
}

static int read_rank(struct megatron_files *files, struct megatron_rank *rank, struct error *err)
{
    static const char *const wanted[] = {"args", "checkpoint_version", "iteration", NULL};
    size_t first = files->checkpoint->n_tensors;

    return torchbin_read_nested(files->checkpoint, rank->file, "model", wanted, &rank->values,
                                err) ||
                   check_values(rank, err) || index_tensors(files, rank, first, err)
               ? -1
               : 0;
}

static int open_rank(struct megatron_files *files, const struct folder *folder,
                     const char *directory, struct megatron_rank *rank, struct error *err)
{
    struct checkpoint *checkpoint = files->checkpoint;
    char *path = find_file(folder, directory, err);
    struct file *file = path ? folder_open_file(folder, path, err) : NULL;

    if (file) {
        checkpoint_add_file(checkpoint, file, path);
        rank->file = checkpoint->n_files - 1;
        rank->name = checkpoint->files[rank->file].name;
    }
    free(path);
    if (!file)
        return -1;
    return read_rank(files, rank, err) ? error_context(err, "'%s'", file->path) : 0;
}

/* Another file than the first must be of the same grid. */
static int check_grid(const struct megatron_files *files, const struct megatron_rank *rank,
                      const struct folder *folder, struct error *err)
{
    struct megatron_files other = {0};

    if (read_grid(&other, json_find(rank->values, "args"), err))
        return error_context(err, "'%s/%s'", folder->path, rank->name);
    if (other.n_tensor == files->n_tensor && other.n_stages == files->n_stages &&
        other.n_expert == files->n_expert && other.n_chunks == files->n_chunks)
        return 0;
    return error_set(err, ERROR_FORMAT, "'%s/%s': by its args there are %zu tensor, %zu pipeline "
                     "and %zu expert parallel ranks, by those of '%s' %zu, %zu and %zu",
                     folder->path, rank->name, other.n_tensor, other.n_stages, other.n_expert,
                     files->ranks[0].name, files->n_tensor, files->n_stages, files->n_expert);
}

static struct megatron_rank rank_of(const struct megatron_files *files, size_t number)
{
    return (struct megatron_rank){
        .tensor = number / files->n_expert / files->n_stages,
        .stage = number / files->n_expert % files->n_stages,
        .expert = number % files->n_expert,
    };
}

/* The directory of rank `number`, to be freed; NULL with an error when it is not there. */
static char *find_rank(const struct megatron_files *files, const struct folder *folder,
                       const char *iteration, size_t number, struct error *err)
{
    struct megatron_rank rank = rank_of(files, number);
    char *name = rank_directory(files, &rank), *path = folder_join(iteration, name);

    if (folder_look(folder, path) == FOLDER_ABSENT) {
        error_set(err, ERROR_FORMAT, "'%s/%s' is missing: by the args of '%s' there are %zu "
                  "tensor, %zu pipeline and %zu expert parallel ranks; is the copy complete?",
                  folder->path, path, files->ranks[0].name, files->n_tensor, files->n_stages,
                  files->n_expert);
        free(path);
        path = NULL;
    }
    free(name);
    return path;
}

/* Folders of ranks that args do not speak of would be left out of the model without a word. */
static int check_names(const struct megatron_files *files, const struct folder *folder,
                       const char *iteration, char **names, size_t n_names, struct error *err)
{
    size_t n = grid_size(files);
    struct hash_map known = {0};
    char **expected = memory_zalloc(n, sizeof *expected);
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        struct megatron_rank rank = rank_of(files, i);

        expected[i] = rank_directory(files, &rank);
        hash_map_add(&known, expected[i], strlen(expected[i]), i);
    }
    for (size_t i = 0; rc == 0 && i < n_names; i++)
        if (is_rank_name(names[i]) && !hash_map_find(&known, names[i], strlen(names[i])))
            rc = error_set(err, ERROR_FORMAT, "'%s%s%s': '" ERROR_NAME "' is of no rank: by the "
                           "args of '%s' there are %zu tensor, %zu pipeline and %zu expert "
                           "parallel ones",
                           folder->path, *iteration ? "/" : "", iteration, names[i],
                           files->ranks[0].name, files->n_tensor, files->n_stages,
                           files->n_expert);
    hash_map_release(&known);
    folder_names_free(expected, n);
    return rc;
}

/* The first directory tells how many there are. */
static int open_first(struct megatron_files *files, const struct folder *folder,
                      const char *iteration, char **names, size_t n_names, struct error *err)
{
    char *path = NULL;
    int rc;

    for (size_t i = 0; i < n_names && !path; i++)
        if (is_rank_name(names[i]))
            path = folder_join(iteration, names[i]);
    if (!path)
        return error_set(err, ERROR_FORMAT, "'%s%s%s': no mp_rank_… in it", folder->path,
                         *iteration ? "/" : "", iteration);
    files->ranks = memory_zalloc(1, sizeof *files->ranks);
    files->n_ranks = 1;
    rc = open_rank(files, folder, path, &files->ranks[0], err);
    free(path);
    return rc;
}

static int open_ranks(struct megatron_files *files, const struct folder *folder,
                      const char *iteration, char **names, size_t n_names, struct error *err)
{
    struct megatron_rank first;
    size_t n_ranks;

    if (open_first(files, folder, iteration, names, n_names, err))
        return -1;
    if (read_grid(files, json_find(files->ranks[0].values, "args"), err))
        return error_context(err, "'%s/%s'", folder->path, files->ranks[0].name);
    if (check_names(files, folder, iteration, names, n_names, err))
        return -1;
    n_ranks = grid_size(files);
    first = files->ranks[0];
    files->ranks = memory_resize(files->ranks, n_ranks, sizeof *files->ranks);
    for (size_t i = 0; i < n_ranks; i++) {
        struct megatron_rank rank = rank_of(files, i);
        char *path;
        int rc;

        files->n_ranks = i + 1; /* those to be released */
        if (i == 0) {
            rank.file = first.file;
            rank.name = first.name;
            rank.values = first.values;
            rank.by_name = first.by_name;
        }
        files->ranks[i] = rank;
        path = find_rank(files, folder, iteration, i, err);
        rc = !path || (i > 0 && open_rank(files, folder, path, &files->ranks[i], err)) ||
             check_grid(files, &files->ranks[i], folder, err);
        free(path);
        if (rc)
            return -1;
    }
    files->args = json_find(files->ranks[0].values, "args");
    return 0;
}

int megatron_files_open(struct megatron_files *files, const struct folder *folder,
                        struct error *err)
{
    char *iteration = find_iteration(folder, err), **names = NULL;
    size_t n_names = 0;
    int rc;

    *files = (struct megatron_files){0};
    if (!iteration)
        return -1;
    files->checkpoint = memory_zalloc(1, sizeof *files->checkpoint);
    files->checkpoint->has_ranks = true;
    rc = refuse_distributed(folder, iteration, err) ||
         folder_list(folder, iteration, &names, &n_names, err) ||
         open_ranks(files, folder, iteration, names, n_names, err);
    folder_names_free(names, n_names);
    free(iteration);
    if (rc)
        megatron_files_release(files);
    return rc ? -1 : 0;
}

void megatron_files_release(struct megatron_files *files)
{
    for (size_t i = 0; i < files->n_ranks; i++) {
        cJSON_Delete(files->ranks[i].values);
        hash_map_release(&files->ranks[i].by_name);
    }
    free(files->ranks);
    checkpoint_close(files->checkpoint);
    *files = (struct megatron_files){0};
}

/* ---- what they say ---- */

static bool is_same(const cJSON *a, const cJSON *b)
{
    if (cJSON_IsNumber(a) && cJSON_IsNumber(b) && isnan(a->valuedouble) && isnan(b->valuedouble))
        return true;
    return (!a && !b) || (a && b && cJSON_Compare(a, b, true));
}

int megatron_files_agree(const struct megatron_files *files, const char *const *names,
                         size_t n_names, struct error *err)
{
    for (size_t i = 1; i < files->n_ranks; i++) {
        const cJSON *args = json_find(files->ranks[i].values, "args");

        for (size_t k = 0; k < n_names; k++)
            if (!is_same(json_find(args, names[k]), json_find(files->args, names[k])))
                return error_set(err, ERROR_FORMAT, "'%s': its args.%s is another than that of "
                                 "'%s'", files->ranks[i].name, names[k], files->ranks[0].name);
        if (!is_same(json_find(files->ranks[i].values, "iteration"),
                     json_find(files->ranks[0].values, "iteration")))
            return error_set(err, ERROR_FORMAT, "'%s': is of another iteration than '%s'",
                             files->ranks[i].name, files->ranks[0].name);
    }
    return 0;
}

const struct megatron_rank *megatron_files_rank(const struct megatron_files *files, size_t tensor,
                                                size_t stage, size_t expert)
{
    return &files->ranks[(tensor * files->n_stages + stage) * files->n_expert + expert];
}

const struct tensor *megatron_rank_find(const struct megatron_files *files,
                                        const struct megatron_rank *rank, const char *name)
{
    const size_t *index = hash_map_find(&rank->by_name, name, strlen(name));

    return index ? &files->checkpoint->tensors[*index] : NULL;
}
