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

static int read_generation_config(const struct model_folder *folder, struct ids *eos,
                                  struct error *err)
{
    char *path = folder_join(folder->sentence.transformer, "generation_config.json");
    cJSON *json = NULL;
    char *text = NULL;
    size_t size;

    if (folder_look(folder->folder, path) != FOLDER_ABSENT) {
        text = folder_read_text(folder->folder, path, 1000 * 1000, &size, err);
        json = text ? json_parse(text, size, err) : NULL;
        if (text && !json)
            error_context(err, "'%s/%s'", folder->folder->path, path);
    }
    if (json)
        add_eos_ids(json, eos);
    cJSON_Delete(json);
    free(text);
    free(path);
    return err->code ? -1 : 0;
}

int generation_config_eos(const struct model_folder *folder, const struct tokenizer *tokenizer,
                          struct ids *eos, struct error *err)
{
    uint32_t id;

    if (read_generation_config(folder, eos, err))
        return -1;
    if (eos->n_items == 0)
        add_eos_ids(folder->config.json, eos);
    if (eos->n_items == 0 && tokenizer_special(tokenizer, "eos_token", &id))
        ids_add(eos, id);
    return 0;
}
