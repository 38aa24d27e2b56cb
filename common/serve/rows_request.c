#include "rows_request.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "serve/members.h"

enum { INPUTS_MAX = 2048, DOCUMENTS_MAX = 1000, LENGTH_WITHOUT_LIMIT = 8192 };

struct rows_members {
    char *model, *input, *encoding_format, *prompt_name;
    char *query, *documents;
    double dimensions, top_n;
    int raw_scores, return_documents, truncate;
};

#define AT(member) offsetof(struct rows_members, member)

#define EMBED_ROWS                                                                                \
    {"model", MEMBER_STRING, AT(model), 0, 0}, {"input", MEMBER_VALUE, AT(input), 0, 0},          \
    {"dimensions", MEMBER_INTEGER, AT(dimensions), 1, 1 << 30},                                   \
    {"prompt_name", MEMBER_STRING, AT(prompt_name), 0, 0},                                        \
    {"truncate", MEMBER_BOOL, AT(truncate), 0, 0}

static const struct member_row embedding_rows[] = {
    EMBED_ROWS,
    {"encoding_format", MEMBER_STRING, AT(encoding_format), 0, 0},
    {0},
};
static const struct member_row ollama_rows[] = {EMBED_ROWS, {0}};
static const struct member_row rerank_rows[] = {
    {"model", MEMBER_STRING, AT(model), 0, 0},
    {"query", MEMBER_STRING, AT(query), 0, 0},
    {"documents", MEMBER_LIST, AT(documents), 0, 0},
    {"top_n", MEMBER_INTEGER, AT(top_n), 1, 1 << 30},
    {"return_documents", MEMBER_BOOL, AT(return_documents), 0, 0},
    {"raw_scores", MEMBER_BOOL, AT(raw_scores), 0, 0},
    {"prompt_name", MEMBER_STRING, AT(prompt_name), 0, 0},
    {"truncate", MEMBER_BOOL, AT(truncate), 0, 0},
    {0},
};
static const struct member_row tei_rows[] = {
    {"model", MEMBER_STRING, AT(model), 0, 0},
    {"query", MEMBER_STRING, AT(query), 0, 0},
    {"texts", MEMBER_LIST, AT(documents), 0, 0},
    {"return_text", MEMBER_BOOL, AT(return_documents), 0, 0},
    {"raw_scores", MEMBER_BOOL, AT(raw_scores), 0, 0},
    {"truncate", MEMBER_BOOL, AT(truncate), 0, 0},
    {0},
};

static const struct member_row *const rows_of[] = {
    [ROWS_EMBEDDINGS] = embedding_rows,
    [ROWS_OLLAMA_EMBED] = ollama_rows,
    [ROWS_RERANK] = rerank_rows,
    [ROWS_TEI_RERANK] = tei_rows,
};

static const struct refused_member *const refused_of[] = {
    [ROWS_EMBEDDINGS] = refused_in_embeddings,
    [ROWS_OLLAMA_EMBED] = refused_in_embeddings,
    [ROWS_RERANK] = refused_in_rerank,
    [ROWS_TEI_RERANK] = refused_in_tei_rerank,
};

struct building {
    const struct rows_members *members;
    struct rows_request *request;
    struct served_model *model;
    struct job *job;
    struct tokenizer_scratch *scratch;
    struct encoding encoding;
    struct buffer text;                   /* with the prompt in front */
    const struct sentence_prompt *prompt; /* or NULL */
    size_t max_length;                    /* tokens */
    const char *name;                     /* of the member that holds the texts */
    struct refusal *refusal;
};

static int refuse(struct building *building, const char *text)
{
    return refusal_set(building->refusal, 400, NULL, building->name, "'%s' %s", building->name,
                       text);
}

/* ---- texts to ids ---- */

static struct job_input *add_input(struct building *building)
{
    struct job *job = building->job;
    bool is_rerank = building->model->kind == SERVED_RERANKER;

    if (job->n_inputs == (is_rerank ? DOCUMENTS_MAX : INPUTS_MAX)) {
        refuse(building, is_rerank ? "holds more than 1000 texts" : "holds more than 2048 texts");
        return NULL;
    }
    job->inputs = memory_resize(job->inputs, job->n_inputs + 1, sizeof *job->inputs);
    job->inputs[job->n_inputs] = (struct job_input){0};
    return &job->inputs[job->n_inputs++];
}

static void take_encoding(const struct building *building, struct job_input *input)
{
    const struct encoding *encoding = &building->encoding;

    for (size_t i = 0; i < encoding->n_ids; i++)
        ids_add(&input->ids, encoding->ids[i]);
    if (building->model->spec.n_token_types > 1)
        buffer_add(&input->type_ids, encoding->type_ids, encoding->n_ids);
}

/* A text, behind the prompt; or the query and it, as a pair. Cut where that is not forbidden. */
static int add_text(struct building *building, const char *text, size_t n)
{
    const struct served_model *model = building->model;
    const struct encode_options how = {.max_length = building->max_length};
    const char *query = building->members->query, *prompt =
        building->prompt ? building->prompt->text : "";
    struct job_input *input = add_input(building);
    struct error error = {0};

    if (!input)
        return -1;
    buffer_clear(&building->text);
    buffer_add_text(&building->text, prompt);
    if (query)
        buffer_add_text(&building->text, query);
    else
        buffer_add(&building->text, text, n);
    if (tokenizer_encode(model->tokenizer, building->scratch, building->text.data,
                         building->text.size, query ? text : NULL, query ? n : 0, &how,
                         &building->encoding, &error) ||
        tokenizer_check_ids(model->tokenizer, building->encoding.ids, building->encoding.n_ids,
                            model->spec.vocab_size, model->id, &error))
        return refusal_of_error(building->refusal, building->name, &error);
    if (building->encoding.is_truncated && building->members->truncate == 0)
        return refusal_set(building->refusal, 400, "context_length_exceeded", building->name,
                           "'%s' holds a text of more than %zu tokens, which the model takes at "
                           "most", building->name, building->max_length);
    if (building->encoding.n_ids == 0)
        return refuse(building, "holds a text without tokens");
    take_encoding(building, input);
    return 0;
}

static int keep_document(struct building *building, const char *text, size_t n)
{
    struct rows_request *request = building->request;

    if (!request->has_documents)
        return 0;
    request->documents = memory_resize(request->documents, request->n_documents + 1,
                                       sizeof *request->documents);
    request->documents[request->n_documents++] = memory_format("%.*s", (int)n, text);
    return 0;
}

static int add_document(struct building *building, const char *text, size_t n)
{
    if (n == 0 && !building->members->query)
        return refuse(building, "holds an empty text");
    return keep_document(building, text, n) || add_text(building, text, n) ? -1 : 0;
}

/* {"text": "…"}; of several texts the last counts. */
static int add_object(struct building *building, struct json_reader *json)
{
    struct buffer found = {0};
    struct error error = {0};
    struct json_text text, key;
    bool has_text = false;
    int more, rc;

    if (json_reader_object(json, &error))
        return refuse(building, "is malformed");
    while ((more = json_reader_member(json, &key, &error)) > 0) {
        if (!json_text_is(key, "text") || json_reader_peek(json) != JSON_STRING) {
            more = json_reader_skip(json, &error);
        } else if ((more = json_reader_string(json, &text, &error)) == 0) {
            buffer_clear(&found);
            buffer_add(&found, text.bytes, text.length);
            has_text = true;
        }
        if (more)
            break;
    }
    rc = more || !has_text ? refuse(building, "holds an object without a text")
                           : add_document(building, found.data, found.size);
    buffer_release(&found);
    return rc;
}

/* "text" or {"text": "…"} */
static int add_string(struct building *building, struct json_reader *json)
{
    struct error error = {0};
    struct json_text text;

    if (json_reader_peek(json) == JSON_OBJECT)
        return add_object(building, json);
    if (json_reader_peek(json) != JSON_STRING || json_reader_string(json, &text, &error))
        return refuse(building, building->members->query
                                    ? "must be a list of strings"
                                    : "must be a string, a list of strings, a list of token ids, "
                                      "or a list of such lists");
    return add_document(building, text.bytes, text.length);
}

/* Ids are taken as they are. */
static int add_ids(struct building *building, struct json_reader *json)
{
    struct job_input *input = add_input(building);
    size_t n_vocabulary = building->model->spec.vocab_size;
    size_t most = building->model->spec.max_tokens ? building->model->spec.max_tokens
                                                   : LENGTH_WITHOUT_LIMIT;
    struct error error = {0};
    double id;
    int more;

    if (!input)
        return -1;
    if (json_reader_peek(json) != JSON_ARRAY || json_reader_array(json, &error))
        return refuse(building, "mixes texts and lists of token ids");
    while ((more = json_reader_item(json, &error)) > 0) {
        if (json_reader_peek(json) != JSON_NUMBER || json_reader_number(json, &id, &error) ||
            id != floor(id))
            return refuse(building, "holds what is no token id");
        if (!(id >= 0 && id < (double)n_vocabulary))
            return refusal_set(building->refusal, 400, NULL, building->name, "'%s': the model has "
                               "no token %.0f, only %zu", building->name, id, n_vocabulary);
        ids_add(&input->ids, (uint32_t)id);
    }
    if (input->ids.n_items == 0)
        return refuse(building, "holds an empty list");
    if (input->ids.n_items > most)
        return refusal_set(building->refusal, 400, "context_length_exceeded", building->name,
                           "'%s' holds %zu tokens; the model takes at most %zu", building->name,
                           input->ids.n_items, most);
    for (size_t i = 0; building->model->spec.n_token_types > 1 && i < input->ids.n_items; i++)
        buffer_add_char(&input->type_ids, '\0');
    return 0;
}

static int add_all(struct building *building, const char *value)
{
    /* A query goes with texts only. */
    enum json_kind kind = building->members->query ? JSON_STRING : members_first_kind(value);
    struct json_reader json;
    struct error error = {0};
    int more, rc = 0;

    json_reader_init(&json, value, strlen(value));
    if (json_reader_peek(&json) != JSON_ARRAY) {
        rc = add_string(building, &json);
    } else if (kind == JSON_NUMBER) {
        rc = add_ids(building, &json);
    } else {
        rc = json_reader_array(&json, &error);
        while (rc == 0 && (more = json_reader_item(&json, &error)) > 0)
            rc = kind == JSON_ARRAY ? add_ids(building, &json) : add_string(building, &json);
    }
    json_reader_release(&json);
    if (rc)
        return refuse(building, "is malformed");
    return building->job->n_inputs ? 0 : refuse(building, "is empty");
}

/* ---- the request ---- */

/* Of what is not 0. */
static size_t least(size_t a, size_t b)
{
    return a && (a < b || !b) ? a : b;
}

static int choose_prompt(struct building *building)
{
    const struct served_model *model = building->model;
    const char *name = building->members->prompt_name;
    struct error error = {0};

    building->prompt = model->settings.default_prompt;
    if (name)
        building->prompt = sentence_settings_prompt(&model->settings, name, &error);
    if (error.code)
        return refusal_of_error(building->refusal, "prompt_name", &error);
    if (!building->prompt || !*building->prompt->text || model->kind != SERVED_ENCODER)
        return 0;
    if (sentence_count_prompt(model->tokenizer, building->prompt->text, building->max_length,
                              &building->job->n_input_prompt_tokens, &error))
        return refusal_of_error(building->refusal, "prompt_name", &error);
    return 0;
}

static int set_form(struct building *building)
{
    const struct rows_members *members = building->members;
    struct rows_request *request = building->request;
    const char *format = members->encoding_format;

    request->is_base64 = format && strcmp(format, "base64") == 0;
    if (format && !request->is_base64 && strcmp(format, "float") != 0)
        return refusal_set(building->refusal, 400, NULL, "encoding_format",
                           "'encoding_format' is float or base64");
    request->n_dimensions = isnan(members->dimensions) ? 0 : (size_t)members->dimensions;
    if (request->n_dimensions > building->model->spec.hidden_size)
        return refusal_set(building->refusal, 400, NULL, "dimensions", "'dimensions' is %zu; the "
                           "vectors of '%s' have at most %zu", request->n_dimensions,
                           building->model->id, building->model->spec.hidden_size);
    request->n_top = isnan(members->top_n) ? 0 : (size_t)members->top_n;
    request->is_raw = members->raw_scores == 1;
    request->has_documents = members->return_documents == 1;
    return 0;
}

static int build(struct building *building, const struct service *service)
{
    const struct rows_members *members = building->members;
    bool is_rerank = building->request->form >= ROWS_RERANK;
    const char *value = is_rerank ? members->documents : members->input;

    building->name = building->request->form == ROWS_TEI_RERANK ? "texts"
                     : is_rerank                                ? "documents"
                                                                : "input";
    building->model = service_find(service, members->model,
                                   is_rerank ? SERVED_RERANKER : SERVED_ENCODER,
                                   building->refusal);
    if (!building->model)
        return -1;
    if (is_rerank && !members->query)
        return refusal_set(building->refusal, 400, NULL, "query", "'query' is missing");
    if (!value)
        return refuse(building, "is missing");
    building->request->job = building->job = job_new(building->model);
    building->scratch = tokenizer_scratch_new(building->model->tokenizer);
    building->max_length =
        least(least(building->model->settings.max_tokens, building->model->spec.max_tokens),
              building->model->spec.max_tokens ? 0 : LENGTH_WITHOUT_LIMIT);
    if (set_form(building) || choose_prompt(building))
        return -1;
    return add_all(building, value);
}

const struct member_row *rows_request_rows(enum rows_form form)
{
    return rows_of[form];
}

int rows_request_read(struct rows_request *request, enum rows_form form,
                      const struct service *service, const char *body, size_t size,
                      struct refusal *refusal)
{
    struct rows_members members;
    struct building building = {.members = &members, .request = request, .refusal = refusal};
    int rc;

    *request = (struct rows_request){.form = form};
    for (size_t i = 0; i < sizeof rows_of / sizeof *rows_of; i++)
        members_init(rows_of[i], &members);
    rc = members_read(rows_of[form], refused_of[form], body, size, &members, refusal);
    if (rc == 0)
        rc = build(&building, service);
    tokenizer_scratch_free(building.scratch);
    encoding_release(&building.encoding);
    buffer_release(&building.text);
    members_release(rows_of[form], &members);
    if (rc)
        rows_request_release(request);
    return rc;
}

void rows_request_release(struct rows_request *request)
{
    for (size_t i = 0; i < request->n_documents; i++)
        free(request->documents[i]);
    free(request->documents);
    job_leave(request->job);
    *request = (struct rows_request){0};
}

/* ---- vectors ---- */

/* The first of a vector, of length 1 again. */
static void shorten(float *row, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)row[i] * row[i];
    for (size_t i = 0; i < n && sum > 0; i++)
        row[i] = (float)(row[i] / sqrt(sum));
}

static void add_vector(const struct rows_request *request, struct json_writer *json,
                       const char *key, const float *row, size_t n)
{
    struct buffer text = {0};

    if (request->is_base64) {
        base64_encode(row, n * sizeof *row, &text);
        json_writer_bytes(json, key, text.data, text.size);
        buffer_release(&text);
        return;
    }
    json_writer_array(json, key);
    for (size_t i = 0; i < n; i++)
        json_writer_float(json, NULL, row[i]);
    json_writer_end(json);
}

static void add_embeddings(const struct rows_request *request, struct buffer *out)
{
    const struct job *job = request->job;
    size_t n = request->n_dimensions ? request->n_dimensions : job->width;
    bool is_ollama = request->form == ROWS_OLLAMA_EMBED;
    struct json_writer json = {.out = out};

    json_writer_object(&json, NULL);
    if (!is_ollama)
        json_writer_string(&json, "object", "list");
    json_writer_string(&json, "model", job->model->id);
    json_writer_array(&json, is_ollama ? "embeddings" : "data");
    for (size_t i = 0; i < job->n_inputs; i++) {
        float *row = job->rows + i * job->width;

        if (n < job->width)
            shorten(row, n);
        if (is_ollama) {
            add_vector(request, &json, NULL, row, n);
            continue;
        }
        json_writer_object(&json, NULL);
        json_writer_string(&json, "object", "embedding");
        json_writer_size(&json, "index", i);
        add_vector(request, &json, "embedding", row, n);
        json_writer_end(&json);
    }
    json_writer_end(&json);
    if (is_ollama) {
        json_writer_size(&json, "prompt_eval_count", job_n_prompt_tokens(job));
    } else {
        json_writer_object(&json, "usage");
        json_writer_size(&json, "prompt_tokens", job_n_prompt_tokens(job));
        json_writer_size(&json, "total_tokens", job_n_prompt_tokens(job));
        json_writer_end(&json);
    }
    json_writer_end(&json);
}

/* ---- scores ---- */

struct score {
    float value;
    size_t index;
};

static int compare_scores(const void *a, const void *b)
{
    const struct score *x = a, *y = b;

    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static void add_score(const struct rows_request *request, struct json_writer *json,
                      const struct score *score)
{
    double value = request->is_raw ? score->value : 1 / (1 + exp(-(double)score->value));
    bool is_tei = request->form == ROWS_TEI_RERANK;

    json_writer_object(json, NULL);
    json_writer_size(json, "index", score->index);
    json_writer_double(json, is_tei ? "score" : "relevance_score", value);
    if (request->has_documents && is_tei) {
        json_writer_string(json, "text", request->documents[score->index]);
    } else if (request->has_documents) {
        json_writer_object(json, "document");
        json_writer_string(json, "text", request->documents[score->index]);
        json_writer_end(json);
    }
    json_writer_end(json);
}

static void add_scores(const struct rows_request *request, struct buffer *out)
{
    const struct job *job = request->job;
    struct score *scores = memory_zalloc(job->n_inputs, sizeof *scores);
    size_t n = request->n_top && request->n_top < job->n_inputs ? request->n_top : job->n_inputs;
    bool is_tei = request->form == ROWS_TEI_RERANK;
    struct json_writer json = {.out = out};

    for (size_t i = 0; i < job->n_inputs; i++)
        scores[i] = (struct score){job->rows[i], i};
    qsort(scores, job->n_inputs, sizeof *scores, compare_scores);
    if (!is_tei) {
        json_writer_object(&json, NULL);
        json_writer_string(&json, "model", job->model->id);
    }
    json_writer_array(&json, is_tei ? NULL : "results");
    for (size_t i = 0; i < n; i++)
        add_score(request, &json, &scores[i]);
    json_writer_end(&json);
    if (!is_tei) {
        json_writer_object(&json, "usage");
        json_writer_size(&json, "total_tokens", job_n_prompt_tokens(job));
        json_writer_end(&json);
        json_writer_end(&json);
    }
    free(scores);
}

int rows_request_add_answer(const struct rows_request *request, struct buffer *out,
                            struct refusal *refusal)
{
    const struct job *job = request->job;

    if (job->error.code)
        return refusal_of_error(refusal, NULL, &job->error);
    if (request->n_dimensions > job->width)
        return refusal_set(refusal, 400, NULL, "dimensions", "'dimensions' is %zu; the vectors of "
                           "'%s' have %zu", request->n_dimensions, job->model->id, job->width);
    for (size_t i = 0; i < job->n_inputs * job->width; i++)
        if (!isfinite(job->rows[i]))
            return refusal_set(refusal, 500, NULL, NULL, "the model gives what is no number");
    if (job->model->kind == SERVED_RERANKER)
        add_scores(request, out);
    else
        add_embeddings(request, out);
    return 0;
}
