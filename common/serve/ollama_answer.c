#include "ollama_answer.h"

#include <time.h>

static void add_text(struct json_writer *json, const char *key, const struct buffer *text)
{
    json_writer_bytes(json, key, text->size ? text->data : "", text->size);
}

static void add_head(struct json_writer *json, const struct text_answer *answer)
{
    char text[64];
    struct timespec now;
    struct tm tm;
    size_t n;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_writer_object(json, NULL);
    json_writer_string(json, "model", answer->request.job->model->id);
    json_writer_string(json, "created_at", n ? text : "");
}

/* Arguments are an object here; what is none stays text. */
static void add_calls(struct json_writer *json, const struct tool_calls *calls)
{
    if (!calls->n_calls)
        return;
    json_writer_array(json, "tool_calls");
    for (size_t i = 0; i < calls->n_calls; i++) {
        json_writer_object(json, NULL);
        json_writer_object(json, "function");
        json_writer_string(json, "name", calls->calls[i].name);
        if (calls->calls[i].is_object)
            json_writer_raw(json, "arguments", calls->calls[i].arguments);
        else
            json_writer_string(json, "arguments", calls->calls[i].arguments);
        json_writer_end(json);
        json_writer_end(json);
    }
    json_writer_end(json);
}

/* The one text; an empty one of a request that only asks for the model to be loaded. */
static const struct answer_choice *find_choice(const struct text_answer *answer)
{
    static const struct answer_choice nothing = {.state = GENERATION_STOP};

    return job_n_texts(answer->request.job) ? &answer->choices[0] : &nothing;
}

static const char *find_reason(const struct text_answer *answer)
{
    if (job_n_texts(answer->request.job) == 0)
        return "load";
    return answer->choices[0].state == GENERATION_LENGTH ? "length" : "stop";
}

static void add_content(struct json_writer *json, const struct text_answer *answer)
{
    const struct answer_choice *choice = find_choice(answer);

    if (answer->request.form == TEXT_OLLAMA_GENERATE) {
        add_text(json, "response", &choice->text);
        return;
    }
    json_writer_object(json, "message");
    json_writer_string(json, "role", "assistant");
    add_text(json, "content", &choice->text);
    if (choice->reasoning.size)
        add_text(json, "thinking", &choice->reasoning);
    add_calls(json, &choice->calls);
    json_writer_end(json);
}

static size_t nanoseconds(double from, double to)
{
    return from > 0 && to > from ? (size_t)((to - from) * 1e9) : 0;
}

static void add_end(struct json_writer *json, const struct text_answer *answer)
{
    const struct job *job = answer->request.job;
    double first_s = job->first_s > 0 ? job->first_s : job->done_s;

    json_writer_bool(json, "done", true);
    json_writer_string(json, "done_reason", find_reason(answer));
    json_writer_size(json, "total_duration", nanoseconds(job->submitted_s, job->done_s));
    json_writer_size(json, "load_duration", nanoseconds(job->submitted_s, job->started_s));
    json_writer_size(json, "prompt_eval_count", job_n_prompt_tokens(job));
    json_writer_size(json, "prompt_eval_duration", nanoseconds(job->started_s, first_s));
    json_writer_size(json, "eval_count", find_choice(answer)->n_tokens);
    json_writer_size(json, "eval_duration", nanoseconds(first_s, job->done_s));
    json_writer_end(json);
}

void ollama_answer_add_lines(struct text_answer *answer, struct buffer *out)
{
    struct answer_choice *choice = &answer->choices[0];
    struct json_writer json = {.out = out};

    if (!answer->request.job->is_done && !choice->text.size && !choice->reasoning.size)
        return;
    if (choice->text.size || choice->reasoning.size || choice->calls.n_calls) {
        add_head(&json, answer);
        add_content(&json, answer);
        json_writer_bool(&json, "done", false);
        json_writer_end(&json);
        buffer_add_char(out, '\n');
        buffer_clear(&choice->text);
        buffer_clear(&choice->reasoning);
        tool_calls_release(&choice->calls);
    }
    if (!answer->request.job->is_done)
        return;
    json = (struct json_writer){.out = out};
    add_head(&json, answer);
    add_content(&json, answer);
    add_end(&json, answer);
    buffer_add_char(out, '\n');
    answer->has_ended = true;
}

void ollama_answer_add_whole(struct text_answer *answer, struct buffer *out)
{
    struct json_writer json = {.out = out};

    add_head(&json, answer);
    add_content(&json, answer);
    add_end(&json, answer);
}

void ollama_answer_add_error(const struct refusal *refusal, struct buffer *out)
{
    struct json_writer json = {.out = out};

    json_writer_object(&json, NULL);
    json_writer_string(&json, "error", refusal->text);
    json_writer_end(&json);
    buffer_add_char(out, '\n');
}
