/* extract_complete.c - what PEFT wants to be in an adapter besides what differs. */
#include <string.h>

#include "adapter/extract_job.h"

/* Of a module that is stored it looks for all tensors. */
static int complete(struct job *job, size_t index, bool *has_added, struct error *err)
{
    struct extract_part part;

    if (job->fates[index] != FATE_LEFT_OUT ||
        !tensor_names_is_parameter(&job->tuned.checkpoint->tensors[index]))
        return 0;
    extract_name_part(job, index, &part);
    if (!extract_is_within(&job->saved, part.module))
        return 0;
    job->fates[index] = FATE_STORED;
    *has_added = true;
    return extract_store_whole(job, &part, err);
}

/* Whether the model's class has a module of that name, of which the checkpoint has no tensor of its
 * own: an output head, or one within a module that is there. */
static bool has_place(const struct job *job, const char *plain)
{
    const char *task = job->extraction->adapter.task_type;

    if (strcmp(plain, "embed_out.weight") == 0) /* lm_head, too, has the embedding for owner */
        return false;
    if (strcmp(plain, "lm_head.weight") == 0)
        return task && (strcmp(task, "CAUSAL_LM") == 0 || strcmp(task, "SEQ_2_SEQ_LM") == 0);
    return checkpoint_names_has_fellow(&job->tuned, plain);
}

/* What is tied to a tensor is another module: PEFT parts the two when it stores one of them. */
static int store_tied(struct job *job, size_t index, bool *has_added, struct error *err)
{
    const char *plain = job->tuned.plain[index];
    const struct tied_name *tied;

    for (size_t i = 0; (tied = tensor_names_find_owned(plain, i)); i++) {
        struct extract_part part = {.tuned = &job->tuned.checkpoint->tensors[index], .plain = tied->name,
                            .is_head = tensor_names_is_encoder_head(tied->name)};

        if (checkpoint_names_find_plain(&job->tuned, tied->name) ||
            hash_map_find(&job->tied, tied->name, strlen(tied->name)) ||
            (tied->is_head && !job->is_tied) || !has_place(job, tied->name))
            continue;
        extract_name(job, tied->name, &part.module, &part.leaf);
        if (job->fates[index] != FATE_STORED && !extract_is_within(&job->saved, part.module))
            continue;
        *has_added = true;
        hash_map_add(&job->tied, tied->name, strlen(tied->name), index);
        if (extract_store_whole(job, &part, err))
            return -1;
    }
    return 0;
}

/* It takes the head of a classifier to be there. */
static void need_heads(struct job *job)
{
    for (size_t i = 0; i < job->tuned.checkpoint->n_tensors; i++) {
        struct extract_part part;

        if (job->fates[i] != FATE_LEFT_OUT ||
            !tensor_names_is_parameter(&job->tuned.checkpoint->tensors[i]))
            continue;
        extract_name_part(job, i, &part);
        if (part.is_head)
            extract_add_saved(job, extract_saved_module(job, &part));
    }
}

int extract_complete(struct job *job, struct error *err)
{
    bool has_added = true;

    if (job->heads_stay && job->extraction->adapter.task_type)
        need_heads(job);
    while (has_added) {
        has_added = false;
        for (size_t i = 0; i < job->tuned.checkpoint->n_tensors; i++)
            if (complete(job, i, &has_added, err) || store_tied(job, i, &has_added, err))
                return -1;
    }
    for (size_t i = 0; i < job->tuned.checkpoint->n_tensors; i++)
        job->extraction->n_equal += job->fates[i] == FATE_LEFT_OUT &&
                                    tensor_names_is_parameter(&job->tuned.checkpoint->tensors[i]);
    return 0;
}
