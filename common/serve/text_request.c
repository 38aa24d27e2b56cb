#include "text_request.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/json.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "serve/client_messages.h"
#include "serve/model_marks.h"
#include "serve/prefix_store.h"
#include "serve/text_members.h"

enum {
    STOPS_MAX = 16, PROMPTS_MAX = 2048, TEXTS_MAX = 2048,
    TOKENS_WITHOUT_LIMIT = 2048, PROMPT_WITHOUT_LIMIT = 8192, /* of models that have none */
};

struct building {
    const struct text_members *members;
    enum text_form form;
    struct served_model *model;
    struct text_request *request;
    struct job *job;
    struct tokenizer_scratch *scratch;
    struct refusal *refusal;
};

/* ---- what cannot be obeyed ---- */

/* The type of {"type": …}, or the text itself: "text", "auto" …; NULL for anything else. */
static char *read_word(const char *value)
{
    struct json_reader json;
    struct error error = {0};
    struct json_text text, key;
    char *word = NULL;

    json_reader_init(&json, value, strlen(value));
    if (json_reader_peek(&json) == JSON_STRING) {
        if (json_reader_string(&json, &text, &error) == 0)
            word = memory_copy(text.bytes);
    } else if (json_reader_object(&json, &error) == 0) {
        while (!word && json_reader_member(&json, &key, &error) > 0)
            if (json_text_is(key, "type") && json_reader_peek(&json) == JSON_STRING &&
                json_reader_string(&json, &text, &error) == 0)
                word = memory_copy(text.bytes);
            else if (json_reader_skip(&json, &error))
                break;
    }
    json_reader_release(&json);
    return word;
}

/* Members that may only say one of these words; `others` are refused by name. */
static int check_word(struct building *building, const char *name, const char *value,
                      const char *allowed, const char *allowed_too)
{
    char *word;
    bool is_allowed;

    if (!value)
        return 0;
    word = read_word(value);
    is_allowed = word && (strcmp(word, allowed) == 0 ||
                          (allowed_too && strcmp(word, allowed_too) == 0));
    if (!is_allowed)
        refusal_set(building->refusal, 400, NULL, name, "'%s' " ERROR_NAME " is not supported",
                    name, word ? word : "of this form");
    free(word);
    return is_allowed ? 0 : -1;
}

static int refuse(struct building *building, const char *name, const char *text)
{
    return refusal_set(building->refusal, 400, NULL, name, "%s", text);
}

/* true, false, or how much: "low" … */
static bool is_thinking(const char *think)
{
    return !think || strcmp(think, "true") == 0 || strcmp(think, "false") == 0 || *think == '"';
}

static int check_members(struct building *building)
{
    const struct text_members *members = building->members;
    size_t n_choices = isnan(members->n) ? 1 : (size_t)members->n;

    if (!is_thinking(members->think))
        return refuse(building, "think", "'think' must be true, false or a string");
    if (check_word(building, "response_format", members->response_format, "text", NULL) ||
        check_word(building, "tool_choice", members->tool_choice, "auto", "none"))
        return -1;
    if (!isnan(members->best_of) && members->best_of != (double)n_choices)
        return refuse(building, "best_of", "'best_of' other than 'n' is not supported");
    if (!isnan(members->top_logprobs) && members->logprobs != 1)
        return refuse(building, "top_logprobs", "'top_logprobs' goes with 'logprobs': true");
    if (members->stream_options && members->stream != 1)
        return refuse(building, "stream_options", "'stream_options' goes with 'stream': true");
    if (members->continue_final_message == 1 && members->add_generation_prompt == 1)
        return refuse(building, "continue_final_message", "'continue_final_message' and "
                      "'add_generation_prompt' exclude each other");
    if (building->form == TEXT_CHAT && members->echo == 1 && members->continue_final_message != 1)
        return refuse(building, "echo", "'echo' goes with 'continue_final_message': true");
    if (members->echo == 1 && building->model->type == MODEL_ENCODER_DECODER &&
        (members->logprobs == 1 || !isnan(members->n_logprobs)))
        return refuse(building, "echo", "'echo' with 'logprobs' is for decoders; this model reads "
                      "its prompt by an encoder");
    return 0;
}

/* ---- lists ---- */

static int add_stop(struct building *building, struct json_reader *json)
{
    struct job *job = building->job;
    struct error error = {0};
    struct json_text text;

    if (json_reader_peek(json) != JSON_STRING || json_reader_string(json, &text, &error))
        return refuse(building, "stop", "'stop' must be a string, or a list of strings");
    if (text.length == 0 || memchr(text.bytes, '\0', text.length))
        return refuse(building, "stop", "'stop' holds a text that is empty, or has a NUL in it");
    if (job->n_stops == STOPS_MAX)
        return refuse(building, "stop", "'stop' holds more than 16 texts");
    job->stops = memory_resize(job->stops, job->n_stops + 1, sizeof *job->stops);
    job->stops[job->n_stops++] = memory_copy(text.bytes);
    return 0;
}

static int add_stop_id(struct building *building, struct json_reader *json)
{
    struct error error = {0};
    double id;

    if (json_reader_peek(json) != JSON_NUMBER || json_reader_number(json, &id, &error) ||
        id != floor(id) || !(id >= 0 && id < (double)building->model->spec.vocab_size))
        return refuse(building, "stop_token_ids", "'stop_token_ids' must hold ids of tokens");
    ids_add(&building->job->eos, (uint32_t)id);
    return 0;
}

typedef int add_function(struct building *building, struct json_reader *json);

/* A value, or each of a list. */
static int read_list(struct building *building, const char *name, const char *text,
                     add_function *add)
{
    struct json_reader json;
    struct error error = {0};
    int more = 0, rc = 0;

    if (!text)
        return 0;
    json_reader_init(&json, text, strlen(text));
    if (json_reader_peek(&json) != JSON_ARRAY) {
        rc = add(building, &json);
    } else {
        rc = json_reader_array(&json, &error);
        while (rc == 0 && (more = json_reader_item(&json, &error)) > 0)
            rc = add(building, &json);
        if (more < 0 || (rc && !building->refusal->status))
            rc = refuse(building, name, "malformed list");
    }
    json_reader_release(&json);
    return rc;
}

static int add_bias(struct building *building, const char *id, double bias)
{
    struct job *job = building->job;
    size_t *n = &job->settings.sampling.n_biases;
    char *end;
    unsigned long long number = strtoull(id, &end, 10);

    if (!isdigit((unsigned char)*id) || *end || number >= building->model->spec.vocab_size)
        return refusal_set(building->refusal, 400, NULL, "logit_bias", "'logit_bias': '%.20s' is "
                           "not the id of a token", id);
    if (!(bias >= -100 && bias <= 100))
        return refuse(building, "logit_bias", "'logit_bias' is from -100 to 100");
    job->biases = memory_resize(job->biases, *n + 1, sizeof *job->biases);
    job->biases[(*n)++] = (struct logit_bias){(uint32_t)number, (float)bias};
    return 0;
}

static int read_biases(struct building *building)
{
    const char *text = building->members->logit_bias;
    struct json_reader json;
    struct error error = {0};
    struct json_text key;
    int rc = 0;

    if (!text)
        return 0;
    json_reader_init(&json, text, strlen(text));
    json_reader_object(&json, &error);
    while (rc == 0 && json_reader_member(&json, &key, &error) > 0) {
        char *id = memory_copy(key.bytes);
        double bias;

        if (json_reader_peek(&json) != JSON_NUMBER || json_reader_number(&json, &bias, &error))
            rc = refuse(building, "logit_bias", "'logit_bias' must hold numbers");
        else
            rc = add_bias(building, id, bias);
        free(id);
    }
    json_reader_release(&json);
    return rc;
}

/* ---- settings ---- */

static void apply(double given, double *value)
{
    if (!isnan(given))
        *value = given;
}

static void set_sampling(struct building *building)
{
    const struct text_members *members = building->members;
    struct sampling *sampling = &building->job->settings.sampling;
    size_t n_biases = sampling->n_biases;

    *sampling = building->model->sampling;
    sampling->n_biases = n_biases;
    apply(members->temperature, &sampling->temperature);
    apply(members->top_p, &sampling->top_p);
    apply(members->min_p, &sampling->min_p);
    apply(members->repetition_penalty, &sampling->repetition_penalty);
    apply(members->frequency_penalty, &sampling->frequency_penalty);
    apply(members->presence_penalty, &sampling->presence_penalty);
    if (!isnan(members->top_k))
        sampling->top_k = members->top_k > 0 ? (size_t)members->top_k : 0;
    sampling->seed = members->seed.value;
    if (!members->seed.is_given &&
        getrandom(&sampling->seed, sizeof sampling->seed, 0) != sizeof sampling->seed)
        sampling->seed = (uint64_t)(uintptr_t)building->job;
}

static size_t find_max_tokens(const struct building *building)
{
    const struct text_members *members = building->members;
    size_t most = building->model->spec.max_tokens ? building->model->spec.max_tokens
                                                   : TOKENS_WITHOUT_LIMIT;
    double asked = isnan(members->max_completion_tokens) ? members->max_tokens
                                                         : members->max_completion_tokens;

    if (isnan(asked) && building->form == TEXT_COMPLETIONS)
        return 16;
    /* ollama: negative is as much as there can be */
    return isnan(asked) || asked < 1 ? most : (size_t)asked;
}

static void set_logprobs(struct building *building)
{
    const struct text_members *members = building->members;
    struct generation_settings *settings = &building->job->settings;
    size_t n_vocabulary = building->model->spec.vocab_size;
    double n_top = building->form == TEXT_CHAT ? members->top_logprobs : members->n_logprobs;

    settings->has_logprobs = building->form == TEXT_CHAT ? members->logprobs == 1 : !isnan(n_top);
    settings->n_top_logprobs = isnan(n_top) ? 0 : (size_t)n_top;
    if (settings->n_top_logprobs > n_vocabulary)
        settings->n_top_logprobs = n_vocabulary;
    if (settings->has_logprobs && members->echo == 1 && building->form == TEXT_COMPLETIONS)
        settings->n_scored = SIZE_MAX; /* all of it */
}

static int set_settings(struct building *building)
{
    const struct text_members *members = building->members;
    struct job *job = building->job;
    const struct ids *eos = &building->model->eos;

    if (members->ignore_eos != 1)
        for (size_t i = 0; i < eos->n_items; i++)
            ids_add(&job->eos, eos->items[i]);
    if (read_list(building, "stop", members->stop, add_stop) ||
        read_list(building, "stop_token_ids", members->stop_token_ids, add_stop_id) ||
        read_biases(building))
        return -1;
    set_sampling(building);
    set_logprobs(building);
    if (building->form == TEXT_CHAT || building->form == TEXT_OLLAMA_CHAT)
        job->settings.kept = &building->model->kept;
    job->settings.max_tokens = find_max_tokens(building);
    job->settings.min_tokens = isnan(members->min_tokens) ? 0 : (size_t)members->min_tokens;
    job->n_choices = isnan(members->n) ? 1 : (size_t)members->n;
    return 0;
}

/* ---- prompts ---- */

static struct ids *add_prompt(struct building *building)
{
    struct job *job = building->job;

    if (job->n_prompts == PROMPTS_MAX) {
        refuse(building, "prompt", "'prompt' holds more than 2048 prompts");
        return NULL;
    }
    job->prompts = memory_resize(job->prompts, job->n_prompts + 1, sizeof *job->prompts);
    job->prompts[job->n_prompts] = (struct ids){0};
    return &job->prompts[job->n_prompts++];
}

static int add_text(struct building *building, const char *name, const char *text, size_t n,
                    bool no_special)
{
    const struct served_model *model = building->model;
    const struct encode_options how = {.no_special = no_special,
                                       .has_marks = model->marks != NULL};
    struct encoding encoding = {0};
    struct error error = {0};
    struct ids *ids = add_prompt(building);
    int rc;

    if (!ids)
        return -1;
    rc = tokenizer_encode(model->tokenizer, building->scratch, text, n, NULL, 0, &how, &encoding,
                          &error);
    if (rc == 0)
        rc = tokenizer_check_ids(model->tokenizer, encoding.ids, encoding.n_ids,
                                 model->spec.vocab_size, model->id, &error);
    for (size_t i = 0; i < encoding.n_ids && rc == 0; i++)
        ids_add(ids, encoding.ids[i]);
    encoding_release(&encoding);
    return rc ? refusal_of_error(building->refusal, name, &error) : 0;
}

/* What a client wrote, without a template. */
static int add_raw_text(struct building *building, const char *text, size_t n)
{
    const struct served_model *model = building->model;
    struct buffer marked = {0};
    int rc;

    if (!model->marks)
        return add_text(building, "prompt", text, n, false);
    special_marks_add(model->marks, text, n, &marked);
    rc = add_text(building, "prompt", marked.data ? marked.data : "", marked.size, false);
    buffer_release(&marked);
    return rc;
}

static int add_id(struct building *building, struct json_reader *json, struct ids *ids)
{
    struct error error = {0};
    double id;

    if (json_reader_peek(json) != JSON_NUMBER || json_reader_number(json, &id, &error) ||
        id != floor(id))
        return refuse(building, "prompt", "'prompt' must be a string, a list of strings, a list of "
                      "token ids, or a list of such lists");
    if (!(id >= 0 && id < (double)building->model->spec.vocab_size))
        return refusal_set(building->refusal, 400, NULL, "prompt", "'prompt': the model has no "
                           "token %.0f, only %zu", id, building->model->spec.vocab_size);
    ids_add(ids, (uint32_t)id);
    return 0;
}

/* A list whose first item may have been looked at; of ids. */
static int add_id_list(struct building *building, struct json_reader *json)
{
    struct ids *ids = add_prompt(building);
    struct error error = {0};
    int more = 1, rc = ids ? 0 : -1;

    if (rc == 0 && json_reader_array(json, &error))
        return refuse(building, "prompt", "'prompt' is malformed");
    while (rc == 0 && (more = json_reader_item(json, &error)) > 0)
        rc = add_id(building, json, ids);
    return more < 0 ? refuse(building, "prompt", "'prompt' is malformed") : rc;
}

static int add_string(struct building *building, struct json_reader *json)
{
    struct error error = {0};
    struct json_text text;

    if (json_reader_string(json, &text, &error))
        return refuse(building, "prompt", "'prompt' must be a string, a list of strings, a list of "
                      "token ids, or a list of such lists");
    return add_raw_text(building, text.bytes, text.length);
}

static int add_prompts(struct building *building)
{
    const char *prompt = building->members->prompt;
    struct json_reader json;
    int rc;

    if (!prompt)
        return refuse(building, "prompt", "'prompt' is missing");
    json_reader_init(&json, prompt, strlen(prompt));
    if (json_reader_peek(&json) != JSON_ARRAY)
        rc = add_string(building, &json);
    else if (members_first_kind(prompt) == JSON_NUMBER)
        rc = add_id_list(building, &json);
    else
        rc = read_list(building, "prompt", prompt,
                       members_first_kind(prompt) == JSON_ARRAY ? add_id_list : add_string);
    json_reader_release(&json);
    if (rc == 0 && building->job->n_prompts == 0)
        return refuse(building, "prompt", "'prompt' is empty");
    return rc;
}

/* ---- conversations ---- */

/* As templates call it; what each knows differs. */
static void add_thinking(struct buffer *text, const char *think)
{
    const char *state = strcmp(think, "false") == 0 ? "false" : "true";

    buffer_format(text, "{\"enable_thinking\":%s,\"thinking\":%s", state, state);
    if (*think == '"')
        buffer_format(text, ",\"reasoning_effort\":%s", think);
}

/* chat_template_kwargs, with reasoning_effort among them; or what ollama's "think" says. */
static char *make_kwargs(const struct text_members *members)
{
    const char *kwargs = members->chat_template_kwargs;
    struct buffer text = {0};
    const char *rest;

    if (!members->reasoning_effort && !members->think)
        return kwargs ? memory_copy(kwargs) : NULL;
    if (members->think) {
        add_thinking(&text, members->think);
    } else {
        buffer_add_text(&text, "{\"reasoning_effort\":");
        json_add_string(&text, members->reasoning_effort);
    }
    rest = kwargs ? kwargs + 1 : "}";
    rest += strspn(rest, " \t\r\n");
    buffer_add_text(&text, *rest == '}' ? "" : ",");
    buffer_add_text(&text, rest);
    return text.data;
}

static bool offers_tools(const struct text_members *members)
{
    return members->tools &&
           !(members->tool_choice && strcmp(members->tool_choice, "\"none\"") == 0);
}

/* 0; 1: the template does not want it so, and *error says why; -1: refused. */
static int render(struct building *building, const char *messages, bool is_lenient,
                  struct buffer *out, struct error *error)
{
    const struct text_members *members = building->members;
    const struct served_model *model = building->model;
    const struct client_messages_how how = {.keeps_strings = model->keeps_strings,
                                          .flattens_parts = model->flattens_parts,
                                          .is_lenient = is_lenient};
    struct chat_conversation conversation = {
        .tools = offers_tools(members) ? members->tools : NULL,
        .documents = members->documents,
        .continue_final_message = members->continue_final_message == 1,
    };
    struct buffer prepared = {0};
    char *kwargs = make_kwargs(members);
    int rc = client_messages_prepare(messages, &how, &prepared, building->refusal);

    served_model_prepare_texts(model, &conversation);
    conversation.messages = prepared.data;
    conversation.kwargs = kwargs;
    conversation.add_generation_prompt =
        !conversation.continue_final_message && members->add_generation_prompt != 0;
    if (rc == 0)
        rc = chat_template_render(model->chat, &conversation, out, error) ? 1 : 0;
    building->request->continues = conversation.continue_final_message;
    free(kwargs);
    buffer_release(&prepared);
    return rc;
}

static bool ends_in_thought(const struct buffer *prompt)
{
    size_t n = prompt->size;

    while (n && isspace((unsigned char)prompt->data[n - 1]))
        n--;
    for (const struct thought_marks *marks = thought_marks; marks->begin; marks++) {
        size_t length = strlen(marks->begin);

        if (n >= length && memcmp(prompt->data + n - length, marks->begin, length) == 0)
            return true;
    }
    return false;
}

static int add_conversation(struct building *building, const char *messages);

/* The message that is continued begins where the prompt differs from one that asks for it. It is
 * the beginning of the answer, and its tokens are told as those are. */
static int add_last_message(struct building *building, const char *messages)
{
    struct text_members asking = *building->members;
    struct building other = *building;
    struct text_request request = {0};
    struct buffer shorter = {0};
    struct ids *whole, *before;
    int rc;

    if (!client_messages_without_last(messages, &shorter))
        return refuse(building, "echo", "'echo' needs a message before the one that is continued");
    asking.continue_final_message = 0;
    asking.add_generation_prompt = 1;
    asking.echo = 0;
    other.members = &asking;
    other.request = &request;
    rc = add_conversation(&other, shorter.data);
    buffer_release(&shorter);
    if (rc)
        return -1;
    whole = &building->job->prompts[0];
    before = &building->job->prompts[1];
    building->job->settings.n_scored =
        whole->n_items - prefix_length(whole->items, whole->n_items, before->items,
                                       before->n_items);
    ids_release(before);
    building->job->n_prompts = 1;
    return 0;
}

static int add_conversation(struct building *building, const char *messages)
{
    struct buffer prompt = {0};
    struct error error = {0}, lenient_error = {0};
    int rc;

    if (!messages)
        return refuse(building, "messages", "'messages' is missing");
    if (!building->model->chat)
        return refusal_set(building->refusal, 400, "no_chat_template", "messages", "%s",
                           building->model->chat_error.text);
    rc = render(building, messages, false, &prompt, &error);
    if (rc > 0)
        rc = render(building, messages, true, &prompt, &lenient_error);
    if (rc > 0)
        rc = refusal_of_error(building->refusal, "messages", &error);
    building->request->opens_thought = rc == 0 && ends_in_thought(&prompt);
    if (rc == 0)
        rc = add_text(building, "messages", prompt.data ? prompt.data : "", prompt.size, true);
    buffer_release(&prompt);
    if (rc == 0 && building->form == TEXT_CHAT && building->members->echo == 1)
        rc = add_last_message(building, messages);
    return rc;
}

/* Whether there is nothing to be answered: ollama's clients ask so for a model to be loaded. */
static bool is_load(const struct building *building)
{
    const struct text_members *members = building->members;

    if (building->form == TEXT_OLLAMA_CHAT)
        return !members->messages || members_first_kind(members->messages) == JSON_NONE;
    return building->form == TEXT_OLLAMA_GENERATE && (!members->prompt || !*members->prompt);
}

/* ollama's generate: a conversation of one message, unless it is raw or there is no template. */
static int add_ollama_prompt(struct building *building)
{
    const struct text_members *members = building->members;
    const char *prompt = members->prompt;
    struct buffer messages = {0};
    int rc;

    if (members->raw == 1 || !building->model->chat)
        return add_raw_text(building, prompt, strlen(prompt));
    buffer_add_char(&messages, '[');
    if (members->system && *members->system) {
        buffer_add_text(&messages, "{\"role\":\"system\",\"content\":");
        json_add_string(&messages, members->system);
        buffer_add_text(&messages, "},");
    }
    buffer_add_text(&messages, "{\"role\":\"user\",\"content\":");
    json_add_string(&messages, prompt);
    buffer_add_text(&messages, "}]");
    rc = add_conversation(building, messages.data);
    buffer_release(&messages);
    return rc;
}

static int check_lengths(struct building *building)
{
    const struct job *job = building->job;
    size_t most = building->model->spec.max_tokens ? building->model->spec.max_tokens
                                                   : PROMPT_WITHOUT_LIMIT;
    const char *name = building->form == TEXT_CHAT ? "messages" : "prompt";

    if (job_n_texts(job) > TEXTS_MAX)
        return refusal_set(building->refusal, 400, NULL, "n", "'n' for each prompt are %zu texts; "
                           "a request may ask for %d", job_n_texts(job), TEXTS_MAX);
    for (size_t i = 0; i < job->n_prompts; i++) {
        if (job->prompts[i].n_items == 0)
            return refuse(building, name, "the prompt has no tokens");
        if (job->prompts[i].n_items > most)
            return refusal_set(building->refusal, 400, "context_length_exceeded", name,
                               "the prompt has %zu tokens; the model takes at most %zu",
                               job->prompts[i].n_items, most);
    }
    return 0;
}

static int add_echoes(struct building *building)
{
    const struct job *job = building->job;
    struct error error = {0};

    if (building->members->echo != 1)
        return 0;
    building->request->has_echo = true;
    building->request->echoes = memory_zalloc(job->n_prompts, sizeof(struct buffer));
    for (size_t i = 0; i < job->n_prompts; i++) {
        const struct ids *ids = &job->prompts[i];
        size_t n = building->form == TEXT_CHAT ? job->settings.n_scored : ids->n_items;

        if (tokenizer_decode(building->model->tokenizer, ids->items + (ids->n_items - n), n, true,
                             &building->request->echoes[i], &error))
            return refusal_of_error(building->refusal, "echo", &error);
    }
    return 0;
}

/* ---- the whole ---- */

static int fill_prompts(struct building *building)
{
    if (is_load(building))
        return 0;
    switch (building->form) {
    case TEXT_CHAT:
    case TEXT_OLLAMA_CHAT:
        return add_conversation(building, building->members->messages);
    case TEXT_COMPLETIONS:
        return add_prompts(building);
    case TEXT_OLLAMA_GENERATE:
        return add_ollama_prompt(building);
    }
    return -1;
}

static int build(struct building *building, const struct service *service)
{
    const struct text_members *members = building->members;
    struct text_request *request = building->request;
    bool is_ollama = building->form >= TEXT_OLLAMA_CHAT;

    building->model = service_find(service, members->model, SERVED_DECODER, building->refusal);
    if (!building->model || check_members(building))
        return -1;
    request->job = building->job = job_new(building->model);
    building->scratch = tokenizer_scratch_new(building->model->tokenizer);
    request->is_streamed = building->job->is_streamed =
        is_ollama ? members->stream != 0 : members->stream == 1;
    request->has_usage = members->include_usage == 1;
    request->tells_usage = request->has_usage && members->continuous_usage_stats == 1;
    if (offers_tools(members) && members_first_kind(members->tools) != JSON_NONE)
        request->tools = memory_copy(members->tools);
    if (set_settings(building) || fill_prompts(building) || check_lengths(building) ||
        add_echoes(building))
        return -1;
    job_prepare(building->job);
    return 0;
}

int text_request_read(struct text_request *request, enum text_form form,
                      const struct service *service, const char *body, size_t size,
                      struct refusal *refusal)
{
    struct text_members members;
    struct building building = {.members = &members, .form = form, .request = request,
                                .refusal = refusal};
    int rc;

    *request = (struct text_request){.form = form};
    rc = text_members_read(&members, form, body, size, refusal);
    if (rc == 0)
        rc = build(&building, service);
    tokenizer_scratch_free(building.scratch);
    text_members_release(&members);
    if (rc)
        text_request_release(request);
    return rc;
}

void text_request_release(struct text_request *request)
{
    for (size_t i = 0; request->echoes && i < request->job->n_prompts; i++)
        buffer_release(&request->echoes[i]);
    free(request->echoes);
    free(request->tools);
    job_leave(request->job);
    *request = (struct text_request){0};
}
