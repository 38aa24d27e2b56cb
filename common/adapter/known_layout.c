#include "known_layout.h"

const struct model_layout *known_layout_find(struct known_layout *known,
                                             const struct model_folder *model,
                                             const struct checkpoint_names *names)
{
    struct error ignored = {0};
    enum model_type type;

    if (known->was_sought)
        return known->is_there ? &known->layout : NULL;
    known->was_sought = true;
    if (!model->has_config || !architecture_family(&model->config) ||
        model_folder_type(model, NULL, &type, &ignored) ||
        model_spec_load(&known->spec, &model->config, type, model->name, &ignored))
        return NULL;
    layout_make(&known->layout, &known->spec, type, names);
    known->is_there = true;
    return &known->layout;
}

void known_layout_release(struct known_layout *known)
{
    if (known->is_there) {
        layout_release(&known->layout);
        model_spec_release(&known->spec);
    }
    *known = (struct known_layout){0};
}
