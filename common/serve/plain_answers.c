#include "plain_answers.h"

#include <string.h>
#include <time.h>

#include "base/json_writer.h"

static void add_model(struct json_writer *json, const struct served_model *model, const char *id)
{
    json_writer_object(json, NULL);
    json_writer_string(json, "id", id);
    json_writer_string(json, "object", "model");
    json_writer_size(json, "created", (size_t)model->created);
    json_writer_string(json, "owned_by", "cocktail");
    if (model->spec.max_tokens)
        json_writer_size(json, "max_model_len", model->spec.max_tokens);
    json_writer_object(json, "meta");
    json_writer_string(json, "kind", served_kind_name(model->kind));
    json_writer_bool(json, "has_chat_template", model->chat != NULL);
    json_writer_end(json);
    json_writer_end(json);
}

void plain_answers_add_models(const struct service *service, struct buffer *out)
{
    struct json_writer json = {.out = out};

    json_writer_object(&json, NULL);
    json_writer_string(&json, "object", "list");
    json_writer_array(&json, "data");
    for (size_t i = 0; i < service->n_models; i++) {
        const struct served_model *model = &service->models[i];

        add_model(&json, model, model->id);
        for (size_t k = 0; k < model->n_aliases; k++)
            add_model(&json, model, model->aliases[k]);
    }
    json_writer_end(&json);
    json_writer_end(&json);
}

int plain_answers_add_model(const struct service *service, const char *name, struct buffer *out,
                            struct refusal *refusal)
{
    const struct served_model *model = service_look(service, name);
    struct json_writer json = {.out = out};

    if (!model)
        return refusal_set(refusal, 404, "model_not_found", "model", "the model '" ERROR_NAME
                           "' does not exist", name);
    add_model(&json, model, model->id);
    return 0;
}

void plain_answers_add_tags(const struct service *service, struct buffer *out)
{
    struct json_writer json = {.out = out};
    char text[64];
    struct tm tm;

    json_writer_object(&json, NULL);
    json_writer_array(&json, "models");
    for (size_t i = 0; i < service->n_models; i++) {
        const struct served_model *model = &service->models[i];
        time_t created = (time_t)model->created;

        gmtime_r(&created, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
        json_writer_object(&json, NULL);
        json_writer_string(&json, "name", model->id);
        json_writer_string(&json, "model", model->id);
        json_writer_string(&json, "modified_at", text);
        json_writer_size(&json, "size", model->size_bytes);
        json_writer_string(&json, "digest", "");
        json_writer_object(&json, "details");
        json_writer_string(&json, "format", "");
        json_writer_string(&json, "family", served_kind_name(model->kind));
        json_writer_end(&json);
        json_writer_end(&json);
    }
    json_writer_end(&json);
    json_writer_end(&json);
}
