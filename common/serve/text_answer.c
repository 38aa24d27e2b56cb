#include "text_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/memory.h"
#include "serve/ollama_answer.h"
#include "serve/openai_answer.h"

static void make_id(struct text_answer *answer)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuv";
    unsigned char bytes[24] = {0};
    char word[25] = {0};

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        memcpy(bytes, &answer, sizeof answer);
    for (size_t i = 0; i < sizeof bytes; i++)
        word[i] = letters[bytes[i] % 32];
    snprintf(answer->id, sizeof answer->id, "%s-%s",
             answer->request.form == TEXT_COMPLETIONS ? "cmpl" : "chatcmpl", word);
}

static bool is_chat(const struct text_answer *answer)
{
    return answer->request.form == TEXT_CHAT || answer->request.form == TEXT_OLLAMA_CHAT;
}

/* A message that is continued is the beginning of the answer. */
static void begin_choice(struct text_answer *answer, size_t i)
{
    struct answer_choice *choice = &answer->choices[i];
    const struct text_request *request = &answer->request;

    choice->thought = !is_chat(answer) || request->has_echo ? THOUGHT_OVER
                      : request->opens_thought              ? THOUGHT_OPEN
                                                            : THOUGHT_MAYBE;
    choice->harmony.is_in_body = request->continues;
    if (is_chat(answer) && request->has_echo && request->echoes[0].size)
        buffer_add(&choice->text, request->echoes[0].data, request->echoes[0].size);
}

struct text_answer *text_answer_new(struct text_request *request)
{
    struct text_answer *answer = memory_zalloc(1, sizeof *answer);
    size_t n = job_n_texts(request->job);

    answer->request = *request;
    *request = (struct text_request){0};
    answer->created = (long long)time(NULL);
    answer->choices = memory_zalloc(n, sizeof *answer->choices);
    for (size_t i = 0; i < n; i++)
        begin_choice(answer, i);
    make_id(answer);
    return answer;
}

void text_answer_free(struct text_answer *answer)
{
    if (!answer)
        return;
    for (size_t i = 0; i < job_n_texts(answer->request.job); i++)
        answer_choice_release(&answer->choices[i]);
    free(answer->choices);
    text_request_release(&answer->request);
    free(answer);
}

static void gather(struct text_answer *answer, size_t i)
{
    struct job_text *text = &answer->request.job->texts[i];
    struct answer_choice *choice = &answer->choices[i];
    size_t width = 1 + answer->request.job->settings.n_top_logprobs;
    const struct answer_rules rules = {
        .model = is_chat(answer) ? answer->request.job->model : NULL,
        .tools = is_chat(answer) ? answer->request.tools : NULL,
    };

    if (text->text.size)
        buffer_add(&choice->raw, text->text.data, text->text.size);
    buffer_clear(&text->text);
    if (text->n_logprobs) {
        choice->logprobs = memory_resize(choice->logprobs, choice->n_logprobs + text->n_logprobs,
                                         width * sizeof *choice->logprobs);
        memcpy(choice->logprobs + choice->n_logprobs * width, text->logprobs,
               text->n_logprobs * width * sizeof *text->logprobs);
        choice->n_logprobs += text->n_logprobs;
        text->n_logprobs = 0;
    }
    choice->n_tokens = text->n_tokens;
    choice->state = text->state;
    answer_choice_sort(choice, &rules, text->state != GENERATION_RUNS);
}

bool text_answer_gather(struct text_answer *answer)
{
    const struct job *job = answer->request.job;
    bool has_come = job->is_done;

    for (size_t i = 0; i < job_n_texts(job); i++) {
        gather(answer, i);
        has_come |= answer->choices[i].n_tokens > 0;
    }
    return has_come;
}

/* Why there is no answer; NULL: there is one. */
static const struct error *find_error(const struct job *job)
{
    if (job->error.code)
        return &job->error;
    for (size_t i = 0; i < job_n_texts(job); i++)
        if (job->texts[i].state == GENERATION_FAILED)
            return &job->texts[i].error;
    return NULL;
}

static bool is_ollama(const struct text_answer *answer)
{
    return answer->request.form == TEXT_OLLAMA_CHAT ||
           answer->request.form == TEXT_OLLAMA_GENERATE;
}

void text_answer_add_chunks(struct text_answer *answer, struct buffer *out)
{
    const struct error *error = find_error(answer->request.job);
    struct refusal refusal = {0};

    if (answer->has_ended)
        return;
    if (error) {
        refusal_of_error(&refusal, NULL, error);
        if (is_ollama(answer))
            ollama_answer_add_error(&refusal, out);
        else
            openai_answer_add_error_event(&refusal, out);
        answer->has_ended = true;
    } else if (is_ollama(answer)) {
        ollama_answer_add_lines(answer, out);
    } else {
        openai_answer_add_events(answer, out);
    }
}

int text_answer_add_whole(struct text_answer *answer, struct buffer *out, struct refusal *refusal)
{
    const struct error *error = find_error(answer->request.job);

    if (error)
        return refusal_of_error(refusal, NULL, error);
    if (is_ollama(answer))
        ollama_answer_add_whole(answer, out);
    else
        openai_answer_add_whole(answer, out);
    return 0;
}
