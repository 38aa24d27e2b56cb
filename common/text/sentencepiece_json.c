#include "sentencepiece_json.h"

#include <stddef.h>

static void open_type(struct json_writer *json, const char *key, const char *type)
{
    json_writer_object(json, key);
    json_writer_string(json, "type", type);
}

static void add_type(struct json_writer *json, const char *type)
{
    open_type(json, NULL, type);
    json_writer_end(json);
}

void sentencepiece_add_replace(struct json_writer *json, const char *key, const char *kind,
                               const char *pattern, const char *content)
{
    open_type(json, key, "Replace");
    json_writer_object(json, "pattern");
    json_writer_string(json, kind, pattern);
    json_writer_end(json);
    json_writer_string(json, "content", content);
    json_writer_end(json);
}

void sentencepiece_add_metaspace(struct json_writer *json, const char *key,
                                 const char *prepend_scheme, bool split)
{
    open_type(json, key, "Metaspace");
    json_writer_string(json, "replacement", SENTENCEPIECE_SPACE);
    json_writer_string(json, "prepend_scheme", prepend_scheme);
    json_writer_bool(json, "split", split);
    json_writer_end(json);
}

void sentencepiece_add_normalizer(struct json_writer *json, bool prepends)
{
    if (!prepends) {
        sentencepiece_add_replace(json, "normalizer", "String", " ", SENTENCEPIECE_SPACE);
        return;
    }
    open_type(json, "normalizer", "Sequence");
    json_writer_array(json, "normalizers");
    open_type(json, NULL, "Prepend");
    json_writer_string(json, "prepend", SENTENCEPIECE_SPACE);
    json_writer_end(json);
    sentencepiece_add_replace(json, NULL, "String", " ", SENTENCEPIECE_SPACE);
    json_writer_end(json);
    json_writer_end(json);
}

void sentencepiece_add_decoder(struct json_writer *json, bool strips)
{
    open_type(json, "decoder", "Sequence");
    json_writer_array(json, "decoders");
    sentencepiece_add_replace(json, NULL, "String", SENTENCEPIECE_SPACE, " ");
    add_type(json, "ByteFallback");
    add_type(json, "Fuse");
    if (strips) {
        open_type(json, NULL, "Strip");
        json_writer_string(json, "content", " ");
        json_writer_size(json, "start", 1);
        json_writer_size(json, "stop", 0);
        json_writer_end(json);
    }
    json_writer_end(json);
    json_writer_end(json);
}
