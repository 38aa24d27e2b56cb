#include "talk.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/prefix_store.h"

#include "model_argument.h"
#include "terminal.h"

static int need_template(const struct served_model *model, struct error *err)
{
    if (model->chat)
        return 0;
    *err = model->chat_error;
    return error_context(err, "'%s'", model->folder.name);
}

static int need_decoder(const struct served_model *model, struct error *err)
{
    if (model->kind == SERVED_DECODER)
        return 0;
    return error_set(err, ERROR_INCOMPATIBLE, "'%s': is %s %s, which writes no text",
                     model->folder.name, model->kind == SERVED_ENCODER ? "an" : "a",
                     served_kind_name(model->kind));
}

int talk_open(struct talk *talk, const char *argument, const struct talk_options *options,
              const struct common_options *common, struct error *err)
{
    struct notices notices = {0};
    char *path = model_argument_find(argument, HUB_NEED_MODEL, common, err);
    int rc = -1;

    *talk = (struct talk){.max_tokens = SIZE_MAX};
    if (path &&
        served_model_open(&talk->model, path, argument, options->type, options->template,
                          options->follow_symlinks, &notices, err) == 0 &&
        need_decoder(&talk->model, err) == 0 && need_template(&talk->model, err) == 0)
        talk->threads = threads_new(common->n_threads, err);
    if (talk->threads)
        rc = served_model_load(&talk->model, talk->threads, &notices, err);
    if (rc == 0)
        terminal_notices(&notices, common);
    if (rc == 0 && options->is_literal)
        served_model_take_literally(&talk->model);
    talk->sampling = talk->model.sampling;
    if (options->system)
        conversation_set_system(&talk->conversation, options->system);
    notices_release(&notices);
    free(path);
    return rc;
}

void talk_release(struct talk *talk)
{
    conversation_release(&talk->conversation);
    cache_free(talk->cache);
    ids_release(&talk->read);
    served_model_release(&talk->model);
    threads_free(talk->threads);
    *talk = (struct talk){0};
}

/* ---- the prompt ---- */

static int encode(const struct talk *talk, const struct buffer *text, struct ids *ids,
                  struct error *err)
{
    const struct served_model *model = &talk->model;
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(model->tokenizer);
    const struct encode_options how = {.no_special = true, .has_marks = model->marks != NULL};
    struct encoding encoding = {0};
    int rc = tokenizer_encode(model->tokenizer, scratch, text->data ? text->data : "", text->size,
                              NULL, 0, &how, &encoding, err);

    if (rc == 0)
        rc = tokenizer_check_ids(model->tokenizer, encoding.ids, encoding.n_ids,
                                 model->spec.vocab_size, model->folder.name, err);
    for (size_t i = 0; i < encoding.n_ids && rc == 0; i++)
        ids_add(ids, encoding.ids[i]);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
    return rc;
}

static int make_prompt(const struct talk *talk, struct ids *ids, struct error *err)
{
    struct buffer messages = {0}, text = {0};
    struct chat_conversation conversation = {.add_generation_prompt = true};
    int rc;

    conversation_add_json(&talk->conversation, &messages);
    conversation.messages = messages.data;
    served_model_prepare_texts(&talk->model, &conversation);
    ids_clear(ids);
    rc = chat_template_render(talk->model.chat, &conversation, &text, err);
    if (rc == 0)
        rc = encode(talk, &text, ids, err);
    buffer_release(&messages);
    buffer_release(&text);
    return rc;
}

/* Turns that do not fit are left out, the oldest first. */
static int fit_prompt(struct talk *talk, struct ids *ids, struct error *err)
{
    size_t most = talk->model.spec.max_tokens;

    talk->n_dropped = 0;
    for (;;) {
        if (make_prompt(talk, ids, err))
            return -1;
        if (!most || ids->n_items <= most || !conversation_drop_oldest(&talk->conversation))
            return 0;
        talk->n_dropped++;
    }
}

/* ---- the answer ---- */

/* What was read before and stands there still. */
static void reuse(struct talk *talk, struct generation *generation)
{
    const struct model *model = talk->model.model;
    size_t n;

    if (!talk->cache || model->spec.is_encoder_decoder || model_needs_whole_prompts(model))
        return;
    n = prefix_length(talk->read.items, talk->cache->n_tokens, generation->ids.items,
                      generation->ids.n_items - 1);
    cache_truncate(talk->cache, n);
    cache_free(generation->cache);
    generation->cache = talk->cache;
    talk->cache = NULL;
}

static void keep(struct talk *talk, struct generation *generation)
{
    ids_clear(&talk->read);
    for (size_t i = 0; i < generation->ids.n_items; i++)
        ids_add(&talk->read, generation->ids.items[i]);
    cache_free(talk->cache);
    talk->cache = generation->cache;
    generation->cache = NULL;
}

static int run(struct talk *talk, struct generation *generation, talk_show *show, void *context,
               struct error *err)
{
    int rc = 0;

    while (generation->state == GENERATION_RUNS && rc == 0) {
        if (generation_step(talk->model.model, &generation, 1, err))
            return -1;
        talk->last_s = clock_now_s();
        if (generation->ids.n_items == generation->n_given + 1)
            talk->first_s = talk->last_s;
        rc = show(context, generation, err);
    }
    if (rc < 0 || generation->state != GENERATION_FAILED)
        return rc < 0 ? -1 : 0;
    *err = generation->error;
    return -1;
}

static void add_answer(struct talk *talk, const struct generation *generation)
{
    struct buffer text = {0};
    struct error error = {0};
    size_t n = generation->ids.n_items;

    if (n > generation->n_given && generation->state == GENERATION_EOS)
        n--;
    tokenizer_decode(talk->model.tokenizer, generation->ids.items + generation->n_given,
                     n - generation->n_given, true, &text, &error);
    conversation_add(&talk->conversation, "assistant", text.data ? text.data : "");
    buffer_release(&text);
}

int talk_answer(struct talk *talk, talk_show *show, void *context, struct generation *generation,
                struct error *err)
{
    const struct generation_settings settings = {
        .name = talk->model.folder.name,
        .max_tokens = talk->max_tokens,
        .n_drafts = DRAFTS_MAX,
        .chunk = 256, /* so that an interrupted prompt ends soon */
        .sampling = talk->sampling,
        .eos = &talk->model.eos,
        .tokenizer = talk->model.tokenizer,
        .stops = talk->stops,
    };
    struct ids prompt = {0};
    int rc = -1;

    *generation = (struct generation){0};
    if (fit_prompt(talk, &prompt, err) == 0 &&
        generation_init(generation, talk->model.model, &prompt, &settings, err) == 0) {
        talk->n_prompt_tokens = prompt.n_items;
        reuse(talk, generation);
        rc = run(talk, generation, show, context, err);
        if (rc == 0)
            add_answer(talk, generation);
        keep(talk, generation);
    }
    ids_release(&prompt);
    return rc;
}
