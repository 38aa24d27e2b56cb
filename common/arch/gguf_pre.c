/* gguf_pre.c - the names that llama.cpp knows, and the patterns that they stand for.
 *
 * From llama-vocab.cpp of llama.cpp. Where it has a pattern only adapted to the regular expressions
 * of C++ and gives the original beside it, this is the original: that of the tokenizer.json which
 * the model was trained with. Not here: kimi-k2, afmoe, superbpe and whitespace, which no
 * tokenizer.json says in this way. */
#include "gguf_pre.h"

#include <string.h>

#include "base/json_writer.h"

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define TAIL " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES
#define SLASH_TAIL " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES
#define WORD "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define FALLING_WORD                                                                              \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
#define RISING_WORD                                                                               \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"
#define ASCII_WORD "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
#define MARKED_WORD "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
#define CJK "[一-龥぀-ゟ゠-ヿ]+"

/* These two are components of their own: ByteLevel has the first built in, where it comes last. */
static const char gpt2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
                           "\\s+(?!\\S)|\\s+";
static const char each_digit[] = "\\p{N}";

static const char deepseek_letters[] =
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ"
    "-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-"
    "ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";

static const char *const gpt2_splits[] = {gpt2, NULL};
static const char *const digit_splits[] = {each_digit, gpt2, NULL};
static const char *const llama3_splits[] = {CONTRACTIONS "|" WORD "|\\p{N}{1,3}|" TAIL, NULL};
static const char *const qwen2_splits[] = {CONTRACTIONS "|" WORD "|\\p{N}|" TAIL, NULL};
static const char *const qwen35_splits[] = {
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}|"
                 " ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" SPACES, NULL};
static const char *const gpt4o_splits[] = {
    FALLING_WORD CONTRACTIONS "?|" RISING_WORD CONTRACTIONS "?|\\p{N}{1,3}|" SLASH_TAIL, NULL};
static const char *const tekken_splits[] = {FALLING_WORD "|" RISING_WORD "|\\p{N}|" SLASH_TAIL,
                                            NULL};
static const char *const aya_splits[] = {
    "\\d{1,3}(?=(?:\\d{3})*\\b)",
    (FALLING_WORD CONTRACTIONS "?|" RISING_WORD CONTRACTIONS "?|\\p{N}{1,3}|" SLASH_TAIL), NULL};
static const char *const deepseek3_splits[] = {
    "\\p{N}{1,3}", CJK, ASCII_WORD "|" MARKED_WORD "| ?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES, NULL};
static const char *const spark_splits[] = {
    "\\p{N}{1,3}", CJK,
    (ASCII_WORD "|" MARKED_WORD "| ?[\\p{P}\\p{S}]+|[\\r\\n]|\\s+(?!\\S)|\\s+"), each_digit,
    NULL};
static const char *const deepseek_llm_splits[] = {
    "[\\r\\n]", deepseek_letters, "\\s?[!-/:-~！-／：-～‘-‟　-。]+", "\\s+$",
    "[一-龥ࠀ-一가-퟿]+", "\\p{N}+", NULL};
static const char *const deepseek_coder_splits[] = {
    "[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-퟿]+", each_digit, NULL};
static const char *const falcon_splits[] = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", gpt2, "[0-9][0-9][0-9]",
                                            NULL};
static const char *const default_splits[] = {"[\\p{P}\\$\\+<=>\\^~\\|]+", gpt2, "\\p{N}+",
                                             "[0-9][0-9][0-9]", NULL};
static const char *const bloom_splits[] = {" ?[^(\\s|.,!?…。，、।۔،)]+", NULL};
static const char *const viking_splits[] = {" ?[^(\\s|.,!?…。，、।۔،)]+", each_digit, NULL};
static const char *const jais2_splits[] = {
    CONTRACTIONS "|" WORD "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
                 "\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)|"
                 "\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}", NULL};
static const char *const youtu_splits[] = {
    "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|" CJK,
    FALLING_WORD CONTRACTIONS "?|" RISING_WORD CONTRACTIONS "?|\\p{N}|" SLASH_TAIL, NULL};
static const char *const bailing_splits[] = {
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|"
    "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+", NULL};
static const char *const seed_splits[] = {
    CONTRACTIONS "|" WORD "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" SPACES, NULL};
static const char *const ufakzeka_splits[] = {WORD "|\\p{N}|" TAIL, NULL};
static const char *const laguna_splits[] = {"[^\\n]+|[\\n]+", CONTRACTIONS "|" WORD "|\\p{N}|" TAIL,
                                            NULL};
static const char *const exaone_moe_splits[] = {
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}|"
                 " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+", NULL};
static const char *const minicpm5_splits[] = {"\\p{N}{1,3}",
                                              CONTRACTIONS "|" WORD "|\\p{N}+|" TAIL, NULL};
static const char *const chameleon_splits[] = {
    "<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )", each_digit,
    "[\\p{P}!-/:-@\\[-`{-~]", gpt2, NULL};
static const char *const line_splits[] = {"[^\\n]+|[\\n]+", NULL};

enum { MERGES = 1, BEGIN = 2, PLAIN = 4 };
#define ROW(name, splits, flags)                                                                  \
    {name, splits, ((flags) & MERGES) != 0, ((flags) & BEGIN) != 0, ((flags) & PLAIN) != 0}

static const struct gguf_pre rows[] = {
    ROW("gpt-2", gpt2_splits, 0),
    ROW("phi-2", gpt2_splits, 0),
    ROW("mpt", gpt2_splits, 0),
    ROW("olmo", gpt2_splits, 0),
    ROW("jais", gpt2_splits, 0),
    ROW("trillion", gpt2_splits, 0),
    ROW("granite-docling", gpt2_splits, 0),
    ROW("jina-es", gpt2_splits, 0),
    ROW("jina-de", gpt2_splits, 0),
    ROW("gigachat", gpt2_splits, 0),
    ROW("jina-v2-es", gpt2_splits, 0),
    ROW("jina-v2-de", gpt2_splits, 0),
    ROW("a.x-4.0", gpt2_splits, 0),
    ROW("mellum", gpt2_splits, 0),
    ROW("modern-bert", gpt2_splits, 0),
    ROW("exaone4", gpt2_splits, 0),
    ROW("jina-v1-en", gpt2_splits, 0),
    ROW("jina-v2-code", gpt2_splits, 0),
    ROW("roberta-bpe", gpt2_splits, 0),
    ROW("starcoder", digit_splits, 0),
    ROW("smollm", digit_splits, 0),
    ROW("refact", digit_splits, 0),
    ROW("command-r", digit_splits, 0),
    ROW("codeshell", digit_splits, 0),
    ROW("exaone", digit_splits, 0),
    ROW("minerva-7b", digit_splits, 0),
    ROW("mellum2", digit_splits, 0),
    ROW("llama-bpe", llama3_splits, MERGES | BEGIN),
    ROW("llama3", llama3_splits, MERGES | BEGIN),
    ROW("llama-v3", llama3_splits, MERGES | BEGIN),
    ROW("falcon3", llama3_splits, MERGES | BEGIN),
    ROW("falcon-h1", llama3_splits, MERGES | BEGIN),
    ROW("pixtral", llama3_splits, MERGES | BEGIN),
    ROW("midm-2.0", llama3_splits, MERGES | BEGIN),
    ROW("lfm2", llama3_splits, MERGES | BEGIN),
    ROW("jina-v5-nano", llama3_splits, MERGES | BEGIN),
    ROW("dbrx", llama3_splits, 0),
    ROW("smaug-bpe", llama3_splits, 0),
    ROW("chatglm-bpe", llama3_splits, 0),
    ROW("glm4", llama3_splits, MERGES),
    ROW("glm5", llama3_splits, MERGES),
    ROW("qwen2", qwen2_splits, 0),
    ROW("deepseek-r1-qwen", qwen2_splits, 0),
    ROW("kormo", qwen2_splits, 0),
    ROW("f2llmv2", qwen2_splits, 0),
    ROW("megrez", qwen2_splits, 0),
    ROW("stablelm2", qwen2_splits, 0),
    ROW("hunyuan", qwen2_splits, 0),
    ROW("solar-open", qwen2_splits, 0),
    ROW("grok-2", qwen2_splits, 0),
    ROW("qwen35", qwen35_splits, 0),
    ROW("gpt-4o", gpt4o_splits, 0),
    ROW("llama4", gpt4o_splits, 0),
    ROW("kanana2", gpt4o_splits, 0),
    ROW("talkie", gpt4o_splits, 0),
    ROW("minimax-m2", gpt4o_splits, 0),
    ROW("granite-embed-multi-97m", gpt4o_splits, MERGES),
    ROW("tekken", tekken_splits, MERGES | BEGIN),
    ROW("tiny_aya", aya_splits, 0),
    ROW("cohere2moe", aya_splits, 0),
    ROW("deepseek-v3", deepseek3_splits, 0),
    ROW("hunyuan-dense", deepseek3_splits, 0),
    ROW("joyai-llm", deepseek3_splits, 0),
    ROW("hy_v4", deepseek3_splits, 0),
    ROW("spark2_5", spark_splits, 0),
    ROW("deepseek-llm", deepseek_llm_splits, 0),
    ROW("deepseek-coder", deepseek_coder_splits, 0),
    ROW("falcon", falcon_splits, 0),
    ROW("default", default_splits, 0),
    ROW("bloom", bloom_splits, 0),
    ROW("poro-chat", bloom_splits, 0),
    ROW("gpt3-finnish", bloom_splits, 0),
    ROW("viking", viking_splits, 0),
    ROW("jais-2", jais2_splits, 0),
    ROW("youtu", youtu_splits, MERGES),
    ROW("bailingmoe", bailing_splits, 0),
    ROW("bailingmoe2", bailing_splits, 0),
    ROW("llada-moe", bailing_splits, 0),
    ROW("seed-coder", seed_splits, 0),
    ROW("ufakzeka", ufakzeka_splits, 0),
    ROW("laguna", laguna_splits, 0),
    ROW("exaone-moe", exaone_moe_splits, 0),
    ROW("minicpm5", minicpm5_splits, MERGES),
    ROW("chameleon", chameleon_splits, BEGIN),
    ROW("gemma4", line_splits, PLAIN | BEGIN),
    ROW("granite-embed-multi-311m", line_splits, PLAIN | BEGIN),
    ROW("sarvam-moe", line_splits, PLAIN),
};
enum { N_ROWS = sizeof rows / sizeof *rows };

const struct gguf_pre *gguf_pre_find(const char *name, size_t length)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0)
            return &rows[i];
    return NULL;
}

const struct gguf_pre *gguf_pre_row(size_t i)
{
    return i < N_ROWS ? &rows[i] : NULL;
}

static void add_split(struct json_writer *json, const char *pattern)
{
    json_writer_object(json, NULL);
    if (pattern == each_digit) {
        json_writer_string(json, "type", "Digits");
        json_writer_bool(json, "individual_digits", true);
    } else {
        json_writer_string(json, "type", "Split");
        json_writer_object(json, "pattern");
        json_writer_string(json, "Regex", pattern);
        json_writer_end(json);
        json_writer_string(json, "behavior", "Isolated");
        json_writer_bool(json, "invert", false);
    }
    json_writer_end(json);
}

static void add_byte_level(struct json_writer *json, bool cuts)
{
    json_writer_object(json, NULL);
    json_writer_string(json, "type", "ByteLevel");
    json_writer_bool(json, "add_prefix_space", false);
    json_writer_bool(json, "trim_offsets", true);
    json_writer_bool(json, "use_regex", cuts);
    json_writer_end(json);
}

void gguf_pre_describe(const struct gguf_pre *pre, struct buffer *out)
{
    struct json_writer json = {.out = out};
    size_t n = 0;
    bool cuts;

    while (pre->splits[n])
        n++;
    cuts = !pre->is_plain && pre->splits[n - 1] == gpt2;
    if (cuts && n == 1) {
        add_byte_level(&json, true);
        return;
    }
    json_writer_object(&json, NULL);
    json_writer_string(&json, "type", "Sequence");
    json_writer_array(&json, "pretokenizers");
    for (size_t i = 0; i < n - cuts; i++)
        add_split(&json, pre->splits[i]);
    if (!pre->is_plain)
        add_byte_level(&json, cuts);
    json_writer_end(&json);
    json_writer_end(&json);
}
