/* chat_template_none.c - stands in for chat_template.h where there is no engine yet: every model is
 * one without a template. */
#include "chat_template.h"

struct chat_template *chat_template_load(const struct folder *folder, const char *directory,
                                         const char *choice, struct error *err)
{
    (void)folder;
    (void)directory;
    (void)choice;
    error_set(err, ERROR_UNSUPPORTED, "chat templates are not supported; see --template");
    return NULL;
}

void chat_template_free(struct chat_template *chat)
{
    (void)chat;
}

int chat_template_render(const struct chat_template *chat,
                         const struct chat_conversation *conversation, struct buffer *out,
                         struct error *err)
{
    (void)chat;
    (void)conversation;
    (void)out;
    return error_set(err, ERROR_UNSUPPORTED, "chat templates are not supported");
}
