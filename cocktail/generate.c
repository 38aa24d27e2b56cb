/* generate.c - text that continues a prompt, shown as it comes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "model/generate.h"

#include "command.h"
#include "loaded_model.h"
#include "option_blocks.h"
#include "output.h"

struct generate_command_options {
    struct common_options common;
    const char *prompt, *stop, *type, *capacity;
    size_t max_tokens, top_k, seed;
    double temperature, top_p;
    bool follow_symlinks;
};

static const struct option_row rows[] = {
    {0, "prompt", OPTION_TEXT, offsetof(struct generate_command_options, prompt), "TEXT",
     "what to continue, or to answer"},
    {0, "max-tokens", OPTION_COUNT, offsetof(struct generate_command_options, max_tokens), "N",
     "stop after N tokens (256)"},
    {0, "temperature", OPTION_NUMBER, offsetof(struct generate_command_options, temperature), "T",
     "0: always the likeliest token; 1: drawn as the model expects them (0)"},
    {0, "top-k", OPTION_COUNT, offsetof(struct generate_command_options, top_k), "K",
     "draw from the K likeliest only (all)"},
    {0, "top-p", OPTION_NUMBER, offsetof(struct generate_command_options, top_p), "P",
     "draw from the likeliest that have the probability P together (1)"},
    {0, "seed", OPTION_COUNT, offsetof(struct generate_command_options, seed), "S",
     "another seed, another text (1)"},
    {0, "stop", OPTION_TEXT, offsetof(struct generate_command_options, stop), "TEXT",
     "stop before this text"},
    OPTION_TYPE(struct generate_command_options, type, "decoder|encoder-decoder",
                "what the model is (from config.json)"),
    OPTION_CAPACITY(struct generate_command_options),
    OPTION_FOLLOW_SYMLINKS(struct generate_command_options, follow_symlinks, "directory"),
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    {.type = RULE_NEEDED, .options = "prompt"},
    {0},
};

struct writer {
    const struct generate_command_options *options;
    const struct tokenizer *tokenizer;
    struct ids prompt, eos, ids; /* ids: the new ones */
    struct tokenizer_stream stream;
    struct buffer held; /* text that could be the beginning of --stop */
    struct buffer text; /* what is certain; printed at once, unless it becomes JSON */
    enum generate_stop stop;
    double first_s, last_s; /* when the first and the last token came */
};

/* ---- text ---- */

static int show(struct writer *writer, const char *text, size_t n, struct error *err)
{
    if (!writer->options->common.json)
        return output_write(text, n, err) || output_flush(err) ? -1 : 0;
    buffer_add(&writer->text, text, n);
    return 0;
}

/* Bytes at the end of `text` that --stop begins with. */
static size_t count_held(const struct buffer *text, const char *stop)
{
    size_t n = strlen(stop) - 1;

    if (n > text->size)
        n = text->size;
    while (n && memcmp(text->data + text->size - n, stop, n) != 0)
        n--;
    return n;
}

/* Shows what can be shown of what is held. 1 when --stop stands in it, else 0, or -1. */
static int show_certain(struct writer *writer, struct error *err)
{
    const char *stop = writer->options->stop;
    struct buffer *held = &writer->held;
    const char *found = held->size && stop ? memmem(held->data, held->size, stop, strlen(stop))
                                           : NULL;
    size_t n = held->size;

    if (found)
        n = (size_t)(found - held->data);
    else if (stop)
        n -= count_held(held, stop);
    if (n && show(writer, held->data, n, err))
        return -1;
    if (n)
        buffer_splice(held, 0, n, "");
    return found != NULL;
}

static bool is_eos(const struct writer *writer, uint32_t id)
{
    for (size_t i = 0; i < writer->eos.n_items; i++)
        if (writer->eos.items[i] == id)
            return true;
    return false;
}

static int look(void *context, uint32_t id, struct error *err)
{
    struct writer *writer = context;

    writer->last_s = clock_now_s();
    if (writer->ids.n_items == 0)
        writer->first_s = writer->last_s;
    ids_add(&writer->ids, id);
    if (is_eos(writer, id))
        return 0;
    if (tokenizer_stream_add(writer->tokenizer, &writer->stream, id, true, &writer->held, err))
        return -1;
    return show_certain(writer, err);
}

/* The last character may be unfinished, and nothing has to be held back any more. */
static int show_rest(struct writer *writer, struct error *err)
{
    const struct tokenizer_stream *stream = &writer->stream;
    struct buffer before = {0}, now = {0};
    int has_stopped, rc;

    if (writer->stop == GENERATE_STOP)
        return 0;
    rc = tokenizer_decode(writer->tokenizer, stream->ids + stream->n_prefix,
                          stream->n_read - stream->n_prefix, true, &before, err);
    if (rc == 0)
        rc = tokenizer_decode(writer->tokenizer, stream->ids + stream->n_prefix,
                              stream->n_ids - stream->n_prefix, true, &now, err);
    if (rc == 0 && now.size > before.size)
        buffer_add(&writer->held, now.data + before.size, now.size - before.size);
    buffer_release(&before);
    buffer_release(&now);
    if (rc)
        return -1;
    has_stopped = show_certain(writer, err);
    if (has_stopped > 0)
        writer->stop = GENERATE_STOP;
    else if (has_stopped == 0 && writer->held.size)
        return show(writer, writer->held.data, writer->held.size, err);
    return has_stopped < 0 ? -1 : 0;
}

static void print_json(const struct writer *writer)
{
    static const char *const stops[] = {
        [GENERATE_EOS] = "eos", [GENERATE_LENGTH] = "length", [GENERATE_STOP] = "stop"};
    double seconds = writer->last_s - writer->first_s;
    size_t n = writer->ids.n_items;
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    json_writer_object(&json, NULL);
    json_writer_bytes(&json, "text", writer->text.size ? writer->text.data : "",
                      writer->text.size);
    json_writer_array(&json, "ids");
    for (size_t i = 0; i < n; i++)
        json_writer_size(&json, NULL, writer->ids.items[i]);
    json_writer_end(&json);
    json_writer_size(&json, "n_prompt_tokens", writer->prompt.n_items);
    json_writer_size(&json, "n_tokens", n);
    json_writer_string(&json, "stop", stops[writer->stop]);
    /* The first token belongs to the prompt, which is run at once. */
    json_writer_double(&json, "tokens_per_second",
                       n > 1 && seconds > 0 ? (double)(n - 1) / seconds : NAN);
    json_writer_end(&json);
    puts(out.data);
    buffer_release(&out);
}

/* ---- running ---- */

static int encode_prompt(struct writer *writer, const struct loaded_model *loaded,
                         struct error *err)
{
    const char *prompt = writer->options->prompt;
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(writer->tokenizer);
    const struct encode_options how = {0};
    struct encoding encoding = {0};
    int rc = tokenizer_encode(writer->tokenizer, scratch, prompt, strlen(prompt), NULL, 0, &how,
                              &encoding, err);

    if (rc == 0 && tokenizer_check_ids(writer->tokenizer, encoding.ids, encoding.n_ids,
                                       loaded->model->spec.vocab_size, loaded->folder.name, err))
        rc = error_context(err, "--prompt");
    for (size_t i = 0; i < encoding.n_ids && rc == 0; i++)
        ids_add(&writer->prompt, encoding.ids[i]);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
    return rc;
}

static int write_text(struct writer *writer, const struct loaded_model *loaded, struct error *err)
{
    const struct generate_command_options *options = writer->options;
    const struct generate_options how = {
        .name = loaded->folder.name,
        .max_tokens = options->max_tokens,
        .sampling = {options->temperature, options->top_k, options->top_p, options->seed},
        .eos = &writer->eos,
        .look = look,
        .context = writer,
    };

    writer->tokenizer = loaded->tokenizer;
    if (encode_prompt(writer, loaded, err) ||
        generate_find_eos(&loaded->folder, loaded->tokenizer, &writer->eos, err))
        return -1;
    if (generate_run(loaded->model, &writer->prompt, &how, &writer->stop, err) ||
        show_rest(writer, err))
        return -1;
    if (options->common.json)
        print_json(writer);
    else
        putchar('\n');
    return 0;
}

/* ---- the command ---- */

static int check_options(const struct generate_command_options *options, struct error *err)
{
    if (options->temperature < 0)
        return error_set(err, ERROR_USAGE, "--temperature is at least 0, not %g",
                         options->temperature);
    if (options->top_p <= 0 || options->top_p > 1)
        return error_set(err, ERROR_USAGE, "--top-p is above 0 and at most 1, not %g",
                         options->top_p);
    if (options->stop && !*options->stop)
        return error_set(err, ERROR_USAGE, "--stop is empty");
    if (options->temperature == 0 && (options->top_k || options->top_p < 1))
        return error_set(err, ERROR_USAGE, "--top-k and --top-p go with --temperature above 0");
    return 0;
}

static int generate(const struct generate_command_options *options, struct error *err)
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

    if (check_options(options, err) == 0 &&
        loaded_model_open(&loaded, options->common.operands[0], &how, &options->common, err) == 0)
        rc = write_text(&writer, &loaded, err);
    ids_release(&writer.prompt);
    ids_release(&writer.eos);
    ids_release(&writer.ids);
    tokenizer_stream_release(&writer.stream);
    buffer_release(&writer.held);
    buffer_release(&writer.text);
    loaded_model_release(&loaded);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct generate_command_options options = {.max_tokens = 256, .top_p = 1, .seed = 1};
    int rc = command_parse(&command_generate, argc, argv, &options, err);

    if (rc == 0)
        rc = generate(&options, err);
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
    .run = run,
};
