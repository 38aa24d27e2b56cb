#include "hub_answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digits.h"
#include "base/memory.h"

static void replace(char **field, const char *value)
{
    free(*field);
    *field = *value ? memory_copy(value) : NULL;
}

/* ---- one function for each header ---- */

static void take_etag(struct hub_answer *answer, const char *value)
{
    size_t n;

    if (strncmp(value, "W/", 2) == 0)
        value += 2;
    if (*value == '"')
        value++;
    n = strcspn(value, "\"");
    free(answer->etag);
    answer->etag = n ? memory_format("%.*s", (int)n, value) : NULL;
}

static void take_plain_etag(struct hub_answer *answer, const char *value)
{
    if (!answer->has_linked_etag)
        take_etag(answer, value);
}

static void take_linked_etag(struct hub_answer *answer, const char *value)
{
    take_etag(answer, value);
    answer->has_linked_etag = true;
}

static void take_length(struct hub_answer *answer, const char *value)
{
    answer->has_length = digits_read_all(value, &answer->length);
}

static void take_linked_size(struct hub_answer *answer, const char *value)
{
    answer->has_linked_size = digits_read_all(value, &answer->linked_size);
}

/* "bytes 5-9/10"; without the total it says too little. */
static void take_range(struct hub_answer *answer, const char *value)
{
    answer->has_range = false;
    if (strncasecmp(value, "bytes ", 6) != 0 ||
        !(value = digits_read(value + 6, &answer->range_first)) || *value != '-' ||
        !(value = digits_read(value + 1, &answer->range_last)) || *value != '/' ||
        !digits_read_all(value + 1, &answer->range_total))
        return;
    answer->has_range = true;
}

static void take_encoding(struct hub_answer *answer, const char *value)
{
    answer->is_encoded = *value && strcasecmp(value, "identity") != 0;
}

/* <URL>; rel="next", <URL>; rel="xet-auth" */
static void take_link(struct hub_answer *answer, const char *value)
{
    while ((value = strchr(value, '<'))) {
        const char *end = strchr(value, '>');
        size_t n_parameters = end ? strcspn(end, "<") : 0;
        char *parameters;

        if (!end)
            return;
        parameters = memory_format("%.*s", (int)n_parameters, end);
        if (strstr(parameters, "rel=\"next\"") || strstr(parameters, "rel=next")) {
            free(answer->next);
            answer->next = memory_format("%.*s", (int)(end - value - 1), value + 1);
        }
        free(parameters);
        value = end;
    }
}

static void take_commit(struct hub_answer *answer, const char *value)
{
    replace(&answer->commit, value);
}

static void take_type(struct hub_answer *answer, const char *value)
{
    replace(&answer->type, value);
}

static void take_problem(struct hub_answer *answer, const char *value)
{
    replace(&answer->problem, value);
}

static void take_explanation(struct hub_answer *answer, const char *value)
{
    replace(&answer->explanation, value);
}

static const struct {
    const char *name;
    void (*take)(struct hub_answer *answer, const char *value);
} headers[] = {
    {"etag", take_plain_etag},
    {"x-linked-etag", take_linked_etag},
    {"content-length", take_length},
    {"x-linked-size", take_linked_size},
    {"content-range", take_range},
    {"content-encoding", take_encoding},
    {"content-type", take_type},
    {"link", take_link},
    {"x-repo-commit", take_commit},
    {"x-error-code", take_problem},
    {"x-error-message", take_explanation},
};

/* ---- lines ---- */

void hub_answer_add_header(struct hub_answer *answer, const char *line, size_t length)
{
    size_t n_name;
    char *copy, *value;

    if (length >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
        hub_answer_release(answer);
        return;
    }
    while (length > 0 && strchr(" \t\r\n", line[length - 1]))
        length--;
    copy = memory_format("%.*s", (int)length, line); /* ends at a NUL, if there is one */
    n_name = strcspn(copy, ":");
    value = copy + n_name + (copy[n_name] == ':');
    value += strspn(value, " \t");
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (strlen(headers[i].name) == n_name && strncasecmp(headers[i].name, copy, n_name) == 0)
            headers[i].take(answer, value);
    free(copy);
}

void hub_answer_release(struct hub_answer *answer)
{
    free(answer->etag);
    free(answer->commit);
    free(answer->location);
    free(answer->next);
    free(answer->type);
    free(answer->problem);
    free(answer->explanation);
    *answer = (struct hub_answer){0};
}

bool hub_answer_size(const struct hub_answer *answer, size_t *size_bytes)
{
    bool is_redirect = answer->status >= 300 && answer->status < 400;

    if (!answer->has_linked_size && (!answer->has_length || is_redirect))
        return false;
    *size_bytes = answer->has_linked_size ? answer->linked_size : answer->length;
    return true;
}
