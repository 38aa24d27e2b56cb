#include "template.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static struct template_part *add_part(struct template_list *list, enum template_kind kind,
                                      uint8_t type_id)
{
    list->parts = memory_resize(list->parts, list->n_parts + 1, sizeof *list->parts);
    list->parts[list->n_parts] = (struct template_part){.kind = kind, .type_id = type_id};
    return &list->parts[list->n_parts++];
}

static void add_special(struct template_list *list, uint8_t type_id, const uint32_t *ids,
                        size_t n_ids)
{
    struct template_part *part = add_part(list, TEMPLATE_SPECIAL, type_id);

    part->ids = memory_zalloc(n_ids, sizeof *ids);
    memcpy(part->ids, ids, n_ids * sizeof *ids);
    part->n_ids = n_ids;
}

static int read_id(const cJSON *number, uint32_t *id)
{
    if (!cJSON_IsNumber(number) || !(number->valuedouble >= 0 && number->valuedouble < 4294967295.0))
        return -1;
    *id = (uint32_t)number->valuedouble;
    return 0;
}

/* ---- TemplateProcessing ---- */

static int read_type_id(const cJSON *object, uint8_t *type_id)
{
    uint32_t value;

    if (read_id(cJSON_GetObjectItemCaseSensitive(object, "type_id"), &value) || value > 255)
        return -1;
    *type_id = (uint8_t)value;
    return 0;
}

/* The ids that the template's own table gives a special token. */
static int read_special(struct template_list *list, const char *name, uint8_t type_id,
                        const cJSON *specials, struct error *err)
{
    const cJSON *ids = json_find(json_find(specials, name), "ids"), *item;
    uint32_t *values;
    size_t n = 0;

    if (!cJSON_IsArray(ids))
        return error_set(err, ERROR_FORMAT, "special token '" ERROR_NAME "' has no ids", name);
    values = memory_zalloc((size_t)cJSON_GetArraySize(ids), sizeof *values);
    cJSON_ArrayForEach(item, ids)
        if (read_id(item, &values[n++])) {
            free(values);
            return error_set(err, ERROR_FORMAT, "special token '" ERROR_NAME "' has a bad id",
                             name);
        }
    add_special(list, type_id, values, n);
    free(values);
    return 0;
}

static int read_part(struct template_list *list, const cJSON *item, const cJSON *specials,
                     struct error *err)
{
    const cJSON *sequence = json_find(item, "Sequence"), *special = json_find(item, "SpecialToken");
    const char *id = json_find_string(sequence ? sequence : special, "id");
    uint8_t type_id;

    if (!id || read_type_id(sequence ? sequence : special, &type_id))
        return error_set(err, ERROR_FORMAT, "an item without id or type_id");
    if (special)
        return read_special(list, id, type_id, specials, err);
    if (strcmp(id, "A") != 0 && strcmp(id, "B") != 0)
        return error_set(err, ERROR_FORMAT, "unknown sequence '" ERROR_NAME "'", id);
    add_part(list, *id == 'A' ? TEMPLATE_FIRST : TEMPLATE_SECOND, type_id);
    return 0;
}

static int read_list(struct template_list *list, const cJSON *json, const cJSON *specials,
                     struct error *err)
{
    const cJSON *item;

    if (!cJSON_IsArray(json))
        return error_set(err, ERROR_FORMAT, "single and pair must be lists");
    cJSON_ArrayForEach(item, json)
        if (read_part(list, item, specials, err))
            return -1;
    return 0;
}

static bool uses(const struct template_list *list, enum template_kind kind)
{
    for (size_t i = 0; i < list->n_parts; i++)
        if (list->parts[i].kind == kind)
            return true;
    return false;
}

static int load_template(struct template *template, const cJSON *json, struct error *err)
{
    const cJSON *specials = json_find(json, "special_tokens");

    if (read_list(&template->single, json_find(json, "single"), specials, err) ||
        read_list(&template->pair, json_find(json, "pair"), specials, err))
        return -1;
    if (uses(&template->single, TEMPLATE_SECOND))
        return error_set(err, ERROR_FORMAT, "single uses sequence B");
    if (!uses(&template->pair, TEMPLATE_FIRST) || !uses(&template->pair, TEMPLATE_SECOND))
        return error_set(err, ERROR_FORMAT, "pair must use both sequences");
    return 0;
}

/* ---- BertProcessing and RobertaProcessing: {"sep": ["</s>", 2], "cls": ["<s>", 0]} ---- */

static int read_pair_id(const cJSON *json, const char *name, uint32_t *id, struct error *err)
{
    const cJSON *pair = json_find(json, name);

    if (!cJSON_IsArray(pair) || cJSON_GetArraySize(pair) != 2 ||
        read_id(cJSON_GetArrayItem(pair, 1), id))
        return error_set(err, ERROR_FORMAT, "'%s' is not a token and its id", name);
    return 0;
}

static int load_classic(struct template *template, const cJSON *json, bool is_roberta,
                        struct error *err)
{
    struct template_list *lists[] = {&template->single, &template->pair};
    uint8_t second = is_roberta ? 0 : 1;
    uint32_t cls, sep;

    if (read_pair_id(json, "cls", &cls, err) || read_pair_id(json, "sep", &sep, err))
        return -1;
    for (size_t i = 0; i < 2; i++) {
        add_special(lists[i], 0, &cls, 1);
        add_part(lists[i], TEMPLATE_FIRST, 0);
        add_special(lists[i], 0, &sep, 1);
    }
    if (is_roberta)
        add_special(&template->pair, 0, &sep, 1);
    add_part(&template->pair, TEMPLATE_SECOND, second);
    add_special(&template->pair, second, &sep, 1);
    return 0;
}

static int load_bert(struct template *template, const cJSON *json, struct error *err)
{
    return load_classic(template, json, false, err);
}

static int load_roberta(struct template *template, const cJSON *json, struct error *err)
{
    return load_classic(template, json, true, err);
}

/* Trims offsets, which we do not have. */
static int load_nothing(struct template *template, const cJSON *json, struct error *err)
{
    (void)template;
    (void)json;
    (void)err;
    return 0;
}

static int load_sequence(struct template *template, const cJSON *json, struct error *err);

static const struct {
    const char *name;
    int (*load)(struct template *template, const cJSON *json, struct error *err);
} types[] = {
    {"TemplateProcessing", load_template}, {"BertProcessing", load_bert},
    {"RobertaProcessing", load_roberta},   {"ByteLevel", load_nothing},
    {"Sequence", load_sequence},
};

/* Old files lack the type: matched by shape, Roberta before Bert. */
static const char *guess_type(const cJSON *json)
{
    if (json_find(json, "sep") && json_find(json, "cls"))
        return json_find(json, "trim_offsets") ? "RobertaProcessing" : "BertProcessing";
    if (json_find(json, "trim_offsets"))
        return "ByteLevel";
    if (json_find(json, "single"))
        return "TemplateProcessing";
    return json_find(json, "processors") ? "Sequence" : NULL;
}

static int load_any(struct template *template, const cJSON *json, struct error *err)
{
    const char *type = json_find_string(json, "type");

    if (!type)
        type = guess_type(json);
    if (!type)
        return error_set(err, ERROR_FORMAT, "post_processor without a type");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i].name) == 0) {
            if (types[i].load(template, json, err))
                return error_context(err, "post_processor %s", type);
            return 0;
        }
    return error_set(err, ERROR_UNSUPPORTED, "unknown post_processor '" ERROR_NAME "'", type);
}

static int load_sequence(struct template *template, const cJSON *json, struct error *err)
{
    const cJSON *processors = json_find(json, "processors"), *item;

    if (!cJSON_IsArray(processors))
        return error_set(err, ERROR_FORMAT, "processors is not a list");
    cJSON_ArrayForEach(item, processors) {
        struct template one = {0};

        if (load_any(&one, item, err)) {
            template_release(&one);
            return -1;
        }
        if (one.single.n_parts && template->single.n_parts) {
            template_release(&one);
            return error_set(err, ERROR_UNSUPPORTED, "two processors that add tokens");
        }
        if (one.single.n_parts)
            *template = one;
    }
    return 0;
}

int template_load(struct template *template, const cJSON *json, struct error *err)
{
    *template = (struct template){0};
    if (!json || cJSON_IsNull(json))
        return 0;
    if (load_any(template, json, err)) {
        template_release(template);
        return -1;
    }
    return 0;
}

static void release_list(struct template_list *list)
{
    for (size_t i = 0; i < list->n_parts; i++)
        free(list->parts[i].ids);
    free(list->parts);
}

void template_release(struct template *template)
{
    release_list(&template->single);
    release_list(&template->pair);
    *template = (struct template){0};
}

void template_from_flags(struct template *template, const uint32_t *bos, const uint32_t *eos)
{
    struct template_list *lists[] = {&template->single, &template->pair, &template->pair};

    *template = (struct template){0};
    for (size_t i = 0; i < 3; i++) {
        uint8_t type_id = i == 2;

        if (bos)
            add_special(lists[i], type_id, bos, 1);
        add_part(lists[i], i == 2 ? TEMPLATE_SECOND : TEMPLATE_FIRST, type_id);
        if (eos)
            add_special(lists[i], type_id, eos, 1);
    }
}

static void describe_list(const struct template_list *list, bool is_pair, struct buffer *out)
{
    static const struct template_part plain[] = {{TEMPLATE_FIRST, 0, NULL, 0},
                                                 {TEMPLATE_SECOND, 1, NULL, 0}};
    const struct template_part *parts = list->n_parts ? list->parts : plain;
    size_t n_parts = list->n_parts ? list->n_parts : is_pair ? 2 : 1;

    for (size_t i = 0; i < n_parts; i++) {
        buffer_format(out, " %d/%u", parts[i].kind, (unsigned)parts[i].type_id);
        for (size_t j = 0; j < parts[i].n_ids; j++)
            buffer_format(out, ",%u", (unsigned)parts[i].ids[j]);
    }
    buffer_add_char(out, '\n');
}

void template_describe(const struct template *template, struct buffer *out)
{
    describe_list(&template->single, false, out);
    describe_list(&template->pair, true, out);
}

size_t template_n_added(const struct template_list *list)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n_parts; i++)
        n += list->parts[i].n_ids;
    return n;
}
