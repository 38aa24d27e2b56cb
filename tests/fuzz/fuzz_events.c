/* fuzz_events.c - the bytes of a stream and of a whole answer: each event is "data: ", JSON on one line
 * and an empty line, each line of ollama's JSON; what they say together is what the answer says that
 * is given at once.
 *
 * The first byte says what is asked for; a byte 0 ends a piece, 1 goes to the other text. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "must.h"
#include "serve/text_answer.h"

enum { N_TEXTS = 2 };

struct said { /* of one text */
    struct buffer content, reasoning;
    char *reason;
    int n_calls;
};

static struct job *make_job(struct served_model *model, size_t n_texts)
{
    struct job *job = job_new(model);

    job->prompts = calloc(1, sizeof *job->prompts);
    job->n_prompts = 1;
    ids_add(&job->prompts[0], 0);
    job->n_choices = n_texts;
    job_prepare(job);
    return job;
}

static struct text_answer *make_answer(struct served_model *model, uint8_t how)
{
    static const enum text_form forms[] = {TEXT_CHAT, TEXT_COMPLETIONS, TEXT_OLLAMA_CHAT,
                                           TEXT_OLLAMA_GENERATE};
    enum text_form form = forms[how & 3];
    struct text_request request = {
        .form = form,
        .job = make_job(model, form == TEXT_CHAT || form == TEXT_COMPLETIONS ? N_TEXTS : 1),
        .is_streamed = true,
        .has_usage = how & 4,
        .tools = how & 8 ? memory_copy("[]") : NULL,
        .opens_thought = how & 16,
    };

    return text_answer_new(&request);
}

static void add_text(struct text_answer *answer, size_t number, const struct buffer *piece)
{
    struct job_text *text = &answer->request.job->texts[number];

    utf8_add_lossy(&text->text, piece->size ? piece->data : "", piece->size);
    text->n_tokens++;
}

static void end(struct text_answer *answer)
{
    struct job *job = answer->request.job;

    for (size_t i = 0; i < job_n_texts(job); i++)
        job->texts[i].state = i ? GENERATION_LENGTH : GENERATION_EOS;
    job->is_done = true;
}

static const cJSON *get(const cJSON *object, const char *name)
{
    return object ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

static void take_text(const cJSON *object, const char *name, struct buffer *out)
{
    const cJSON *text = get(object, name);

    if (cJSON_IsString(text))
        buffer_add_text(out, text->valuestring);
}

/* A choice, or a whole object of ollama's. */
static void take_choice(const cJSON *choice, struct said *said)
{
    const cJSON *message = get(choice, "delta"), *reason = get(choice, "finish_reason");
    const cJSON *calls;

    message = message ? message : get(choice, "message");
    message = message ? message : choice;
    take_text(message, "content", &said->content);
    take_text(message, "text", &said->content);
    take_text(message, "response", &said->content);
    take_text(message, "reasoning_content", &said->reasoning);
    take_text(message, "thinking", &said->reasoning);
    calls = get(message, "tool_calls");
    said->n_calls += cJSON_GetArraySize(calls);
    reason = reason ? reason : get(choice, "done_reason");
    if (cJSON_IsString(reason)) {
        MUST(!said->reason);
        said->reason = strdup(reason->valuestring);
    }
}

static void take_object(const char *text, size_t n, struct said *said)
{
    struct error error = {0};
    cJSON *json = json_parse(text, n, &error);
    const cJSON *choices = get(json, "choices"), *choice;

    MUST(json && cJSON_IsObject(json) && utf8_valid_prefix(text, n) == n);
    if (!choices)
        take_choice(json, &said[0]);
    cJSON_ArrayForEach(choice, choices) {
        int number = (int)get(choice, "index")->valuedouble;

        MUST(number >= 0 && number < N_TEXTS);
        take_choice(choice, &said[number]);
    }
    cJSON_Delete(json);
}

static void take_stream(const struct buffer *out, bool is_ollama, struct said *said)
{
    static const char data[] = "data: ", last[] = "data: [DONE]\n\n";
    const char *at = out->data, *end = at + out->size, *stop;

    MUST(out->size);
    for (; at < end; at = stop + (is_ollama ? 1 : 2)) {
        stop = memchr(at, '\n', (size_t)(end - at));
        MUST(stop && !memchr(at, '\r', (size_t)(stop - at)));
        if (is_ollama) {
            take_object(at, (size_t)(stop - at), said);
            continue;
        }
        MUST(end - stop >= 2 && stop[1] == '\n' && memcmp(at, data, strlen(data)) == 0);
        if (memcmp(at, last, strlen(last)) == 0)
            MUST(at + strlen(last) == end);
        else
            take_object(at + strlen(data), (size_t)(stop - at) - strlen(data), said);
    }
    MUST(is_ollama || (out->size >= strlen(last) &&
                       memcmp(end - strlen(last), last, strlen(last)) == 0));
}

static bool is_same(const struct buffer *a, const struct buffer *b)
{
    return a->size == b->size && (!a->size || memcmp(a->data, b->data, a->size) == 0);
}

static void release(struct said *said)
{
    for (size_t i = 0; i < N_TEXTS; i++) {
        buffer_release(&said[i].content);
        buffer_release(&said[i].reasoning);
        free(said[i].reason);
    }
}

static void compare(const struct said *streamed, const struct said *whole)
{
    for (size_t i = 0; i < N_TEXTS; i++) {
        MUST(is_same(&streamed[i].content, &whole[i].content));
        MUST(is_same(&streamed[i].reasoning, &whole[i].reasoning));
        MUST(streamed[i].n_calls == whole[i].n_calls);
        MUST(!streamed[i].reason == !whole[i].reason);
        MUST(!whole[i].reason || strcmp(streamed[i].reason, whole[i].reason) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct served_model model = {.id = (char *)"m\"\n"};
    struct said streamed[N_TEXTS] = {0}, whole[N_TEXTS] = {0};
    struct buffer piece = {0}, out = {0}, all = {0};
    struct refusal refusal = {0};
    struct text_answer *pieces, *once;
    size_t number = 0;

    if (!size)
        return 0;
    model.is_harmony = data[0] & 32;
    pieces = make_answer(&model, data[0]);
    once = make_answer(&model, data[0]);
    for (size_t i = 1; i <= size; i++) {
        if (i < size && data[i] > 1) {
            buffer_add_char(&piece, (char)data[i]);
            continue;
        }
        add_text(pieces, number, &piece);
        add_text(once, number, &piece);
        buffer_clear(&piece);
        text_answer_gather(pieces);
        text_answer_add_chunks(pieces, &out);
        if (i < size && data[i] == 1)
            number = (number + 1) % job_n_texts(once->request.job);
    }
    end(pieces);
    end(once);
    text_answer_gather(pieces);
    text_answer_add_chunks(pieces, &out);
    MUST(pieces->has_ended);
    take_stream(&out, (data[0] & 3) >= 2, streamed);
    text_answer_gather(once);
    MUST(text_answer_add_whole(once, &all, &refusal) == 0);
    take_object(all.data, all.size, whole);
    compare(streamed, whole);
    release(streamed);
    release(whole);
    text_answer_free(pieces);
    text_answer_free(once);
    buffer_release(&piece);
    buffer_release(&out);
    buffer_release(&all);
    return 0;
}
