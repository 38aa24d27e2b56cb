#include "routes.h"

#include <string.h>

#include "serve/rows_request.h"
#include "serve/text_form.h"

static const struct route routes[] = {
    {"/v1/chat/completions", ROUTE_TEXTS, TEXT_CHAT, true, false, false,
     "What a decoder says next in a conversation."},
    {"/v1/completions", ROUTE_TEXTS, TEXT_COMPLETIONS, true, false, false,
     "What a decoder writes behind a text."},
    {"/v1/embeddings", ROUTE_ROWS, ROWS_EMBEDDINGS, true, false, false,
     "Vectors of texts, by an encoder."},
    {"/v1/rerank", ROUTE_ROWS, ROWS_RERANK, true, false, false,
     "How well texts answer a query, by a reranker."},
    {"/v2/rerank", ROUTE_ROWS, ROWS_RERANK, true, false, false, NULL},
    {"/rerank", ROUTE_ROWS, ROWS_TEI_RERANK, true, false, false, NULL},
    {"/v1/models", ROUTE_MODELS, 0, false, false, false, "The models."},
    {"/v1/models/", ROUTE_MODEL, 0, false, false, false, NULL},
    {"/api/chat", ROUTE_TEXTS, TEXT_OLLAMA_CHAT, true, false, true, NULL},
    {"/api/generate", ROUTE_TEXTS, TEXT_OLLAMA_GENERATE, true, false, true, NULL},
    {"/api/embed", ROUTE_ROWS, ROWS_OLLAMA_EMBED, true, false, true, NULL},
    {"/api/tags", ROUTE_TAGS, 0, false, false, true, NULL},
    {"/api/version", ROUTE_VERSION, 0, false, false, true, "The version of the server."},
    {"/health", ROUTE_HEALTH, 0, false, true, false, "Whether requests are answered."},
    {"/metrics", ROUTE_METRICS, 0, false, false, false, NULL},
    {"/openapi.json", ROUTE_OPENAPI, 0, false, true, false, NULL},
    {"/", ROUTE_PAGE, 0, false, true, false, NULL},
};

enum { N_ROUTES = sizeof routes / sizeof *routes };
_Static_assert(sizeof routes / sizeof *routes <= (size_t)ROUTES_MAX,
               "counters have room for all routes");

const struct route *routes_find(const char *path, const char **rest)
{
    static const char prefix[] = "/inference/", model[] = "/v1/models/";

    if (strncmp(path, prefix, strlen(prefix)) == 0)
        path += strlen(prefix) - 1;
    for (size_t i = 0; i < N_ROUTES; i++) {
        if (routes[i].kind == ROUTE_MODEL && strncmp(path, model, strlen(model)) == 0 &&
            path[strlen(model)]) {
            *rest = path + strlen(model);
            return &routes[i];
        }
        if (routes[i].kind != ROUTE_MODEL && strcmp(path, routes[i].path) == 0)
            return &routes[i];
    }
    return NULL;
}

const struct route *routes_all(size_t *n)
{
    *n = N_ROUTES;
    return routes;
}

size_t routes_number(const struct route *route)
{
    return (size_t)(route - routes);
}
