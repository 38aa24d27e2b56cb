#include "refused_members.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { HARMLESS_MAX = 32 }; /* bytes of a value that may be one */

#define IN_WORDS "say in the prompt which form the answer should have"
#define KNOWN_SAMPLING "what is supported is temperature, top_k, top_p and min_p"
#define IN_KWARGS "give it in 'chat_template_kwargs'"
#define IN_OPTIONS "give it in 'options'"

#define SAMPLING_ROWS                                                                             \
    {"mirostat", "0", KNOWN_SAMPLING},                                                            \
    {"typical_p", "1", KNOWN_SAMPLING},                                                           \
    {"tfs_z", "1", KNOWN_SAMPLING},                                                               \
    {"top_a", "0", KNOWN_SAMPLING},                                                               \
    {"top_n_sigma", "0 or -1", KNOWN_SAMPLING},                                                   \
    {"dynatemp_range", "0", KNOWN_SAMPLING},                                                      \
    {"dry_multiplier", "0", KNOWN_SAMPLING},                                                      \
    {"xtc_probability", "0", KNOWN_SAMPLING},                                                     \
    {"samplers", NULL, KNOWN_SAMPLING},                                                           \
    {"min_keep", "0 or 1", KNOWN_SAMPLING},                                                       \
    {"repeat_last_n", "-1", "penalties look at all tokens"},                                      \
    {"grammar", NULL, IN_WORDS}

#define OPENAI_ROWS                                                                               \
    SAMPLING_ROWS,                                                                                \
    {"guided_json", NULL, IN_WORDS},                                                              \
    {"guided_regex", NULL, IN_WORDS},                                                             \
    {"guided_choice", NULL, IN_WORDS},                                                            \
    {"guided_grammar", NULL, IN_WORDS},                                                           \
    {"structured_outputs", NULL, IN_WORDS},                                                       \
    {"structural_tag", NULL, IN_WORDS},                                                           \
    {"json_schema", NULL, IN_WORDS},                                                              \
    {"regex", NULL, IN_WORDS},                                                                    \
    {"ebnf", NULL, IN_WORDS},                                                                     \
    {"use_beam_search", NULL, KNOWN_SAMPLING},                                                    \
    {"num_beams", "1", KNOWN_SAMPLING},                                                           \
    {"do_sample", "true", "'temperature' 0 takes the likeliest tokens"},                          \
    {"logits_processors", NULL, NULL},                                                            \
    {"vllm_xargs", NULL, NULL},                                                                   \
    {"allowed_token_ids", NULL, "use 'logit_bias'"},                                              \
    {"bad_words", NULL, "use 'logit_bias'"},                                                      \
    {"include_stop_str_in_output", NULL, "the text ends before it"},                              \
    {"no_stop_trim", NULL, "the text ends before it"},                                            \
    {"skip_special_tokens", "true", NULL},                                                        \
    {"prompt_logprobs", NULL, "use 'echo' with 'logprobs'"},                                      \
    {"n_probs", "0", "use 'logprobs'"},                                                           \
    {"post_sampling_probs", NULL, NULL},                                                          \
    {"return_token_ids", NULL, NULL},                                                             \
    {"return_tokens_as_token_ids", NULL, NULL},                                                   \
    {"return_tokens", NULL, NULL},                                                                \
    {"response_fields", NULL, NULL},                                                              \
    {"truncate_prompt_tokens", "-1", "prompts are not cut"},                                      \
    {"prompt_truncate_len", "", "prompts are not cut"},                                           \
    {"t_max_predict_ms", "0 or -1", "use 'max_tokens'"},                                          \
    {"n_predict", "-1", "use 'max_tokens'"},                                                      \
    {"num_predict", "-1", "use 'max_tokens'"},                                                    \
    {"max_new_tokens", "", "use 'max_tokens'"},                                                   \
    {"repeat_penalty", "1", "use 'repetition_penalty'"},                                          \
    {"stop_sequences", NULL, "use 'stop'"},                                                       \
    {"random_seed", "", "use 'seed'"},                                                            \
    {"options", NULL, "its members go into the request itself"},                                  \
    {"lora", NULL, "a model with an adapter is a model of its own, MODEL+ADAPTER"},               \
    {"image_data", NULL, NULL}

const struct refused_member refused_in_chat[] = {
    OPENAI_ROWS,
    {"functions", NULL, "use 'tools'"},
    {"function_call", "\"auto\" or \"none\"", "use 'tools'"},
    {"audio", NULL, "answers are text"},
    {"modalities", "[\"text\"]", "answers are text"},
    {"web_search_options", "", NULL},
    {"moderation", "", NULL},
    {"verbosity", "\"medium\"", "say it in a message"},
    {"system", NULL, "give a message of the role 'system'"},
    {"chat_template", "", "the server takes one with --template"},
    {"add_special_tokens", "false", "the template writes them"},
    {"enable_thinking", "", IN_KWARGS},
    {"thinking", "", IN_KWARGS},
    {"think", "", IN_KWARGS},
    {"reasoning", NULL, "use 'reasoning_effort' or 'chat_template_kwargs'"},
    {"thinking_budget", "", NULL},
    {"thinking_token_budget", "", NULL},
    {"include_reasoning", "true", NULL},
    {"separate_reasoning", "true", NULL},
    {"reasoning_format", "\"auto\" or \"deepseek\"", NULL},
    {0},
};

const struct refused_member refused_in_completions[] = {
    OPENAI_ROWS,
    {"suffix", NULL, NULL},
    {"prompt_embeds", NULL, NULL},
    {"add_special_tokens", "true", "prompts of ids are taken as they are"},
    {"max_completion_tokens", "", "use 'max_tokens'"},
    {"top_logprobs", "", "'logprobs' is their number"},
    {"tools", NULL, "use /v1/chat/completions"},
    {0},
};

#define OLLAMA_ROWS                                                                               \
    {"format", NULL, IN_WORDS},                                                                   \
    {"template", NULL, "the server takes one with --template"},                                   \
    {"logprobs", NULL, "use /v1/chat/completions"},                                               \
    {"top_logprobs", "0", "use /v1/chat/completions"},                                            \
    {"temperature", "", IN_OPTIONS},                                                              \
    {"top_k", "", IN_OPTIONS},                                                                    \
    {"top_p", "", IN_OPTIONS},                                                                    \
    {"min_p", "", IN_OPTIONS},                                                                    \
    {"frequency_penalty", "", IN_OPTIONS},                                                        \
    {"presence_penalty", "", IN_OPTIONS},                                                         \
    {"repeat_penalty", "", IN_OPTIONS},                                                           \
    {"seed", "", IN_OPTIONS},                                                                     \
    {"stop", "", IN_OPTIONS},                                                                     \
    {"num_predict", "", IN_OPTIONS},                                                              \
    {"max_tokens", "", "give 'num_predict' in 'options'"}

const struct refused_member refused_in_ollama_chat[] = {
    OLLAMA_ROWS,
    {"system", NULL, "give a message of the role 'system'"},
    {0},
};

const struct refused_member refused_in_ollama_generate[] = {
    OLLAMA_ROWS,
    {"suffix", NULL, NULL},
    {"images", NULL, NULL},
    {"context", NULL, "use /api/chat"},
    {"messages", NULL, "use /api/chat"},
    {"tools", NULL, "use /api/chat"},
    {0},
};

/* Those that say where it runs, and with how much memory, change no text: num_ctx, num_gpu … */
const struct refused_member refused_in_ollama_options[] = {
    SAMPLING_ROWS,
    {"penalize_newline", "true", NULL},
    {"repetition_penalty", "1", "use 'repeat_penalty'"},
    {"max_tokens", "", "use 'num_predict'"},
    {"n_predict", "", "use 'num_predict'"},
    {"logit_bias", NULL, "use /v1/chat/completions"},
    {"n", "1", "use /v1/chat/completions"},
    {0},
};

#define ROWS_ROWS                                                                                 \
    {"truncate_prompt_tokens", "-1", "texts are cut where the model ends"},                       \
    {"truncation", "true", "use 'truncate'"},                                                     \
    {"truncation_direction", "\"right\" or \"Right\"", NULL},                                     \
    {"add_special_tokens", "true", NULL},                                                         \
    {"input_type", "", "use 'prompt_name'"},                                                      \
    {"task", "", "use 'prompt_name'"},                                                            \
    {"instruction", NULL, "use 'prompt_name'"}

const struct refused_member refused_in_embeddings[] = {
    ROWS_ROWS,
    {"normalize", "", "vectors are normalised where the model says so"},
    {"normalized", "", "vectors are normalised where the model says so"},
    {"messages", NULL, "use 'input'"},
    {"output_dimension", "", "use 'dimensions'"},
    {"output_dtype", "\"float\"", NULL},
    {"embedding_type", "\"float\"", "use 'encoding_format'"},
    {"embedding_types", "[\"float\"]", "use 'encoding_format'"},
    {"embed_dtype", "\"float32\"", NULL},
    {"endianness", "\"native\" or \"little\"", NULL},
    {"late_chunking", NULL, NULL},
    {"return_multivector", NULL, NULL},
    {"modality", "\"text\"", NULL},
    {0},
};

const struct refused_member refused_in_rerank[] = {
    ROWS_ROWS,
    {"max_tokens_per_doc", "", "texts are cut where the model ends"},
    {"max_chunks_per_doc", "", "texts are cut where the model ends"},
    {"rank_fields", "[\"text\"]", "a document's text is its 'text'"},
    {"top_k", "", "use 'top_n'"},
    {"return_text", NULL, "use 'return_documents'"},
    {"use_activation", "true", "use 'raw_scores'"},
    {"activation", "true", "use 'raw_scores'"},
    {"return_embeddings", NULL, "use /v1/embeddings"},
    {0},
};

const struct refused_member refused_in_tei_rerank[] = {
    ROWS_ROWS,
    {"top_n", "", "use /v1/rerank"},
    {"return_documents", NULL, "use 'return_text'"},
    {0},
};

static bool is_one_of(const char *value, const char *words)
{
    char *end;
    double number = strtod(value, &end);
    bool is_number = !*end;

    for (size_t n; *words; words += n + strspn(words + n, " ")) {
        n = strcspn(words, " ");
        if ((is_number && strtod(words, &end) == number && end == words + n) ||
            (strlen(value) == n && memcmp(value, words, n) == 0))
            return true;
    }
    return false;
}

bool refused_member_is_harmless(const struct refused_member *member, const char *value,
                                size_t size)
{
    char text[HARMLESS_MAX + 1];
    size_t n = 0;

    for (size_t i = 0; i < size; i++) {
        if (isspace((unsigned char)value[i]))
            continue;
        if (n == HARMLESS_MAX)
            return false;
        text[n++] = value[i];
    }
    text[n] = '\0';
    return is_one_of(text, member->harmless ? member->harmless : "false \"\" [] {}");
}
