#include "snapshot_report.h"

#include "report/size_text.h"
#include "report/table.h"

static struct table files_of(const struct hub_snapshot *snapshot)
{
    static const struct table_column columns[] = {
        {.key = "name", .side = TABLE_LEFT},
        {.key = "size_bytes", .side = TABLE_RIGHT},
        {.key = "sha256"},
    };
    struct table table = TABLE(columns);

    for (size_t i = 0; i < snapshot->listing.n_files; i++) {
        const struct hub_file *file = &snapshot->listing.files[i];

        if (!file->use)
            continue;
        table_add(&table, file->path);
        table_add_size(&table, file->size_bytes);
        table_add(&table, file->sha256[0] ? file->sha256 : NULL);
    }
    return table;
}

void snapshot_report_print_plan(const struct hub_snapshot *snapshot, FILE *out)
{
    struct table files = files_of(snapshot);
    char size[SIZE_TEXT_MAX];

    table_print(&files, out);
    fprintf(out, "\nwould fetch %s into '%s'\n", size_text(size, snapshot->missing_bytes),
            snapshot->path);
    table_release(&files);
}

void snapshot_report_add_json(struct json_writer *json, const struct hub_snapshot *snapshot)
{
    struct table files = files_of(snapshot);

    json_writer_object(json, NULL);
    json_writer_string(json, "path", snapshot->path);
    json_writer_string(json, "revision", snapshot->commit);
    table_write_json(&files, json, "files");
    json_writer_end(json);
    table_release(&files);
}
