#include "rerank_report.h"

#include "base/buffer.h"
#include "base/json_writer.h"
#include "base/utf8.h"

void rerank_report_print(const struct ranking *ranking, FILE *out)
{
    struct buffer line = {0};

    for (size_t i = 0; i < ranking->n_passages; i++) {
        const struct passage *passage = &ranking->passages[i];

        buffer_clear(&line);
        buffer_format(&line, "%.4f\t", (double)passage->score);
        utf8_add_printable(&line, passage->text, passage->n);
        buffer_add_char(&line, '\n');
        fwrite(line.data, 1, line.size, out);
    }
    buffer_release(&line);
}

void rerank_report_print_json(const struct ranking *ranking, FILE *out)
{
    struct buffer line = {0};

    for (size_t i = 0; i < ranking->n_passages; i++) {
        const struct passage *passage = &ranking->passages[i];
        struct json_writer json = {.out = &line};

        buffer_clear(&line);
        json_writer_object(&json, NULL);
        json_writer_size(&json, "line", passage->line);
        json_writer_double(&json, "score", passage->score);
        json_writer_bytes(&json, "text", passage->text, passage->n);
        json_writer_end(&json);
        buffer_add_char(&line, '\n');
        fwrite(line.data, 1, line.size, out);
    }
    buffer_release(&line);
}
