#include "generation_report.h"

#include <math.h>

#include "base/isa.h"

static void add_logprobs(struct json_writer *json, const struct token_logprob *tokens, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_writer_object(json, NULL);
        json_writer_size(json, "id", tokens[i].id);
        json_writer_float(json, "logprob", tokens[i].logprob);
        json_writer_end(json);
    }
}

/* Of each new token its own, then the likeliest. */
static void add_all_logprobs(struct json_writer *json, const struct generation *generation,
                             size_t n)
{
    size_t width = 1 + generation->settings.n_top_logprobs;

    json_writer_array(json, "logprobs");
    for (size_t i = 0; i < n; i++) {
        const struct token_logprob *tokens = generation->logprobs + i * width;

        json_writer_object(json, NULL);
        json_writer_size(json, "id", tokens->id);
        json_writer_float(json, "logprob", tokens->logprob);
        json_writer_array(json, "top");
        add_logprobs(json, tokens + 1, width - 1);
        json_writer_end(json);
        json_writer_end(json);
    }
    json_writer_end(json);
}

void generation_report_add_json(struct json_writer *json, const struct generation *generation,
                                size_t n_prompt_tokens, double seconds)
{
    static const char *const stops[] = {
        [GENERATION_EOS] = "eos", [GENERATION_LENGTH] = "length", [GENERATION_STOP] = "stop"};
    const struct buffer *text = &generation->text;
    const uint32_t *ids = generation->ids.items + generation->n_given;
    size_t n = generation->ids.n_items - generation->n_given;

    json_writer_object(json, NULL);
    json_writer_bytes(json, "text", text->size ? text->data : "", text->size);
    json_writer_array(json, "ids");
    for (size_t i = 0; i < n; i++)
        json_writer_size(json, NULL, ids[i]);
    json_writer_end(json);
    if (generation->logprobs)
        add_all_logprobs(json, generation, n);
    json_writer_size(json, "n_prompt_tokens", n_prompt_tokens);
    json_writer_size(json, "n_tokens", n);
    json_writer_string(json, "stop", stops[generation->state]);
    /* The first token belongs to the prompt, which is run at once. */
    json_writer_double(json, "tokens_per_second",
                       n > 1 && seconds > 0 ? (double)(n - 1) / seconds : NAN);
    if (isa_products_in_use() == ISA_PRODUCTS_FAST)
        json_writer_string(json, "compute", "fast");
    json_writer_end(json);
}
