/* move_class.c - transformers 5 chooses the class of a tokenizer by tokenizer_config.json and by the
 * model type in config.json, and a class may build its rules anew and pass over tokenizer.json.
 * Source: models/auto/tokenization_auto.py of transformers 5.24. */
#include "move_class.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

static const size_t config_bytes_max = 50 * 1000 * 1000;
static const char as_file_says[] = "PreTrainedTokenizerFast", config_file[] = "tokenizer_config.json";

/* By type of the model: as_file_says means that a class of another name counts for nothing. */
static const struct {
    const char *model_type, *class_name;
} classes[] = {
    {"bert", "BertTokenizer"},
    {"distilbert", "BertTokenizer"},
    {"electra", "BertTokenizer"},
    {"nomic_bert", "BertTokenizer"},
    {"mpnet", "MPNetTokenizer"},
    {"roberta", "RobertaTokenizer"},
    {"xlm-roberta", "XLMRobertaTokenizer"},
    {"camembert", "CamembertTokenizer"},
    {"gpt2", "GPT2Tokenizer"},
    {"gpt_neo", "GPT2Tokenizer"},
    {"gptj", "GPT2Tokenizer"},
    {"opt", "GPT2Tokenizer"},
    {"phi", "GPT2Tokenizer"},
    {"starcoder2", "GPT2Tokenizer"},
    {"gpt_neox", "GPTNeoXTokenizer"},
    {"olmo", "GPTNeoXTokenizer"},
    {"olmoe", "GPTNeoXTokenizer"},
    {"qwen2", "Qwen2Tokenizer"},
    {"qwen2_moe", "Qwen2Tokenizer"},
    {"qwen3", "Qwen2Tokenizer"},
    {"qwen3_moe", "Qwen2Tokenizer"},
    {"gemma", "GemmaTokenizer"},
    {"gemma2", "GemmaTokenizer"},
    {"gemma3", "GemmaTokenizer"},
    {"gemma3_text", "GemmaTokenizer"},
    {"t5", "T5Tokenizer"},
    {"mt5", "T5Tokenizer"},
    {"switch_transformers", "T5Tokenizer"},
    {"cohere", "CohereTokenizer"},
    {"glm4", as_file_says},
    {"gpt_bigcode", as_file_says},
    {"granite", as_file_says},
    {"granitemoe", as_file_says},
    {"ministral", as_file_says},
    {"mistral", as_file_says},
    {"mixtral", as_file_says},
    {"modernbert", as_file_says},
    {"olmo2", as_file_says},
    {"phi3", as_file_says},
    {"phimoe", as_file_says},
    {"stablelm", as_file_says},
    {"umt5", as_file_says},
};

/* Of these types the class of the table is used whatever tokenizer_config.json says. */
static const char *const stubborn[] = {"qwen2", NULL};

static const char *class_of_type(const char *model_type)
{
    for (size_t i = 0; model_type && i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i].model_type, model_type) == 0)
            return classes[i].class_name;
    return NULL;
}

static bool is_same_class(const char *a, const char *b)
{
    static const char fast[] = "Fast";
    size_t n_a = strlen(a), n_b = strlen(b), n = sizeof fast - 1;

    n_a -= n_a > n && strcmp(a + n_a - n, fast) == 0 ? n : 0;
    n_b -= n_b > n && strcmp(b + n_b - n, fast) == 0 ? n : 0;
    return n_a == n_b && strncmp(a, b, n_a) == 0;
}

static bool has_file(const struct model_folder *model, const char *name)
{
    char *path = folder_join(model_folder_tokenizer_at(model), name);
    bool is_there = folder_look(model->folder, path) != FOLDER_ABSENT;

    free(path);
    return is_there;
}

/* What the donor's tokenizer is read as; NULL: nobody says it. */
static const char *find_class(const struct model_folder *donor, const char *said)
{
    const char *implied = class_of_type(donor->config.model_type);

    if (!said)
        said = json_find_string(donor->config.json, "tokenizer_class");
    if (said && !(implied == as_file_says && has_file(donor, "tokenizer.json")))
        return said;
    if (!implied && !said && has_file(donor, "tokenizer.json"))
        return as_file_says;
    return implied ? implied : said;
}

static void note_reading(const struct model_folder *made, const char *class_name,
                          struct notices *notices)
{
    const char *type = made->config.model_type, *used = class_of_type(type);

    for (size_t i = 0; type && stubborn[i]; i++)
        if (strcmp(stubborn[i], type) == 0 && !is_same_class(used, class_name))
            notices_add(notices, "transformers reads the tokenizer of any model of type %s as %s, and not as "
                        "%s: load it with PreTrainedTokenizerFast instead of AutoTokenizer", type, used,
                        class_name);
    if (used == as_file_says && !has_file(made, "tokenizer.json"))
        notices_add(notices, "transformers wants a tokenizer.json of any model of type %s: load the tokenizer "
                    "with %s instead of AutoTokenizer", type, class_name);
}

/* Adds what tokenizer_config.json holds, "{}" without one; *said: the class there, to be freed. */
static int load_config(const struct model_folder *made, const char *path, struct buffer *text,
                       char **said, struct error *err)
{
    char *bytes = NULL;
    cJSON *json;
    size_t size = 0;

    *said = NULL;
    if (folder_look(made->folder, path) == FOLDER_ABSENT) {
        buffer_add_text(text, "{}");
        return 0;
    }
    bytes = folder_read_text(made->folder, path, config_bytes_max, &size, err);
    json = bytes ? json_parse(bytes, size, err) : NULL;
    if (bytes && json && !cJSON_IsObject(json))
        error_set(err, ERROR_FORMAT, "not an object");
    if (bytes && err->code)
        error_context(err, "'%s/%s'", made->folder->path, path);
    if (!err->code) {
        const char *class_name = json_find_string(json, "tokenizer_class");

        *said = class_name ? memory_copy(class_name) : NULL;
        buffer_add(text, bytes, size);
    }
    cJSON_Delete(json);
    free(bytes);
    return err->code ? -1 : 0;
}

static void say_class(struct model_folder *made, const char *path, struct buffer *text,
                      const char *class_name)
{
    struct buffer quoted = {0};

    json_add_string(&quoted, class_name);
    json_edit_member(text, "tokenizer_class", quoted.data);
    buffer_release(&quoted);
    folder_add(made->folder, path, text->data, text->size);
    *text = (struct buffer){0};
}

int move_tokenizer_class(struct model_folder *made, const struct model_folder *donor,
                         struct notices *notices, struct error *err)
{
    const char *own = made->config.model_type, *others = donor->config.model_type, *class_name;
    char *path = folder_join(model_folder_tokenizer_at(made), config_file), *said;
    struct buffer text = {0};
    int rc = 0;

    if (!own || !others || strcmp(own, others) != 0) {
        rc = load_config(made, path, &text, &said, err);
        class_name = rc == 0 ? find_class(donor, said) : NULL;
        if (class_name && (!said || !is_same_class(said, class_name)))
            say_class(made, path, &text, class_name);
        if (class_name)
            note_reading(made, class_name, notices);
        free(said);
    }
    buffer_release(&text);
    free(path);
    return rc;
}
