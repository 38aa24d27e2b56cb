#include "generation_config.h"

#include <stdlib.h>

static void add_eos(const cJSON *value, struct ids *eos)
{
    if (cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble <= UINT32_MAX)
        ids_add(eos, (uint32_t)value->valuedouble);
}

/* A number or a list of them. */
static void add_eos_ids(const cJSON *json, struct ids *eos)
{
    const cJSON *ids = json_find(json, "eos_token_id"), *id;

    add_eos(ids, eos);
    cJSON_ArrayForEach(id, ids) {
        add_eos(id, eos);
    }
}

/* *json: the file, to be deleted; NULL: there is none. */
static int read_generation_config(const struct model_folder *folder, cJSON **json,
                                  struct error *err)
{
    char *path = folder_join(folder->sentence.transformer, "generation_config.json");
    char *text = NULL;
    size_t size;

    *json = NULL;
    if (folder_look(folder->folder, path) != FOLDER_ABSENT) {
        text = folder_read_text(folder->folder, path, 1000 * 1000, &size, err);
        *json = text ? json_parse(text, size, err) : NULL;
        if (text && !*json)
            error_context(err, "'%s/%s'", folder->folder->path, path);
    }
    free(text);
    free(path);
    return err->code ? -1 : 0;
}

int generation_config_eos(const struct model_folder *folder, const struct tokenizer *tokenizer,
                          struct ids *eos, struct error *err)
{
    cJSON *json;
    uint32_t id;

    if (read_generation_config(folder, &json, err))
        return -1;
    if (json)
        add_eos_ids(json, eos);
    cJSON_Delete(json);
    if (eos->n_items == 0)
        add_eos_ids(folder->config.json, eos);
    if (eos->n_items == 0 && tokenizer_special(tokenizer, "eos_token", &id))
        ids_add(eos, id);
    return 0;
}

/* A number from `least` to `most`; absent and null: the value stays. */
static int read_number(const cJSON *json, const char *name, double least, double most,
                       double *value, struct error *err)
{
    const cJSON *member = json_find(json, name);

    if (!member)
        return 0;
    if (!cJSON_IsNumber(member) || !(member->valuedouble >= least && member->valuedouble <= most))
        return error_set(err, ERROR_FORMAT, "generation_config.json: %s is not a number from %g "
                         "to %g", name, least, most);
    *value = member->valuedouble;
    return 0;
}

int generation_config_sampling(const struct model_folder *folder, struct sampling *sampling,
                               struct error *err)
{
    double top_k = (double)sampling->top_k;
    cJSON *json;
    int rc = 0;

    if (read_generation_config(folder, &json, err))
        return -1;
    if (json && (read_number(json, "temperature", 0, 1e6, &sampling->temperature, err) ||
                 read_number(json, "top_p", 1e-9, 1, &sampling->top_p, err) ||
                 read_number(json, "top_k", -1, 1e9, &top_k, err) ||
                 read_number(json, "min_p", 0, 1, &sampling->min_p, err) ||
                 read_number(json, "repetition_penalty", 1e-9, 1e9, &sampling->repetition_penalty,
                             err)))
        rc = error_context(err, "'%s'", folder->folder->path);
    sampling->top_k = top_k > 0 ? (size_t)top_k : 0;
    cJSON_Delete(json);
    return rc;
}
