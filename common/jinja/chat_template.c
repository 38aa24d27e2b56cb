#include "chat_template.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/line_reader.h"
#include "base/memory.h"
#include "jinja/chat_messages.h"
#include "jinja/chat_templates.h"
#include "jinja/jinja.h"
#include "jinja/jinja_json.h"
#include "jinja/jinja_value.h"

enum { CONFIG_BYTES_MAX = 64 * 1024 * 1024, TEMPLATE_BYTES_MAX = JINJA_SOURCE_MAX };

struct named_template {
    char *name, *source;
    size_t size;
    struct jinja_template *template; /* NULL: `fault` says why */
    struct error fault;
};

struct special_token {
    char *name, *content; /* content NULL: said to be none */
};

struct chat_template {
    struct named_template *templates;
    size_t n_templates;
    const char *choice; /* the name of the one to use whatever is given; NULL: none */
    struct special_token *tokens;
    size_t n_tokens;
};

/* ---- templates ---- */

static struct named_template *find_template(const struct chat_template *chat, const char *name)
{
    for (size_t i = 0; i < chat->n_templates; i++)
        if (strcmp(chat->templates[i].name, name) == 0)
            return &chat->templates[i];
    return NULL;
}

/* Takes over `source`. A template that is not valid is an error when it is used. */
static void add_template(struct chat_template *chat, const char *name, char *source, size_t size,
                         const char *origin)
{
    struct named_template *template = find_template(chat, name);

    if (!template) {
        chat->templates = memory_resize(chat->templates, chat->n_templates + 1,
                                        sizeof *chat->templates);
        template = &chat->templates[chat->n_templates++];
        *template = (struct named_template){.name = memory_copy(name)};
    } else { /* the last of one name counts */
        jinja_template_free(template->template);
        free(template->source);
        template->fault = (struct error){0};
    }
    template->source = source;
    template->size = size;
    template->template = jinja_compile(source, size, &template->fault);
    if (!template->template)
        error_context(&template->fault, "'" ERROR_NAME "'", origin);
}

static int add_file(struct chat_template *chat, const struct folder *folder, const char *path,
                    const char *name, struct error *err)
{
    char *source, *origin;
    size_t size;

    if (folder_look(folder, path) != FOLDER_FILE)
        return 0;
    source = folder_read_text(folder, path, TEMPLATE_BYTES_MAX, &size, err);
    if (!source)
        return -1;
    origin = folder_join(folder->path, path);
    add_template(chat, name, source, size, origin);
    free(origin);
    return 0;
}

#define ADDITIONAL "additional_chat_templates"

static int add_files(struct chat_template *chat, const struct folder *folder,
                     const char *directory, struct error *err)
{
    char *main_path = folder_join(directory, "chat_template.jinja"), **names = NULL;
    char *additional = folder_join(directory, ADDITIONAL);
    int rc = add_file(chat, folder, main_path, "default", err);
    size_t n_names = 0;

    if (rc == 0 && folder_look(folder, additional) == FOLDER_DIRECTORY)
        rc = folder_list(folder, additional, &names, &n_names, err);
    for (size_t i = 0; rc == 0 && i < n_names; i++) {
        static const char ending[] = ".jinja";
        size_t n = strlen(names[i]);
        char *path, *name;

        if (n < sizeof ending || strcmp(names[i] + n - (sizeof ending - 1), ending) != 0)
            continue;
        path = folder_join(additional, names[i]);
        name = memory_format("%.*s", (int)(n - (sizeof ending - 1)), names[i]);
        rc = add_file(chat, folder, path, name, err);
        free(path);
        free(name);
    }
    folder_names_free(names, n_names);
    free(additional);
    free(main_path);
    return rc;
}

/* A text, or a list of {"name", "template"}. */
static int add_from_config(struct chat_template *chat, const cJSON *config, const char *origin,
                           struct error *err)
{
    const cJSON *found = json_find(config, "chat_template"), *item;

    if (cJSON_IsString(found)) {
        add_template(chat, "default", memory_copy(found->valuestring), strlen(found->valuestring),
                     origin);
        return 0;
    }
    if (found && !cJSON_IsArray(found))
        return error_set(err, ERROR_FORMAT, "'%s': chat_template is neither a text nor a list",
                         origin);
    cJSON_ArrayForEach(item, found) {
        const char *name = json_find_string(item, "name");
        const char *text = json_find_string(item, "template");

        if (!name || !text)
            return error_set(err, ERROR_FORMAT, "'%s': an item of chat_template lacks its name or "
                             "its template", origin);
        add_template(chat, name, memory_copy(text), strlen(text), origin);
    }
    return 0;
}

/* ---- special tokens ---- */

static void set_token(struct chat_template *chat, const char *name, const char *content)
{
    size_t i = 0;

    while (i < chat->n_tokens && strcmp(chat->tokens[i].name, name) != 0)
        i++;
    if (i == chat->n_tokens) {
        chat->tokens = memory_resize(chat->tokens, i + 1, sizeof *chat->tokens);
        chat->tokens[i] = (struct special_token){.name = memory_copy(name)};
        chat->n_tokens++;
    }
    free(chat->tokens[i].content);
    chat->tokens[i].content = content ? memory_copy(content) : NULL;
}

static bool is_token_name(const char *name)
{
    static const char ending[] = "_token";
    size_t n = strlen(name);

    return n >= sizeof ending - 1 && strcmp(name + n - (sizeof ending - 1), ending) == 0;
}

/* A text, or an added token with its content. */
static const char *token_content(const cJSON *value)
{
    return cJSON_IsString(value) ? value->valuestring
         : cJSON_IsObject(value) ? json_find_string(value, "content") : NULL;
}

static void add_tokens(struct chat_template *chat, const cJSON *object, bool any_name)
{
    const cJSON *member;

    cJSON_ArrayForEach(member, object) {
        const char *content = token_content(member);

        if ((any_name || is_token_name(member->string)) && (content || cJSON_IsNull(member)))
            set_token(chat, member->string, content);
    }
}

/* What the classes of transformers say when the files do not. */
static const struct class_token {
    const char *class_name, *name, *content;
} class_tokens[] = {
    {"Llama", "bos_token", "<s>"}, {"Llama", "eos_token", "</s>"}, {"Llama", "unk_token", "<unk>"},
    {"CodeLlama", "bos_token", "<s>"}, {"CodeLlama", "eos_token", "</s>"},
    {"CodeLlama", "unk_token", "<unk>"},
    {"Qwen2", "eos_token", "<|endoftext|>"}, {"Qwen2", "unk_token", "<|endoftext|>"},
    {"Qwen2", "pad_token", "<|endoftext|>"},
    {"GPT2", "bos_token", "<|endoftext|>"}, {"GPT2", "eos_token", "<|endoftext|>"},
    {"GPT2", "unk_token", "<|endoftext|>"},
    {"GPTNeoX", "bos_token", "<|endoftext|>"}, {"GPTNeoX", "eos_token", "<|endoftext|>"},
    {"GPTNeoX", "unk_token", "<|endoftext|>"}, {"GPTNeoX", "pad_token", "<|padding|>"},
    {"Gemma", "bos_token", "<bos>"}, {"Gemma", "eos_token", "<eos>"},
    {"Gemma", "unk_token", "<unk>"}, {"Gemma", "pad_token", "<pad>"},
    {"Gemma", "mask_token", "<mask>"},
    {"Cohere", "bos_token", "<BOS_TOKEN>"}, {"Cohere", "eos_token", "<|END_OF_TURN_TOKEN|>"},
    {"Cohere", "unk_token", "<UNK>"}, {"Cohere", "sep_token", "<SEP>"},
    {"Cohere", "pad_token", "<PAD>"}, {"Cohere", "cls_token", "<CLS>"},
    {"Cohere", "mask_token", "<MASK_TOKEN>"},
};

static void add_class_tokens(struct chat_template *chat, const cJSON *config)
{
    const char *class_name = json_find_string(config, "tokenizer_class");

    for (size_t i = 0; class_name && i < sizeof class_tokens / sizeof *class_tokens; i++) {
        size_t n = strlen(class_tokens[i].class_name);
        const char *rest = class_name + n;

        if (strncmp(class_name, class_tokens[i].class_name, n) == 0 &&
            (strcmp(rest, "Tokenizer") == 0 || strcmp(rest, "TokenizerFast") == 0))
            set_token(chat, class_tokens[i].name, class_tokens[i].content);
    }
}

/* ---- loading ---- */

/* An object; NULL with no error when the file is not there. */
static cJSON *load_object(const struct folder *folder, const char *directory, const char *name,
                          struct error *err)
{
    char *path = folder_join(directory, name), *text = NULL;
    cJSON *json = NULL;
    size_t size;

    if (folder_look(folder, path) != FOLDER_ABSENT) {
        text = folder_read_text(folder, path, CONFIG_BYTES_MAX, &size, err);
        json = text ? json_parse(text, size, err) : NULL;
        if (json && !cJSON_IsObject(json)) {
            cJSON_Delete(json);
            json = NULL;
            error_set(err, ERROR_FORMAT, "is not an object");
        }
        if (text && !json)
            error_context(err, "'%s/%s'", folder->path, path);
    }
    free(text);
    free(path);
    return json;
}

static int read_folder(struct chat_template *chat, const struct folder *folder,
                       const char *directory, struct error *err)
{
    cJSON *config = load_object(folder, directory, "tokenizer_config.json", err), *map = NULL;
    char *path = folder_join(directory, "tokenizer_config.json");
    char *origin = folder_join(folder->path, path);
    int rc = -1;

    if (!config && err->code != ERROR_NONE)
        goto done;
    add_class_tokens(chat, config);
    add_tokens(chat, config, false);
    if (cJSON_IsObject(json_find(config, "extra_special_tokens")))
        add_tokens(chat, json_find(config, "extra_special_tokens"), true);
    if (!json_find(config, "added_tokens_decoder")) { /* else it is a file of older versions */
        map = load_object(folder, directory, "special_tokens_map.json", err);
        if (!map && err->code != ERROR_NONE)
            goto done;
        add_tokens(chat, map, false);
    }
    if (add_files(chat, folder, directory, err) ||
        (chat->n_templates == 0 && add_from_config(chat, config, origin, err)))
        goto done;
    rc = 0;
done:
    cJSON_Delete(config);
    cJSON_Delete(map);
    free(origin);
    free(path);
    return rc;
}

static int choose_file(struct chat_template *chat, const char *path, struct error *err)
{
    struct line_reader *reader = line_reader_open(path, err);
    const char *source;
    size_t size;
    int rc = reader ? line_reader_rest(reader, TEMPLATE_BYTES_MAX, &source, &size, err) : -1;

    if (rc == 0) {
        char *copy = memory_alloc(size + 1);

        memcpy(copy, source, size);
        copy[size] = '\0';
        add_template(chat, "--template", copy, size, path);
        chat->choice = "--template";
    }
    line_reader_close(reader);
    return rc;
}

static int choose(struct chat_template *chat, const char *choice, struct error *err)
{
    const struct named_template *named = find_template(chat, choice);
    const char *text = strcmp(choice, "chatml") == 0 ? chat_template_find(choice) : NULL;

    if (named) {
        chat->choice = named->name;
        return 0;
    }
    if (!text)
        return choose_file(chat, choice, err);
    add_template(chat, "--template", memory_copy(text), strlen(text), choice);
    chat->choice = "--template";
    return 0;
}

/* The one that is used for a conversation with tools or without; NULL with an error. */
static const struct named_template *select_template(const struct chat_template *chat,
                                                    bool has_tools, struct error *err)
{
    const struct named_template *found = NULL;

    if (chat->choice)
        found = find_template(chat, chat->choice);
    else if (has_tools)
        found = find_template(chat, "tool_use");
    if (!found)
        found = find_template(chat, "default");
    if (!found && chat->n_templates > 0)
        error_set(err, ERROR_INCOMPATIBLE, "the model has several chat templates and none of them "
                  "is the default; choose one, such as --template " ERROR_NAME,
                  chat->templates[0].name);
    else if (!found)
        error_set(err, ERROR_INCOMPATIBLE, "the model has no chat template; give one with "
                  "--template FILE, or the common one with --template chatml");
    if (!found || found->template)
        return found;
    *err = found->fault;
    return NULL;
}

struct chat_template *chat_template_load(const struct folder *folder, const char *directory,
                                         const char *choice, struct error *err)
{
    struct chat_template *chat = memory_zalloc(1, sizeof *chat);
    struct error none = {0};

    if (read_folder(chat, folder, directory, err) || (choice && choose(chat, choice, err)))
        goto failed;
    /* Without a default one for tools may still do; whoever renders sees. */
    if (!select_template(chat, false, &none) &&
        (none.code != ERROR_INCOMPATIBLE || chat->n_templates == 0)) {
        *err = none;
        goto failed;
    }
    return chat;
failed:
    chat_template_free(chat);
    return NULL;
}

void chat_template_free(struct chat_template *chat)
{
    if (!chat)
        return;
    for (size_t i = 0; i < chat->n_templates; i++) {
        jinja_template_free(chat->templates[i].template);
        free(chat->templates[i].name);
        free(chat->templates[i].source);
    }
    for (size_t i = 0; i < chat->n_tokens; i++) {
        free(chat->tokens[i].name);
        free(chat->tokens[i].content);
    }
    free(chat->templates);
    free(chat->tokens);
    free(chat);
}

/* ---- rendering ---- */

static int prepare(struct jinja_heap *heap, struct jinja_value *value,
                   const struct chat_conversation *conversation)
{
    return chat_prepare_texts(heap, value, conversation->prepare, conversation->prepare_context);
}

static int add_kwargs(struct jinja_heap *heap, const struct chat_conversation *conversation,
                      struct jinja_dict *context)
{
    static const char *const own[] = {"messages", "tools", "documents", "add_generation_prompt",
                                      "continue_final_message"};
    const char *text = conversation->kwargs;
    struct jinja_value kwargs;

    if (!text)
        return 0;
    if (jinja_parse_json(heap, text, strlen(text), "variables of the template", &kwargs) ||
        prepare(heap, &kwargs, conversation))
        return -1;
    if (kwargs.kind != JINJA_DICT)
        return error_set(heap->err, ERROR_FORMAT,
                         "variables of the template: an object was expected");
    for (size_t i = 0; i < kwargs.dict->n_entries; i++) {
        const struct jinja_dict_entry *entry = &kwargs.dict->entries[i];

        for (size_t k = 0; k < sizeof own / sizeof *own; k++)
            if (jinja_string_is(entry->key.string, own[k]))
                return error_set(heap->err, ERROR_FORMAT, "variables of the template: '%s' is "
                                 "given in another way", own[k]);
        if (jinja_dict_set(heap, context, entry->key, entry->value))
            return -1;
    }
    return 0;
}

static int add_objects(struct jinja_heap *heap, const char *text, const char *name,
                       const struct chat_conversation *conversation, struct jinja_dict *context)
{
    struct jinja_value value = jinja_none();

    if (text && (chat_parse_objects(heap, text, name, &value) ||
                 prepare(heap, &value, conversation)))
        return -1;
    return jinja_dict_set_text(heap, context, name, value);
}

static int make_context(const struct chat_template *chat,
                        const struct chat_conversation *conversation, struct jinja_heap *heap,
                        struct jinja_value messages, struct jinja_dict *context)
{
    struct jinja_value content;

    for (size_t i = 0; i < chat->n_tokens; i++)
        if (chat->tokens[i].content &&
            (jinja_string_copy(heap, chat->tokens[i].content, strlen(chat->tokens[i].content),
                               &content) ||
             jinja_dict_set_text(heap, context, chat->tokens[i].name, content)))
            return -1;
    return add_kwargs(heap, conversation, context) ||
                   jinja_dict_set_text(heap, context, "messages", messages) ||
                   add_objects(heap, conversation->tools, "tools", conversation, context) ||
                   add_objects(heap, conversation->documents, "documents", conversation,
                               context) ||
                   jinja_dict_set_text(heap, context, "add_generation_prompt",
                                       jinja_bool(conversation->add_generation_prompt))
               ? -1 : 0;
}

static int render(const struct chat_template *chat, const struct named_template *named,
                  const struct chat_conversation *conversation, struct jinja_heap *heap,
                  struct buffer *out)
{
    struct jinja_value messages, text;
    struct jinja_dict *context;
    size_t start = out->size;

    if (chat_parse_objects(heap, conversation->messages, "messages", &messages) ||
        chat_normalize_messages(heap, &messages) ||
        prepare(heap, &messages, conversation))
        return -1;
    if (conversation->continue_final_message) {
        if (!memmem(named->source, named->size, "content", sizeof "content" - 1))
            return error_set(heap->err, ERROR_FORMAT, "the last message cannot be continued: the "
                             "template does not read 'content'");
        if (chat_mark_last(heap, messages, &text))
            return -1;
    }
    if (jinja_dict_new(heap, &context) ||
        make_context(chat, conversation, heap, messages, context) ||
        jinja_render(named->template, heap, context, out))
        return -1;
    if (!conversation->continue_final_message ||
        chat_cut_at_mark(heap, out, start, text) == 0)
        return 0;
    out->size = start;
    out->data[start] = '\0';
    return -1;
}

int chat_template_render(const struct chat_template *chat,
                         const struct chat_conversation *conversation, struct buffer *out,
                         struct error *err)
{
    const struct named_template *named = select_template(chat, conversation->tools != NULL, err);
    struct jinja_heap heap;
    int rc;

    if (!named)
        return -1;
    if (conversation->add_generation_prompt && conversation->continue_final_message)
        return error_set(err, ERROR_USAGE, "a message is either continued or followed by a new "
                         "one: not both of continue_final_message and add_generation_prompt");
    jinja_heap_init(&heap, err);
    rc = render(chat, named, conversation, &heap, out);
    jinja_heap_release(&heap);
    return rc;
}
