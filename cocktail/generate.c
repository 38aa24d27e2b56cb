/* generate.c - text that continues a prompt, shown as it comes. */
#include <string.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/ranks.h"
#include "jinja/chat_template.h"
#include "model/generation.h"
#include "model/generation_config.h"
#include "report/generation_report.h"
#include "text/special_marks.h"

#include "command.h"
#include "conversation.h"
#include "loaded_model.h"
#include "option_blocks.h"
#include "output.h"
#include "sampling_options.h"
#include "terminal.h"

struct generate_command_options {
    struct common_options common;
    struct sampling_options sampling;
    const char *prompt, *system, *template, *type, *capacity;
    size_t max_tokens, logprobs;
    bool chat, literal_special, follow_symlinks;
};

static const struct option_row rows[] = {
    {0, "prompt", OPTION_TEXT, offsetof(struct generate_command_options, prompt), "TEXT",
     "what to continue, or to answer"},
    {0, "chat", OPTION_FLAG, offsetof(struct generate_command_options, chat), NULL,
     "the prompt is what a user says: put it into the chat template"},
    {0, "system", OPTION_TEXT, offsetof(struct generate_command_options, system), "TEXT",
     "with --chat: what the model is told before"},
    {0, "template", OPTION_TEXT, offsetof(struct generate_command_options, template), "FILE|chatml",
     "with --chat: a chat template in place of the model's own"},
    OPTION_LITERAL_SPECIAL(struct generate_command_options, literal_special),
    {0, "max-tokens", OPTION_COUNT, offsetof(struct generate_command_options, max_tokens), "N",
     "stop after N tokens (256)"},
    OPTIONS_SAMPLING(struct generate_command_options, "0", "1", "1"),
    {0, "logprobs", OPTION_COUNT, offsetof(struct generate_command_options, logprobs), "N",
     "with --json: log probabilities of each token and the N likeliest"},
    OPTION_TYPE(struct generate_command_options, type, "decoder|encoder-decoder",
                "what the model is (from config.json)"),
    OPTION_CAPACITY(struct generate_command_options),
    OPTION_FOLLOW_SYMLINKS(struct generate_command_options, follow_symlinks, "directory"),
    OPTION_EXPERT_PARALLEL,
    OPTION_COMPUTE,
    OPTIONS_COMMON,
};

#define NEEDS_TEMPERATURE "--top-k, --top-p and --min-p go with --temperature above 0"

static const struct option_rule rules[] = {
    {.type = RULE_NEEDED, .options = "prompt"},
    RULES_SAMPLING,
    {.type = RULE_WITH, .options = "top-k|temperature>0", .message = NEEDS_TEMPERATURE},
    {.type = RULE_WITH, .options = "top-p<1|temperature>0", .message = NEEDS_TEMPERATURE},
    {.type = RULE_WITH, .options = "min-p>0|temperature>0", .message = NEEDS_TEMPERATURE},
    {.type = RULE_WITH, .options = "logprobs|json"},
    {.type = RULE_WITH, .options = "system|chat"},
    {.type = RULE_WITH, .options = "template|chat"},
    {0},
};

struct writer {
    const struct generate_command_options *options;
    struct ids prompt, eos;
    struct generation generation;
    double first_s, last_s; /* when the first and the last token came */
};

/* ---- text ---- */

/* Shows what is certain, unless it becomes JSON. */
static int show(struct writer *writer, struct error *err)
{
    struct buffer *text = &writer->generation.text;

    if (writer->options->common.json || !text->size)
        return 0;
    if (output_write(text->data, text->size, err) || output_flush(err))
        return -1;
    buffer_clear(text);
    return 0;
}

static void print_json(const struct writer *writer)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    generation_report_add_json(&json, &writer->generation, writer->prompt.n_items,
                               writer->last_s - writer->first_s);
    puts(out.data);
    buffer_release(&out);
}

/* ---- running ---- */

/* The prompt as the chat template puts it: special tokens stand in it. */
static int add_conversation(const struct generate_command_options *options,
                            const struct loaded_model *loaded, const struct special_marks *marks,
                            struct buffer *text, struct error *err)
{
    struct chat_template *chat = chat_template_load(
        loaded->folder.folder, model_folder_tokenizer_at(&loaded->folder), options->template, err);
    struct chat_conversation how = {.add_generation_prompt = true};
    struct conversation conversation = {0};
    struct buffer messages = {0};
    int rc = -1;

    if (options->system)
        conversation_set_system(&conversation, options->system);
    conversation_add(&conversation, "user", options->prompt);
    conversation_add_json(&conversation, &messages);
    how.messages = messages.data;
    how.prepare = marks ? special_marks_add : NULL;
    how.prepare_context = marks;
    if (chat)
        rc = chat_template_render(chat, &how, text, err);
    if (rc)
        error_context(err, "'%s'", loaded->folder.name);
    buffer_release(&messages);
    conversation_release(&conversation);
    chat_template_free(chat);
    return rc;
}

static int encode_prompt(struct writer *writer, const struct loaded_model *loaded,
                         struct error *err)
{
    const struct generate_command_options *options = writer->options;
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(loaded->tokenizer);
    const struct encode_options how = {.no_special = options->chat,
                                       .has_marks = options->literal_special};
    struct special_marks *marks =
        options->literal_special ? special_marks_new(loaded->tokenizer) : NULL;
    struct encoding encoding = {0};
    struct buffer text = {0};
    int rc = 0;

    if (options->chat)
        rc = add_conversation(options, loaded, marks, &text, err);
    else if (marks)
        special_marks_add(marks, options->prompt, strlen(options->prompt), &text);
    else
        buffer_add_text(&text, options->prompt);
    if (rc == 0)
        rc = tokenizer_encode(loaded->tokenizer, scratch, text.data ? text.data : "", text.size,
                              NULL, 0, &how, &encoding, err);
    if (rc == 0 && tokenizer_check_ids(loaded->tokenizer, encoding.ids, encoding.n_ids,
                                       loaded->model->spec.vocab_size, loaded->folder.name, err))
        rc = error_context(err, "--prompt");
    for (size_t i = 0; i < encoding.n_ids && rc == 0; i++)
        ids_add(&writer->prompt, encoding.ids[i]);
    encoding_release(&encoding);
    buffer_release(&text);
    special_marks_free(marks);
    tokenizer_scratch_free(scratch);
    return rc;
}

static int run_steps(struct writer *writer, struct model *model, struct error *err)
{
    struct generation *generation = &writer->generation;

    while (generation->state == GENERATION_RUNS) {
        if (generation_step(model, &generation, 1, err) || show(writer, err))
            return -1;
        writer->last_s = clock_now_s();
        if (generation->ids.n_items == generation->n_given + 1)
            writer->first_s = writer->last_s;
    }
    if (generation->state != GENERATION_FAILED)
        return 0;
    *err = generation->error;
    return -1;
}

static int write_text(struct writer *writer, const struct loaded_model *loaded, struct error *err)
{
    const struct generate_command_options *options = writer->options;
    size_t n_logits = loaded->model->spec.vocab_size;
    struct generation_settings settings = {
        .name = loaded->folder.name,
        .max_tokens = options->max_tokens,
        .sampling = {.top_p = 1, .seed = 1}, /* greedy, unless options say otherwise */
        .eos = &writer->eos,
        .tokenizer = loaded->tokenizer,
        .stops = sampling_options_stops(&options->sampling),
        .has_logprobs = options->logprobs > 0,
        .n_top_logprobs = options->logprobs < n_logits ? options->logprobs : n_logits,
    };

    sampling_options_apply(&options->sampling, &settings.sampling);

    if (encode_prompt(writer, loaded, err) ||
        generation_config_eos(&loaded->folder, loaded->tokenizer, &writer->eos, err) ||
        generation_init(&writer->generation, loaded->model, &writer->prompt, &settings, err) ||
        run_steps(writer, loaded->model, err))
        return -1;
    if (options->common.json)
        print_json(writer);
    else
        putchar('\n');
    return 0;
}

/* ---- the command ---- */

/* Rank 0 writes; the others lend it their experts. */
static int write_together(struct writer *writer, const struct loaded_model *loaded,
                          struct error *err)
{
    const struct common_options *common = &writer->options->common;

    if ((ranks_number() == 0 && write_text(writer, loaded, err)) ||
        expert_group_finish(loaded->experts, err) || ranks_meet(err))
        return -1;
    return experts_tell(loaded->experts, common, err);
}

static void tell_idle(const struct common_options *common)
{
    size_t n = common->expert_parallel ? common->expert_parallel : 1;
    struct notices notices = {0};

    if (ranks_count() > n)
        notices_add(&notices, "one prompt is continued by one group of ranks: %zu of %zu have nothing "
                    "to do", ranks_count() - n, ranks_count());
    terminal_notices(&notices, common);
    notices_release(&notices);
}

static int generate(struct generate_command_options *options, struct error *err)
{
    const struct loaded_model_options how = {
        .type = options->type,
        .types = 1u << MODEL_DECODER | 1u << MODEL_ENCODER_DECODER,
        .capacity = options->capacity,
        .follow_symlinks = options->follow_symlinks,
    };
    struct loaded_model loaded = {0};
    struct writer writer = {.options = options};
    int rc = -1;

    if (loaded_model_open(&loaded, options->common.operands[0], &how, &options->common, err) == 0 &&
        sampling_options_read(&options->sampling, loaded.model->spec.vocab_size, err) == 0) {
        tell_idle(&options->common);
        rc = write_together(&writer, &loaded, err);
    }
    ids_release(&writer.prompt);
    ids_release(&writer.eos);
    generation_release(&writer.generation);
    loaded_model_release(&loaded);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct generate_command_options options = {.max_tokens = 256,
                                               .sampling = SAMPLING_OPTIONS_NONE};
    int rc = command_parse(&command_generate, argc, argv, &options, err);

    if (rc == 0)
        rc = generate(&options, err);
    sampling_options_release(&options.sampling);
    options_release(&options.common);
    return rc;
}

const struct command command_generate = {
    .name = "generate",
    .summary = "continue a prompt, or answer it",
    .usage = "MODEL --prompt TEXT",
    .min_operands = 1,
    .max_operands = 1,
    .rows = rows,
    .rules = rules,
    .has_ranks = true,
    .run = run,
};
