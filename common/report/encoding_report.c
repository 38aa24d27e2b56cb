#include "encoding_report.h"

#include "base/digits.h"
#include "base/json_writer.h"
#include "base/utf8.h"

void encoding_report_add_ids(struct buffer *out, const struct encoding *encoding)
{
    for (size_t i = 0; i < encoding->n_ids; i++) {
        if (i)
            buffer_add_char(out, ' ');
        digits_add(out, encoding->ids[i]);
    }
    buffer_add_char(out, '\n');
}

void encoding_report_add_tokens(struct buffer *out, const struct encoding *encoding,
                                const struct tokenizer *tokenizer)
{
    for (size_t i = 0; i < encoding->n_ids; i++) {
        size_t length = 0;
        const char *token = tokenizer_token(tokenizer, encoding->ids[i], &length);

        if (i)
            buffer_add_char(out, ' ');
        utf8_add_printable(out, token ? token : "", length);
    }
    buffer_add_char(out, '\n');
}

void encoding_report_add_json(struct buffer *out, const struct encoding *encoding,
                              const struct tokenizer *tokenizer)
{
    struct json_writer json = {.out = out};

    json_writer_object(&json, NULL);
    json_writer_array(&json, "ids");
    for (size_t i = 0; i < encoding->n_ids; i++)
        json_writer_size(&json, NULL, encoding->ids[i]);
    json_writer_end(&json);
    json_writer_array(&json, "tokens");
    for (size_t i = 0; i < encoding->n_ids; i++) {
        size_t length = 0;
        const char *token = tokenizer_token(tokenizer, encoding->ids[i], &length);

        json_writer_bytes(&json, NULL, token ? token : "", length);
    }
    json_writer_end(&json);
    json_writer_end(&json);
    buffer_add_char(out, '\n');
}

void encoding_report_add_text(struct buffer *out, const struct buffer *text)
{
    buffer_add(out, text->data, text->size);
    buffer_add_char(out, '\n');
}

void encoding_report_add_text_json(struct buffer *out, const struct buffer *text)
{
    struct json_writer json = {.out = out};

    json_writer_object(&json, NULL);
    json_writer_bytes(&json, "text", text->size ? text->data : "", text->size);
    json_writer_end(&json);
    buffer_add_char(out, '\n');
}
