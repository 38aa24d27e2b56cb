#include "openapi.h"

#include <string.h>

#include "base/json_writer.h"
#include "serve/routes.h"
#include "serve/rows_request.h"
#include "serve/text_members.h"

/* ---- members ---- */

#define TEXT "{\"type\":\"string\",\"pattern\":\"^[^\\\\u0000]*$\"}"
#define TEXT_NOT_EMPTY "{\"type\":\"string\",\"pattern\":\"^[^\\\\u0000]+$\"}"
#define ANY_TEXT "{\"type\":\"string\"}"
#define ANY_TEXT_NOT_EMPTY "{\"type\":\"string\",\"minLength\":1}"
#define LIST(item, least, most)                                                                   \
    "{\"type\":\"array\",\"minItems\":" #least ",\"maxItems\":" #most ",\"items\":" item "}"
#define NULLED "{\"type\":\"null\"}"
#define ID "{\"type\":\"integer\",\"minimum\":0,\"maximum\":#}"
#define OBJECT_WITH_TEXT                                                                          \
    "{\"type\":\"object\",\"required\":[\"text\"],\"properties\":{\"text\":{\"type\":\"string\"}}}"

/* Where a row does not say all; # is the last id that all models have, @ the most tokens that they
 * all take. An empty one is not listed. */
static const struct member_schema {
    const char *name, *schema;
} schemas[] = {
    {"messages",
     LIST("{\"type\":\"object\",\"required\":[\"role\"],\"properties\":{\"role\":{\"type\":"
          "\"string\"},\"content\":{\"anyOf\":[" ANY_TEXT "," NULLED "," LIST(
              "{\"type\":\"object\",\"required\":[\"text\"],\"properties\":{\"type\":"
              "{\"const\":\"text\"},\"text\":{\"type\":\"string\"}}}", 0, 1000) "]}}}", 1, 1000)},
    {"prompt", "{\"anyOf\":[" ANY_TEXT "," LIST(ANY_TEXT, 1, 2048) "," LIST(ID, 1, @) ","
               LIST(LIST(ID, 1, @), 1, 2048) "]}"},
    {"stop", "{\"anyOf\":[" TEXT_NOT_EMPTY "," LIST(TEXT_NOT_EMPTY, 0, 16) "," NULLED "]}"},
    {"stop_token_ids", "{\"anyOf\":[" LIST(ID, 0, 100) "," NULLED "]}"},
    {"response_format", "{\"anyOf\":[{\"type\":\"object\",\"required\":[\"type\"],\"properties\":{"
                        "\"type\":{\"const\":\"text\"}}}," NULLED "]}"},
    {"tool_choice", "{\"enum\":[\"auto\",\"none\",null]}"},
    {"input", "{\"anyOf\":[" ANY_TEXT_NOT_EMPTY "," LIST(ANY_TEXT_NOT_EMPTY, 1, 2048) ","
              LIST(ID, 1, @) "," LIST(LIST(ID, 1, @), 1, 2048) "]}"},
    {"encoding_format", "{\"enum\":[\"float\",\"base64\",null]}"},
    {"documents", "{\"anyOf\":[" LIST("{\"type\":\"object\"}", 0, 1000) "," NULLED "]}"},
    {"tools", "{\"anyOf\":[" LIST("{\"type\":\"object\"}", 0, 1000) "," NULLED "]}"},
    {"model", ""}, {"logit_bias", ""}, {"stream_options", ""}, {"top_logprobs", ""},
    {"continue_final_message", ""}, {"chat_template_kwargs", ""}, {"best_of", ""},
    {"dimensions", ""}, {"prompt_name", ""}, {"truncate", ""},
};

static const char rerank_documents[] =
    LIST("{\"anyOf\":[" ANY_TEXT "," OBJECT_WITH_TEXT "]}", 1, 1000);

static const char *find_schema(const struct route *route, const char *name)
{
    if (route->kind == ROUTE_ROWS && strcmp(name, "documents") == 0)
        return rerank_documents;
    if (route->form == TEXT_CHAT && route->kind == ROUTE_TEXTS && strcmp(name, "echo") == 0)
        return "";
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++)
        if (strcmp(schemas[i].name, name) == 0)
            return schemas[i].schema;
    return NULL;
}

static bool is_required(const char *name)
{
    static const char *const names[] = {"messages", "prompt", "input", "query"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* What a row says by itself: the type, and the range of numbers. */
static void add_row(struct json_writer *json, const struct member_row *row)
{
    static const char *const types[] = {
        [MEMBER_NUMBER] = "number", [MEMBER_INTEGER] = "integer", [MEMBER_SEED] = "integer",
        [MEMBER_BOOL] = "boolean",  [MEMBER_STRING] = "string",   [MEMBER_LIST] = "array",
        [MEMBER_OBJECT] = "object",
    };
    bool has_range = row->kind == MEMBER_NUMBER || row->kind == MEMBER_INTEGER;

    json_writer_object(json, row->name);
    json_writer_array(json, "type");
    json_writer_string(json, NULL, types[row->kind]);
    if (!is_required(row->name))
        json_writer_string(json, NULL, "null");
    json_writer_end(json);
    if (has_range) {
        json_writer_double(json, "minimum", row->least);
        json_writer_double(json, "maximum", row->most);
    } else if (row->kind == MEMBER_SEED) {
        json_writer_raw(json, "minimum", "-9223372036854775808");
        json_writer_raw(json, "maximum", "18446744073709551615");
    } else if (row->kind == MEMBER_STRING) {
        json_writer_string(json, "pattern", "^[^\\u0000]*$");
    }
    json_writer_end(json);
}

struct limits { /* of all models that are asked there */
    size_t last_id, most_tokens;
};

/* `schema` with the limits in it. */
static void add_schema(struct json_writer *json, const char *name, const char *schema,
                       const struct limits *limits)
{
    struct buffer text = {0};

    for (; *schema; schema++)
        if (*schema == '#' || *schema == '@')
            buffer_format(&text, "%zu", *schema == '#' ? limits->last_id : limits->most_tokens);
        else
            buffer_add_char(&text, *schema);
    json_writer_raw(json, name, text.data);
    buffer_release(&text);
}

static const struct member_row *rows_of(const struct route *route)
{
    return route->kind == ROUTE_TEXTS ? text_members_rows((enum text_form)route->form)
                                      : rows_request_rows((enum rows_form)route->form);
}

static void add_body(struct json_writer *json, const struct route *route,
                     const struct limits *limits)
{
    json_writer_object(json, "schema");
    json_writer_string(json, "type", "object");
    json_writer_array(json, "required");
    for (const struct member_row *row = rows_of(route); row->kind != MEMBER_END; row++)
        if (is_required(row->name) || (route->kind == ROUTE_ROWS && row->kind == MEMBER_LIST))
            json_writer_string(json, NULL, row->name);
    json_writer_end(json);
    json_writer_object(json, "properties");
    for (const struct member_row *row = rows_of(route); row->kind != MEMBER_END; row++) {
        const char *schema = find_schema(route, row->name);

        if (!schema)
            add_row(json, row);
        else if (*schema)
            add_schema(json, row->name, schema, limits);
    }
    json_writer_end(json);
    json_writer_end(json);
}

/* ---- the document ---- */

static void add_content(struct json_writer *json, const char *type)
{
    json_writer_object(json, type);
    json_writer_raw(json, "schema", strcmp(type, "application/json") == 0 ? "{\"type\":\"object\"}"
                                                                          : "{}");
    json_writer_end(json);
}

static void add_responses(struct json_writer *json, const struct route *route)
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
        add_content(json, "application/json");
        if (i == 0 && route->kind == ROUTE_TEXTS)
            add_content(json, "text/event-stream");
        json_writer_end(json);
        json_writer_end(json);
    }
    json_writer_end(json);
}

static void add_route(struct json_writer *json, const struct route *route,
                      const struct limits *limits)
{
    json_writer_object(json, route->path);
    json_writer_object(json, route->is_post ? "post" : "get");
    json_writer_string(json, "summary", route->summary);
    if (route->is_post) {
        json_writer_object(json, "requestBody");
        json_writer_bool(json, "required", true);
        json_writer_object(json, "content");
        json_writer_object(json, "application/json");
        add_body(json, route, limits);
        json_writer_end(json);
        json_writer_end(json);
        json_writer_end(json);
    }
    add_responses(json, route);
    json_writer_end(json);
    json_writer_end(json);
}

static struct limits find_limits(const struct service *service, const struct route *route)
{
    enum served_kind kind = route->kind == ROUTE_TEXTS ? SERVED_DECODER : SERVED_ENCODER;
    struct limits limits = {(1u << 31) - 1, 2048};

    for (size_t i = 0; i < service->n_models; i++) {
        const struct model_spec *spec = &service->models[i].spec;

        if (service->models[i].kind != kind)
            continue;
        if (spec->vocab_size && spec->vocab_size <= limits.last_id)
            limits.last_id = spec->vocab_size - 1;
        if (spec->max_tokens && spec->max_tokens < limits.most_tokens)
            limits.most_tokens = spec->max_tokens;
    }
    return limits;
}

void openapi_add(const struct service *service, struct buffer *out)
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
        if (routes[i].summary) {
            const struct limits limits = find_limits(service, &routes[i]);

            add_route(&json, &routes[i], &limits);
        }
    json_writer_end(&json);
    json_writer_end(&json);
}
