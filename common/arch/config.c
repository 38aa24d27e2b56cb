#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "arch/config_spellings.h"
#include "arch/llama_params.h"

static const size_t config_bytes_max = 10 * 1000 * 1000;

const char *const config_hidden_size[] = {HIDDEN_SIZE_SPELLINGS(SPELLING) NULL};
const char *const config_max_positions[] = {MAX_POSITIONS_SPELLINGS(SPELLING) NULL};
const char *const config_n_experts[] = {N_EXPERTS_SPELLINGS(SPELLING) NULL};
const char *const config_n_chosen[] = {N_CHOSEN_SPELLINGS(SPELLING) NULL};
const char *const config_n_attention_experts[] = {N_ATTENTION_EXPERTS_SPELLINGS(SPELLING) NULL};
const char *const config_n_attention_chosen[] = {N_ATTENTION_CHOSEN_SPELLINGS(SPELLING) NULL};

static int read_members(struct config *config, struct error *err)
{
    const cJSON *architectures;

    if (!cJSON_IsObject(config->json))
        return error_set(err, ERROR_FORMAT, "is not an object");
    if (config->is_consolidated) {
        config->model_type = "consolidated";
        return llama_params_complete(config->json, err);
    }
    architectures = json_find(config->json, "architectures");
    if (architectures && !cJSON_IsArray(architectures))
        return error_set(err, ERROR_FORMAT, "architectures is not a list");
    if (architectures && cJSON_GetArraySize(architectures) > 0) {
        const cJSON *first = cJSON_GetArrayItem(architectures, 0);

        if (!cJSON_IsString(first))
            return error_set(err, ERROR_FORMAT, "architectures[0] is not a string");
        config->architecture = first->valuestring;
    }
    config->model_type = json_find_string(config->json, "model_type");
    if (!config->model_type && json_find(config->json, "model_type"))
        return error_set(err, ERROR_FORMAT, "model_type is not a string");
    return 0;
}

int config_load(struct config *config, const struct folder *folder, const char *directory,
                bool is_consolidated, struct error *err)
{
    struct config loaded = {.is_consolidated = is_consolidated};
    char *path = folder_join(directory, config_name(&loaded));
    int rc = -1;

    loaded.text = folder_read_text(folder, path, config_bytes_max, &loaded.size, err);
    if (loaded.text) {
        loaded.json = json_parse(loaded.text, loaded.size, err);
        rc = loaded.json ? read_members(&loaded, err) : -1;
        if (rc)
            error_context(err, "'%s/%s'", folder->path, path);
    }
    if (rc)
        config_release(&loaded);
    else
        *config = loaded;
    free(path);
    return rc;
}

const char *config_name(const struct config *config)
{
    return config->is_consolidated ? "params.json" : "config.json";
}

void config_release(struct config *config)
{
    free(config->text);
    cJSON_Delete(config->json);
    *config = (struct config){0};
}

/* The part that describes the language model: multimodal wrappers nest it. */
static const cJSON *text_config(const struct config *config)
{
    return json_find(config->json, "text_config");
}

static const cJSON *moe_config(const struct config *config)
{
    return config->is_consolidated ? json_find(config->json, "moe") : NULL;
}

double config_number(const struct config *config, const char *const *names)
{
    const cJSON *places[] = {config->json, text_config(config), moe_config(config)};

    for (size_t p = 0; p < sizeof places / sizeof *places; p++)
        for (size_t i = 0; names[i]; i++) {
            const cJSON *member = json_find(places[p], names[i]);

            if (cJSON_IsNumber(member))
                return member->valuedouble;
        }
    return -1;
}

int config_tied(const struct config *config)
{
    int tied = json_find_bool(config->json, config->is_consolidated ? "tied_embeddings"
                                                                    : "tie_word_embeddings");

    return tied >= 0 ? tied : json_find_bool(text_config(config), "tie_word_embeddings");
}
