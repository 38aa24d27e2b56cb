/* mhd_library.h - libmicrohttpd, loaded when a server starts. */
#ifndef COCKTAIL_MHD_LIBRARY_H
#define COCKTAIL_MHD_LIBRARY_H

#include <microhttpd.h>

#include "base/error.h"

/* Its functions, without their MHD_. */
struct mhd_library {
    __typeof__(MHD_add_response_header) *add_response_header;
    __typeof__(MHD_queue_response) *queue_response;
    __typeof__(MHD_destroy_response) *destroy_response;
    __typeof__(MHD_create_response_from_buffer) *create_response_from_buffer;
    __typeof__(MHD_create_response_from_callback) *create_response_from_callback;
    __typeof__(MHD_suspend_connection) *suspend_connection;
    __typeof__(MHD_resume_connection) *resume_connection;
    __typeof__(MHD_lookup_connection_value) *lookup_connection_value;
    __typeof__(MHD_get_connection_values) *get_connection_values;
    __typeof__(MHD_get_connection_info) *get_connection_info;
    __typeof__(MHD_start_daemon) *start_daemon;
    __typeof__(MHD_quiesce_daemon) *quiesce_daemon;
    __typeof__(MHD_stop_daemon) *stop_daemon;
};

extern struct mhd_library mhd; /* after mhd_library_load */

/* Errors as of shared_library_load. */
int mhd_library_load(struct error *err);

#endif
