#include "chat_examples.h"

#include "base/buffer.h"
#include "base/json.h"
#include "eval/losses.h"
#include "jinja/chat_template.h"
#include "text/special_marks.h"

static int apply(struct examples *examples, struct example *example,
                 const struct chat_template *chat, const struct special_marks *marks,
                 struct error *err)
{
    struct chat_conversation conversation = {
        .add_generation_prompt = true,
        .prepare = marks ? special_marks_add : NULL,
        .prepare_context = marks,
    };
    struct buffer messages = {0}, prompt = {0};
    int rc;

    buffer_add_text(&messages, "[{\"role\":\"user\",\"content\":");
    json_add_bytes(&messages, example->input.bytes, example->input.n);
    buffer_add_text(&messages, "}]");
    conversation.messages = messages.data;
    rc = chat_template_render(chat, &conversation, &prompt, err);
    if (rc == 0)
        example->input = (struct example_text){
            arena_copy(&examples->arena, prompt.size ? prompt.data : "", prompt.size), prompt.size};
    else
        examples_context(examples, example, err);
    buffer_release(&messages);
    buffer_release(&prompt);
    return rc;
}

int chat_examples_apply(struct examples *examples, const struct loaded_model *loaded,
                        const char *template, bool is_literal, struct error *err)
{
    struct special_marks *marks;
    struct chat_template *chat;
    int rc = 0;

    if (losses_kind(loaded->type) == EXAMPLE_RANKING)
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': writes no text, so that a chat template "
                         "has no place", loaded->folder.name);
    chat = chat_template_load(loaded->folder.folder, model_folder_tokenizer_at(&loaded->folder),
                              template, err);
    if (!chat)
        return error_context(err, "'%s'", loaded->folder.name);
    marks = is_literal ? special_marks_new(loaded->tokenizer) : NULL;
    for (size_t i = 0; i < examples->n_items && rc == 0; i++)
        rc = apply(examples, &examples->items[i], chat, marks, err);
    special_marks_free(marks);
    chat_template_free(chat);
    return rc;
}
