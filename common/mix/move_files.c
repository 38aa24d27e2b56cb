#include "move_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/model_files.h"

static const size_t file_bytes_max = 200 * 1000 * 1000, config_bytes_max = 50 * 1000 * 1000;

/* ---- files of the tokenizer ---- */

static const char *const tokenizer_patterns[] = {
    "tokenizer.json",   "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json",       "merges.txt",            "vocab.txt",               "bpe.codes",
    "tokenizer.model*", "*.spm",                 "spiece.model",            "sentencepiece*.model",
    "tekken.json",      "*.tiktoken",            "tokenization_*.py",       "chat_template.*",
    NULL,
};
static const char templates[] = "additional_chat_templates";

static int hide_all(const struct model_folder *made, const char *directory,
                    const char *const *patterns, struct error *err)
{
    char **names;
    size_t n_names;

    if (folder_list(made->folder, directory, &names, &n_names, err))
        return -1;
    for (size_t i = 0; i < n_names; i++)
        if (!patterns || model_files_match(patterns, names[i])) {
            char *path = folder_join(directory, names[i]);

            folder_hide(made->folder, path);
            free(path);
        }
    folder_names_free(names, n_names);
    return 0;
}

static int add_file(const struct model_folder *made, const char *to, const struct model_folder *donor,
                    const char *from, struct error *err)
{
    struct file *file = folder_open_file(donor->folder, from, err);
    size_t n = file ? file->size_bytes : 0;
    char *bytes = NULL;
    int rc = file ? 0 : -1;

    if (rc == 0 && n > file_bytes_max)
        rc = error_set(err, ERROR_FORMAT, "'%s': %zu bytes, at most %zu are read of a tokenizer's file",
                       file->path, n, file_bytes_max);
    if (rc == 0)
        bytes = memory_try(n + 1, 1, "a tokenizer's file", err);
    if (bytes && (n == 0 || file_read(file, 0, bytes, n, err) == 0)) {
        folder_add(made->folder, to, bytes, n);
        bytes = NULL;
    } else {
        rc = -1;
    }
    free(bytes);
    file_close(file);
    return rc;
}

static int add_all(const struct model_folder *made, const char *to, const struct model_folder *donor,
                   const char *from, const char *const *patterns, struct error *err)
{
    char **names;
    size_t n_names;
    int rc;

    if (folder_list(donor->folder, from, &names, &n_names, err))
        return -1;
    rc = 0;
    for (size_t i = 0; rc == 0 && i < n_names; i++) {
        char *source = folder_join(from, names[i]), *target = folder_join(to, names[i]);

        if ((!patterns || model_files_match(patterns, names[i])) &&
            folder_look(donor->folder, source) != FOLDER_DIRECTORY)
            rc = add_file(made, target, donor, source, err);
        free(source);
        free(target);
    }
    folder_names_free(names, n_names);
    return rc;
}

static bool has_directory(const struct model_folder *model, const char *name)
{
    return folder_look(model->folder, name) == FOLDER_DIRECTORY;
}

int move_tokenizer_files(struct model_folder *made, const struct model_folder *donor,
                         struct error *err)
{
    const char *to = model_folder_tokenizer_at(made), *from = model_folder_tokenizer_at(donor);
    char *own_templates = folder_join(to, templates), *new_templates = folder_join(from, templates);
    int rc = hide_all(made, to, tokenizer_patterns, err);

    if (rc == 0 && has_directory(made, own_templates))
        rc = hide_all(made, own_templates, NULL, err);
    if (rc == 0)
        rc = add_all(made, to, donor, from, tokenizer_patterns, err);
    if (rc == 0 && has_directory(donor, new_templates))
        rc = add_all(made, own_templates, donor, new_templates, NULL, err);
    free(own_templates);
    free(new_templates);
    return rc;
}

/* ---- ids ---- */

static const struct id_key {
    const char *name, *role; /* role NULL: that of the token that the model has there */
} id_keys[] = {
    {"bos_token_id", "bos_token"},   {"eos_token_id", "eos_token"}, {"pad_token_id", "pad_token"},
    {"unk_token_id", "unk_token"},   {"sep_token_id", "sep_token"}, {"cls_token_id", "cls_token"},
    {"mask_token_id", "mask_token"}, {"decoder_start_token_id", NULL},
};

/* What says ids of other tokens, which the donor's are not known for. */
static const char *const other_ids[] = {
    "forced_bos_token_id", "forced_eos_token_id", "suppress_tokens", "begin_suppress_tokens",
    "bad_words_ids",       "force_words_ids",     "forced_decoder_ids", "sequence_bias", NULL,
};

struct vocabularies {
    const struct token_keys *own, *donor;
};

static uint32_t role_id(const struct token_keys *keys, const char *role)
{
    for (size_t i = 0; role && i < TOKEN_ROLES; i++)
        if (strcmp(token_roles[i], role) == 0)
            return keys->roles[i];
    return TOKEN_NONE;
}

/* The role of the token that the model has there. */
static const char *find_role(const cJSON *value, const struct token_keys *own)
{
    for (size_t i = 0; cJSON_IsNumber(value) && i < TOKEN_ROLES; i++)
        if (own->roles[i] != TOKEN_NONE && value->valuedouble == own->roles[i])
            return token_roles[i];
    return NULL;
}

/* The donor's JSON value of the key, as text to be freed: what one of its files says, else the id of
 * its token, else null. */
static char *donor_value(const struct id_key *key, const cJSON *own, const cJSON *first,
                         const cJSON *second, const struct vocabularies *tokens)
{
    const cJSON *found = json_find(first, key->name);
    const char *role = key->role ? key->role : find_role(json_find(own, key->name), tokens->own);
    uint32_t id = role_id(tokens->donor, role);

    if (!found)
        found = json_find(second, key->name);
    if (found)
        return cJSON_PrintUnformatted(found);
    return id == TOKEN_NONE ? memory_copy("null") : memory_format("%u", (unsigned)id);
}

/* Where the file has the key, and where the donor's own has it. */
static void edit_ids(struct buffer *text, const cJSON *own, const cJSON *first, const cJSON *second,
                     const struct vocabularies *tokens)
{
    for (size_t i = 0; i < sizeof id_keys / sizeof *id_keys; i++) {
        char *value;

        if (!cJSON_GetObjectItemCaseSensitive(own, id_keys[i].name) &&
            !json_find(first, id_keys[i].name))
            continue;
        value = donor_value(&id_keys[i], own, first, second, tokens);
        json_edit_member(text, id_keys[i].name, value);
        free(value);
    }
}

static void drop_other_ids(struct buffer *text, const cJSON *own, const char *file,
                           struct notices *notices)
{
    for (size_t i = 0; other_ids[i]; i++)
        if (json_find(own, other_ids[i])) {
            json_edit_member(text, other_ids[i], NULL);
            notices_add(notices, "%s: %s is left out, as it says ids of the old tokens", file,
                        other_ids[i]);
        }
}

/* NULL without an error when there is no such file. */
static cJSON *load_generation(const struct model_folder *model, struct buffer *text,
                              struct error *err)
{
    char *path = folder_join(model->sentence.transformer, "generation_config.json"), *bytes = NULL;
    cJSON *json = NULL;
    size_t size;

    if (folder_look(model->folder, path) != FOLDER_ABSENT)
        bytes = folder_read_text(model->folder, path, config_bytes_max, &size, err);
    if (bytes) {
        json = json_parse(bytes, size, err);
        if (json && !cJSON_IsObject(json)) {
            error_set(err, ERROR_FORMAT, "not an object");
            cJSON_Delete(json);
            json = NULL;
        }
        if (!json)
            error_context(err, "'%s/%s'", model->folder->path, path);
        else
            buffer_add(text, bytes, size);
    }
    free(bytes);
    free(path);
    return json;
}

static int edit_generation(struct model_folder *made, const struct model_folder *donor,
                           const struct vocabularies *tokens, struct notices *notices,
                           struct error *err)
{
    struct buffer text = {0}, ignored = {0};
    cJSON *own = load_generation(made, &text, err);
    cJSON *first = own ? load_generation(donor, &ignored, err) : NULL;

    if (own && !err->code) {
        char *path = folder_join(made->sentence.transformer, "generation_config.json");
        size_t size;

        edit_ids(&text, own, first, donor->config.json, tokens);
        drop_other_ids(&text, own, "generation_config.json", notices);
        size = text.size;
        folder_add(made->folder, path, text.data, size);
        text = (struct buffer){0};
        free(path);
    }
    buffer_release(&text);
    buffer_release(&ignored);
    cJSON_Delete(own);
    cJSON_Delete(first);
    return err->code ? -1 : 0;
}

int move_config_files(struct model_folder *made, const struct model_folder *donor,
                      const struct token_keys *own_keys, const struct token_keys *donor_keys,
                      size_t n_rows, struct notices *notices, struct error *err)
{
    const struct config *config = &made->config;
    struct vocabularies tokens = {own_keys, donor_keys};
    struct buffer text = {0};
    char value[32];
    int rc;

    if (config->is_consolidated || !json_find(config->json, "vocab_size"))
        return error_set(err, ERROR_UNSUPPORTED, "'%s': %s has no vocab_size of its own, which would be "
                         "that of the new tokenizer", made->name, config_name(config));
    buffer_add(&text, config->text, config->size);
    snprintf(value, sizeof value, "%zu", n_rows);
    json_edit_member(&text, "vocab_size", value);
    edit_ids(&text, config->json, donor->config.json, NULL, &tokens);
    drop_other_ids(&text, config->json, "config.json", notices);
    json_edit_member(&text, "tokenizer_class", NULL); /* tokenizer_config.json says it */
    rc = model_folder_set_config(made, &text, err);
    buffer_release(&text);
    return rc ? rc : edit_generation(made, donor, &tokens, notices, err);
}
