#include "layout_check.h"

#include <stdint.h>
#include <string.h>

#include "arch/families.h"
#include "base/buffer.h"

static bool has_shape(const struct layout_entry *entry)
{
    const struct tensor *tensor = entry->tensor;

    if (tensor->n_dims != entry->n_dims)
        return false;
    for (size_t i = 0; i < entry->n_dims; i++)
        if (tensor->shape[i] != entry->shape[i] &&
            !(i == 0 && entry->may_have_more_rows && tensor->shape[i] > entry->shape[i]))
            return false;
    return true;
}

/* Says what is missing, and whether it is there behind a prefix that we do not know. */
static int report_missing(const struct model_layout *layout, const struct layout_entry *entry,
                          struct error *err)
{
    const struct checkpoint *checkpoint = layout->names->checkpoint;
    size_t length = strlen(entry->name);

    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        const char *name = checkpoint->tensors[i].name;
        size_t n = strlen(name);

        if (strcmp(layout->names->plain[i], entry->name) == 0)
            return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': another one is called so "
                             "too, but for the prefix", name);
        if (n > length && name[n - length - 1] == '.' &&
            strcmp(name + n - length, entry->name) == 0)
            return error_set(err, ERROR_FORMAT, "no tensor '" ERROR_NAME "', which a %s needs; "
                             "there is '" ERROR_NAME "', but no wrapper is known that puts such a "
                             "prefix in front", entry->name, layout->spec->family->name, name);
    }
    return error_set(err, ERROR_FORMAT, "no tensor '" ERROR_NAME "' (with any prefix), which a %s "
                     "needs", entry->name, layout->spec->family->name);
}

static int check_entry(const struct model_layout *layout, const struct layout_entry *entry,
                       struct error *err)
{
    struct tensor expected = {.n_dims = entry->n_dims, .shape = entry->shape};
    struct buffer text = {0};

    if (!entry->tensor)
        return entry->may_be_absent ? 0 : report_missing(layout, entry, err);
    if (has_shape(entry))
        return 0;
    buffer_add_text(&text, "has the shape ");
    tensor_add_shape(&text, entry->tensor);
    buffer_format(&text, "; by %s it is ", layout->spec->config_name);
    tensor_add_shape(&text, &expected);
    error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': %s", entry->tensor->name, text.data);
    buffer_release(&text);
    return -1;
}

/* The number behind `prefix`, which ends where '#' stands; SIZE_MAX: there is none. */
static size_t layer_number(const char *plain, const char *prefix)
{
    size_t length = strcspn(prefix, "#"), number = 0;
    const char *at = plain + length;

    if (strncmp(plain, prefix, length) != 0 || *at < '0' || *at > '9')
        return SIZE_MAX;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(number, (size_t)10, &number) ||
            __builtin_add_overflow(number, (size_t)(*at - '0'), &number))
            return SIZE_MAX;
    return *at == '.' ? number : SIZE_MAX;
}

bool layout_is_next_token(const struct checkpoint_names *names, size_t n_layers, size_t index)
{
    static const char *const marks[] = {"eh_proj.weight", "enorm.weight", "hnorm.weight"};
    const char *plain = names->plain[index];
    size_t number = layer_number(plain, "layers.#.");
    bool is_marked = false;
    struct buffer name = {0};

    if (strncmp(plain, "mtp", 3) == 0 && (plain[3] == '.' || plain[3] == '_'))
        return true;
    if (number == SIZE_MAX || number < n_layers)
        return false;
    for (size_t i = 0; !is_marked && i < sizeof marks / sizeof *marks; i++) {
        buffer_clear(&name);
        buffer_format(&name, "layers.%zu.%s", number, marks[i]);
        is_marked = checkpoint_names_find_plain(names, name.data) != NULL;
    }
    buffer_release(&name);
    return is_marked;
}

static int check_layers(const struct model_layout *layout, const struct stack_spec *stack,
                        struct error *err)
{
    const struct checkpoint *checkpoint = layout->names->checkpoint;

    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        size_t number = layer_number(layout->names->plain[i], stack->names->prefix);

        if (number == SIZE_MAX || number < stack->n_layers ||
            layout_is_next_token(layout->names, stack->n_layers, i))
            continue;
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': is of layer %zu, but by %s "
                         "there are %zu layers", checkpoint->tensors[i].name, number,
                         layout->spec->config_name, stack->n_layers);
    }
    return 0;
}

static int check_experts(const struct model_layout *layout, const struct layout_experts *experts,
                         struct error *err)
{
    struct place place = {experts->stack->names->prefix, experts->layer,
                          experts->stack->moe.n_experts};
    const struct tensor *tensor;
    struct buffer name = {0};

    if (experts->way != EXPERTS_APART)
        return 0;
    layout_name(&name, place, experts->names->up, ".weight");
    tensor = checkpoint_names_find_plain(layout->names, name.data);
    buffer_release(&name);
    return tensor ? error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': by %s there are %zu "
                              "experts", tensor->name, layout->spec->config_name, place.expert)
                  : 0;
}

int layout_check(const struct model_layout *layout, struct error *err)
{
    const struct model_spec *spec = layout->spec;

    for (size_t i = 0; i < layout->n_entries; i++)
        if (check_entry(layout, &layout->entries[i], err))
            return -1;
    for (size_t i = 0; i < layout->n_experts; i++)
        if (check_experts(layout, &layout->experts[i], err))
            return -1;
    return check_layers(layout, &spec->stack, err) ||
                   (spec->is_encoder_decoder && check_layers(layout, &spec->encoder, err))
               ? -1
               : 0;
}

static bool is_passed_over(const struct model_layout *layout, size_t index)
{
    const struct checkpoint_names *names = layout->names;
    const struct tied_name *tied = tensor_names_find_tied(names->plain[index]);

    if (tied && (!tied->is_head || layout->spec->has_tied_head) &&
        checkpoint_names_find_owner(names, tied))
        return true;
    return !tensor_names_is_parameter(&names->checkpoint->tensors[index]) ||
           tensor_names_is_pooler(names->plain[index]) ||
           layout_is_next_token(names, layout->spec->stack.n_layers, index);
}

size_t layout_count_unused(const struct model_layout *layout, const char **first)
{
    const struct checkpoint *checkpoint = layout->names->checkpoint;
    size_t n = 0;

    for (size_t i = 0; i < checkpoint->n_tensors; i++)
        if (layout->entry_of[i] == SIZE_MAX && !is_passed_over(layout, i) && n++ == 0)
            *first = checkpoint->tensors[i].name;
    return n;
}
