#include "openai_answer.h"

#include <stdint.h>
#include <stdio.h>

static bool is_chat(const struct text_answer *answer)
{
    return answer->request.form == TEXT_CHAT;
}

static void add_text(struct json_writer *json, const char *key, const struct buffer *text)
{
    json_writer_bytes(json, key, text->size ? text->data : "", text->size);
}

static void add_head(struct json_writer *json, const struct text_answer *answer, bool is_chunk)
{
    json_writer_object(json, NULL);
    json_writer_string(json, "id", answer->id);
    json_writer_string(json, "object", !is_chat(answer) ? "text_completion"
                                       : is_chunk       ? "chat.completion.chunk"
                                                        : "chat.completion");
    json_writer_size(json, "created", (size_t)answer->created);
    json_writer_string(json, "model", answer->request.job->model->id);
}

static void add_usage(struct json_writer *json, const struct text_answer *answer)
{
    const struct job *job = answer->request.job;
    size_t n_prompt = job_n_prompt_tokens(job), n_new = 0;

    for (size_t i = 0; i < job_n_texts(job); i++)
        n_new += answer->choices[i].n_tokens;
    json_writer_object(json, "usage");
    json_writer_size(json, "prompt_tokens", n_prompt);
    json_writer_size(json, "completion_tokens", n_new);
    json_writer_size(json, "total_tokens", n_prompt + n_new);
    json_writer_object(json, "prompt_tokens_details");
    json_writer_size(json, "cached_tokens", job->n_cached_tokens);
    json_writer_end(json);
    json_writer_end(json);
}

static void add_calls(struct json_writer *json, const struct text_answer *answer, size_t choice,
                      bool has_index)
{
    const struct tool_calls *calls = &answer->choices[choice].calls;
    char id[96];

    json_writer_array(json, "tool_calls");
    for (size_t i = 0; i < calls->n_calls; i++) {
        snprintf(id, sizeof id, "call_%.24s%zu_%zu", answer->id + 9, choice, i);
        if (calls->calls[i].id)
            snprintf(id, sizeof id, "%s", calls->calls[i].id);
        json_writer_object(json, NULL);
        if (has_index)
            json_writer_size(json, "index", i);
        json_writer_string(json, "id", id);
        json_writer_string(json, "type", "function");
        json_writer_object(json, "function");
        json_writer_string(json, "name", calls->calls[i].name);
        json_writer_string(json, "arguments", calls->calls[i].arguments);
        json_writer_end(json);
        json_writer_end(json);
    }
    json_writer_end(json);
}

/* The first n of those that have come; they are not told again. */
static void add_logprobs(struct json_writer *json, const struct text_answer *answer, size_t i,
                         size_t n)
{
    const struct generation_settings *settings = &answer->request.job->settings;
    const struct tokenizer *tokenizer = answer->request.job->model->tokenizer;
    struct answer_choice *choice = &answer->choices[i];

    n = n < choice->n_logprobs ? n : choice->n_logprobs;
    if (!settings->has_logprobs)
        json_writer_null(json, "logprobs");
    else if (is_chat(answer))
        answer_choice_add_logprobs(json, choice, tokenizer, settings->n_top_logprobs, n);
    else
        answer_choice_add_token_lists(json, choice, tokenizer, settings->n_top_logprobs, n);
    answer_choice_drop_logprobs(choice, settings->n_top_logprobs, n);
}

/* ---- streams ---- */

static void begin_chunk(struct json_writer *json, const struct text_answer *answer, size_t i)
{
    buffer_add_text(json->out, "data: ");
    add_head(json, answer, true);
    json_writer_array(json, "choices");
    json_writer_object(json, NULL);
    json_writer_size(json, "index", i);
}

static void end_event(struct json_writer *json)
{
    json_writer_end(json);
    buffer_add_text(json->out, "\n\n");
}

static void end_chunk(struct json_writer *json, const struct text_answer *answer,
                      const char *reason)
{
    json_writer_string(json, "finish_reason", reason);
    json_writer_end(json);
    json_writer_end(json);
    if (answer->request.tells_usage)
        add_usage(json, answer);
    else if (answer->request.has_usage)
        json_writer_null(json, "usage");
    end_event(json);
}

static void add_role(const struct text_answer *answer, size_t i, struct buffer *out)
{
    struct json_writer json = {.out = out};

    begin_chunk(&json, answer, i);
    json_writer_object(&json, "delta");
    json_writer_string(&json, "role", "assistant");
    json_writer_string(&json, "content", "");
    json_writer_end(&json);
    json_writer_null(&json, "logprobs");
    end_chunk(&json, answer, NULL);
}

/* Tokens of the prompt whose logprobs have not been told. */
static size_t count_echoed(const struct text_answer *answer, size_t i)
{
    const struct job *job = answer->request.job;
    size_t n = job->prompts[i / job->n_choices].n_items;

    return job->settings.n_scored < n ? job->settings.n_scored : n;
}

/* The text of the prompt, which stands before that of the answer. */
static void add_echo(const struct text_answer *answer, size_t i, struct buffer *out)
{
    const struct text_request *request = &answer->request;
    struct json_writer json = {.out = out};

    begin_chunk(&json, answer, i);
    add_text(&json, "text", &request->echoes[i / request->job->n_choices]);
    add_logprobs(&json, answer, i, count_echoed(answer, i));
    end_chunk(&json, answer, NULL);
}

static void add_piece(const struct text_answer *answer, size_t i, const char *member,
                      struct buffer *text, struct buffer *out)
{
    struct json_writer json = {.out = out};

    begin_chunk(&json, answer, i);
    if (is_chat(answer)) {
        json_writer_object(&json, "delta");
        add_text(&json, member, text);
        json_writer_end(&json);
    } else {
        add_text(&json, "text", text);
    }
    add_logprobs(&json, answer, i, SIZE_MAX);
    end_chunk(&json, answer, NULL);
    buffer_clear(text);
}

static void add_call_chunk(const struct text_answer *answer, size_t i, struct buffer *out)
{
    struct json_writer json = {.out = out};

    begin_chunk(&json, answer, i);
    json_writer_object(&json, "delta");
    add_calls(&json, answer, i, true);
    json_writer_end(&json);
    json_writer_null(&json, "logprobs");
    end_chunk(&json, answer, NULL);
}

static void add_last(const struct text_answer *answer, size_t i, struct buffer *out)
{
    struct json_writer json = {.out = out};

    begin_chunk(&json, answer, i);
    if (is_chat(answer)) {
        json_writer_object(&json, "delta");
        json_writer_end(&json);
    } else {
        json_writer_string(&json, "text", "");
    }
    add_logprobs(&json, answer, i, SIZE_MAX);
    end_chunk(&json, answer, answer_choice_reason(&answer->choices[i]));
}

static void add_choice(const struct text_answer *answer, size_t i, struct buffer *out)
{
    struct answer_choice *choice = &answer->choices[i];

    if (!choice->has_begun && is_chat(answer))
        add_role(answer, i, out);
    else if (!choice->has_begun && answer->request.has_echo)
        add_echo(answer, i, out);
    choice->has_begun = true;
    if (choice->reasoning.size)
        add_piece(answer, i, "reasoning_content", &choice->reasoning, out);
    if (choice->text.size)
        add_piece(answer, i, "content", &choice->text, out);
    if (choice->has_ended || choice->state == GENERATION_RUNS)
        return;
    if (choice->calls.n_calls)
        add_call_chunk(answer, i, out);
    add_last(answer, i, out);
    choice->has_ended = true;
}

static void add_usage_chunk(const struct text_answer *answer, struct buffer *out)
{
    struct json_writer json = {.out = out};

    buffer_add_text(out, "data: ");
    add_head(&json, answer, true);
    json_writer_array(&json, "choices");
    json_writer_end(&json);
    add_usage(&json, answer);
    end_event(&json);
}

void openai_answer_add_events(struct text_answer *answer, struct buffer *out)
{
    const struct job *job = answer->request.job;

    for (size_t i = 0; i < job_n_texts(job); i++)
        add_choice(answer, i, out);
    if (!job->is_done)
        return;
    if (answer->request.has_usage)
        add_usage_chunk(answer, out);
    buffer_add_text(out, "data: [DONE]\n\n");
    answer->has_ended = true;
}

/* ---- at once ---- */

static void add_message(struct json_writer *json, const struct text_answer *answer, size_t i)
{
    const struct answer_choice *choice = &answer->choices[i];

    json_writer_object(json, "message");
    json_writer_string(json, "role", "assistant");
    if (choice->calls.n_calls && choice->text.size == 0)
        json_writer_null(json, "content");
    else
        add_text(json, "content", &choice->text);
    if (choice->reasoning.size)
        add_text(json, "reasoning_content", &choice->reasoning);
    if (choice->calls.n_calls)
        add_calls(json, answer, i, false);
    json_writer_end(json);
}

static void add_completion(struct json_writer *json, const struct text_answer *answer, size_t i)
{
    const struct text_request *request = &answer->request;
    struct buffer text = {0};

    if (request->has_echo) {
        const struct buffer *echo = &request->echoes[i / request->job->n_choices];

        buffer_add(&text, echo->size ? echo->data : "", echo->size);
    }
    if (answer->choices[i].text.size)
        buffer_add(&text, answer->choices[i].text.data, answer->choices[i].text.size);
    add_text(json, "text", &text);
    buffer_release(&text);
}

void openai_answer_add_whole(struct text_answer *answer, struct buffer *out)
{
    struct json_writer json = {.out = out};

    add_head(&json, answer, false);
    json_writer_array(&json, "choices");
    for (size_t i = 0; i < job_n_texts(answer->request.job); i++) {
        json_writer_object(&json, NULL);
        json_writer_size(&json, "index", i);
        if (is_chat(answer))
            add_message(&json, answer, i);
        else
            add_completion(&json, answer, i);
        add_logprobs(&json, answer, i, SIZE_MAX);
        json_writer_string(&json, "finish_reason", answer_choice_reason(&answer->choices[i]));
        json_writer_end(&json);
    }
    json_writer_end(&json);
    add_usage(&json, answer);
    json_writer_end(&json);
}

/* ---- errors ---- */

void openai_answer_add_error(const struct refusal *refusal, struct buffer *out)
{
    struct json_writer json = {.out = out};

    json_writer_object(&json, NULL);
    json_writer_object(&json, "error");
    json_writer_string(&json, "message", refusal->text);
    json_writer_string(&json, "type", refusal_type(refusal->status));
    json_writer_string(&json, "param", *refusal->param ? refusal->param : NULL);
    json_writer_string(&json, "code", refusal->code);
    json_writer_end(&json);
    json_writer_end(&json);
}

void openai_answer_add_error_event(const struct refusal *refusal, struct buffer *out)
{
    buffer_add_text(out, "data: ");
    openai_answer_add_error(refusal, out);
    buffer_add_text(out, "\n\n");
}
