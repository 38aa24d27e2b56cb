/* hub_curl.h - libcurl, loaded when the Hub is asked for the first time.
 *
 * Linked, it would bring some thirty libraries and cost every command 5 ms at its start. */
#ifndef COCKTAIL_HUB_CURL_H
#define COCKTAIL_HUB_CURL_H

#include <curl/curl.h>

#include "base/error.h"

struct hub_curl { /* named as in curl.h, without "curl_" */
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_easy_strerror) *easy_strerror;
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    __typeof__(curl_multi_init) *multi_init;
    __typeof__(curl_multi_add_handle) *multi_add_handle;
    __typeof__(curl_multi_remove_handle) *multi_remove_handle;
    __typeof__(curl_multi_perform) *multi_perform;
    __typeof__(curl_multi_poll) *multi_poll;
    __typeof__(curl_multi_info_read) *multi_info_read;
    __typeof__(curl_multi_strerror) *multi_strerror;
    __typeof__(curl_multi_cleanup) *multi_cleanup;
    __typeof__(curl_slist_append) *slist_append;
    __typeof__(curl_slist_free_all) *slist_free_all;
    __typeof__(curl_url) *url;
    __typeof__(curl_url_set) *url_set;
    __typeof__(curl_url_get) *url_get;
    __typeof__(curl_url_cleanup) *url_cleanup;
    __typeof__(curl_free) *free;
};

/* The loaded library, ready for use; NULL with ERROR_UNSUPPORTED that says how to install it. Not
 * for several threads at once, and before there are any. */
const struct hub_curl *hub_curl_load(struct error *err);

#endif
