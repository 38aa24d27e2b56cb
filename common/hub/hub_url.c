#include "hub_url.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

char *hub_url_encode(const char *text, bool keeps_slashes)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._~";
    struct buffer out = {0};

    buffer_add_text(&out, "");
    for (; *text; text++)
        if (strchr(plain, *text) || (keeps_slashes && *text == '/'))
            buffer_add_char(&out, *text);
        else
            buffer_format(&out, "%%%02X", (unsigned char)*text);
    return out.data;
}

static CURLU *parse(const struct hub_curl *curl, const char *url)
{
    CURLU *parsed = curl->url();

    if (!parsed)
        memory_exhausted();
    if (curl->url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK)
        return parsed;
    curl->url_cleanup(parsed);
    return NULL;
}

char *hub_url_origin(const struct hub_curl *curl, const char *url)
{
    CURLU *parsed = parse(curl, url);
    char *scheme = NULL, *host = NULL, *port = NULL, *origin = NULL;

    if (!parsed)
        return NULL;
    if (curl->url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
        curl->url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl->url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        for (char *c = host; *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c += 'a' - 'A';
        origin = memory_format("%s://%s:%s", scheme, host, port);
    }
    curl->free(scheme);
    curl->free(host);
    curl->free(port);
    curl->url_cleanup(parsed);
    return origin;
}

char *hub_url_join(const struct hub_curl *curl, const char *base, const char *reference)
{
    CURLU *parsed = parse(curl, base);
    char *url = NULL, *joined = NULL;

    if (!parsed)
        return NULL;
    if (curl->url_set(parsed, CURLUPART_URL, reference, 0) == CURLUE_OK &&
        curl->url_get(parsed, CURLUPART_URL, &url, 0) == CURLUE_OK)
        joined = memory_copy(url);
    curl->free(url);
    curl->url_cleanup(parsed);
    return joined;
}
