#include "plain_answers.h"

#include <string.h>
#include <time.h>

#include "base/json_writer.h"
#include "serve/routes.h"

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

/* ---- /openapi.json ---- */

static void add_responses(struct json_writer *json)
{
    static const struct {
        const char *status, *text;
    } answers[] = {{"200", "The answer."},        {"400", "The request is at fault."},
                   {"401", "The key is missing or wrong."}, {"403", "A foreign host or page."},
                   {"404", "There is no such model."},      {"413", "The request is too long."},
                   {"429", "Too many requests wait."},      {"500", "The server is at fault."},
                   {"503", "The server is ending."}};

    json_writer_object(json, "responses");
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        json_writer_object(json, answers[i].status);
        json_writer_string(json, "description", answers[i].text);
        json_writer_object(json, "content");
        json_writer_object(json, "application/json");
        json_writer_object(json, "schema");
        json_writer_string(json, "type", "object");
        json_writer_end(json);
        json_writer_end(json);
        json_writer_end(json);
        json_writer_end(json);
    }
    json_writer_end(json);
}

/* What must be there, of each path. */
static const char *schema_of(const char *path)
{
    static const struct {
        const char *path, *schema;
    } schemas[] = {
        {"/v1/chat/completions",
         "{\"type\":\"object\",\"required\":[\"messages\"],\"properties\":{\"model\":{\"type\":"
         "\"string\"},\"messages\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":"
         "\"object\",\"required\":[\"role\",\"content\"],\"properties\":{\"role\":{\"type\":"
         "\"string\",\"enum\":[\"system\",\"user\",\"assistant\"]},\"content\":{\"type\":"
         "\"string\"}}}},\"temperature\":{\"type\":\"number\",\"minimum\":0,\"maximum\":2},"
         "\"top_p\":{\"type\":\"number\",\"exclusiveMinimum\":0,\"maximum\":1},\"max_tokens\":"
         "{\"type\":\"integer\",\"minimum\":1},\"n\":{\"type\":\"integer\",\"minimum\":1,"
         "\"maximum\":128},\"stream\":{\"type\":\"boolean\"},\"seed\":{\"type\":\"integer\"}}}"},
        {"/v1/completions",
         "{\"type\":\"object\",\"required\":[\"prompt\"],\"properties\":{\"model\":{\"type\":"
         "\"string\"},\"prompt\":{\"type\":\"string\",\"minLength\":1},\"temperature\":{\"type\":"
         "\"number\",\"minimum\":0,\"maximum\":2},\"max_tokens\":{\"type\":\"integer\","
         "\"minimum\":1},\"stream\":{\"type\":\"boolean\"}}}"},
        {"/v1/embeddings",
         "{\"type\":\"object\",\"required\":[\"input\"],\"properties\":{\"model\":{\"type\":"
         "\"string\"},\"input\":{\"oneOf\":[{\"type\":\"string\",\"minLength\":1},{\"type\":"
         "\"array\",\"minItems\":1,\"maxItems\":2048,\"items\":{\"type\":\"string\",\"minLength\":"
         "1}}]},\"encoding_format\":{\"type\":\"string\",\"enum\":[\"float\",\"base64\"]}}}"},
        {"/v1/rerank",
         "{\"type\":\"object\",\"required\":[\"query\",\"documents\"],\"properties\":{\"model\":"
         "{\"type\":\"string\"},\"query\":{\"type\":\"string\"},\"documents\":{\"type\":\"array\","
         "\"minItems\":1,\"maxItems\":1000,\"items\":{\"type\":\"string\"}},\"top_n\":{\"type\":"
         "\"integer\",\"minimum\":1}}}"},
    };

    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++)
        if (strcmp(schemas[i].path, path) == 0)
            return schemas[i].schema;
    return "{\"type\":\"object\"}";
}

static void add_route(struct json_writer *json, const struct route *route)
{
    json_writer_object(json, route->path);
    json_writer_object(json, route->is_post ? "post" : "get");
    json_writer_string(json, "summary", route->summary);
    if (route->is_post) {
        json_writer_object(json, "requestBody");
        json_writer_bool(json, "required", true);
        json_writer_object(json, "content");
        json_writer_object(json, "application/json");
        json_writer_raw(json, "schema", schema_of(route->path));
        json_writer_end(json);
        json_writer_end(json);
        json_writer_end(json);
    }
    add_responses(json);
    json_writer_end(json);
    json_writer_end(json);
}

void plain_answers_add_openapi(struct buffer *out)
{
    struct json_writer json = {.out = out};
    size_t n;
    const struct route *routes = routes_all(&n);

    json_writer_object(&json, NULL);
    json_writer_string(&json, "openapi", "3.1.0");
    json_writer_object(&json, "info");
    json_writer_string(&json, "title", "cocktail serve");
    json_writer_string(&json, "version", "1");
    json_writer_end(&json);
    json_writer_object(&json, "paths");
    for (size_t i = 0; i < n; i++)
        if (routes[i].summary)
            add_route(&json, &routes[i]);
    json_writer_end(&json);
    json_writer_end(&json);
}
