/* fuzz_request.c - bodies of requests: what is read of them is well formed, and released whole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "serve/client_messages.h"
#include "serve/text_members.h"
#include "serve/tool_calls.h"

static void prepare(const char *messages)
{
    for (int i = 0; i < 8; i++) {
        const struct client_messages_how how = {.keeps_strings = i & 1, .flattens_parts = i & 2,
                                                .is_lenient = i & 4};
        struct refusal refusal = {0};
        struct buffer out = {0};
        struct error error = {0};

        if (client_messages_prepare(messages, &how, &out, &refusal) == 0) {
            cJSON *json = json_parse(out.data, out.size, &error);

            if (!json) /* what templates are given is JSON */
                abort();
            cJSON_Delete(json);
        } else if (refusal.status != 400) {
            abort();
        }
        buffer_release(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tool_calls calls = {0};
    struct buffer text = {0};

    for (int form = TEXT_CHAT; form <= TEXT_OLLAMA_GENERATE; form++) {
        struct text_members members;
        struct refusal refusal = {0};
        int rc = text_members_read(&members, (enum text_form)form, (const char *)data, size,
                                   &refusal);

        if ((rc == 0) != (refusal.status == 0))
            abort();
        if (rc == 0 && members.messages)
            prepare(members.messages);
        text_members_release(&members);
    }
    buffer_add(&text, data, size);
    tool_calls_find(&text, true, &calls);
    tool_calls_release(&calls);
    buffer_release(&text);
    return 0;
}
