/* serve.c - models behind HTTP, for clients of OpenAI's API and of ollama's. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/http_server.h"

#include "command.h"
#include "model_argument.h"
#include "option_blocks.h"
#include "terminal.h"

struct serve_options {
    struct common_options common;
    struct option_texts aliases, hosts;
    const char *host, *key_file, *template;
    double port, max_queue, grace_s;
    size_t n_parallel, max_body, cache_memory, max_memory;
    bool literal_special, follow_symlinks;
};

static const struct option_row rows[] = {
    {0, "host", OPTION_TEXT, offsetof(struct serve_options, host), "ADDRESS",
     "where to listen (127.0.0.1)"},
    {0, "port", OPTION_NUMBER, offsetof(struct serve_options, port), "N",
     "where to listen; 0: any that is free (8080)"},
    {0, "api-key-file", OPTION_PATH, offsetof(struct serve_options, key_file), "FILE",
     "answer only who has one of these keys, one a line"},
    {0, "allow-host", OPTION_TEXTS, offsetof(struct serve_options, hosts), "NAME",
     "a further name of this server, which pages may have, too"},
    {0, "alias", OPTION_TEXTS, offsetof(struct serve_options, aliases), "NAME=MODEL",
     "a further name of a model"},
    {0, "template", OPTION_TEXT, offsetof(struct serve_options, template), "FILE|chatml",
     "a chat template in place of the models' own"},
    OPTION_LITERAL_SPECIAL(struct serve_options, literal_special),
    {0, "parallel", OPTION_COUNT, offsetof(struct serve_options, n_parallel), "N",
     "texts of a model that are written at once (8)"},
    {0, "max-queue", OPTION_NUMBER, offsetof(struct serve_options, max_queue), "N",
     "requests that wait for a model; more are refused (512)"},
    {0, "max-body", OPTION_SIZE, offsetof(struct serve_options, max_body), "SIZE",
     "of a request (16MiB)"},
    {0, "cache-memory", OPTION_SIZE, offsetof(struct serve_options, cache_memory), "SIZE",
     "for keys and values of all texts (a quarter of the memory)"},
    {0, "max-memory", OPTION_SIZE, offsetof(struct serve_options, max_memory), "SIZE",
     "weights that are loaded at once; models come and go (all)"},
    {0, "grace", OPTION_NUMBER, offsetof(struct serve_options, grace_s), "SECONDS",
     "after SIGTERM, for what still runs (30)"},
    OPTION_FOLLOW_SYMLINKS(struct serve_options, follow_symlinks, "directories"),
    OPTION_COMPUTE,
    {'t', "threads", OPTION_COUNT, offsetof(struct common_options, n_threads), "N",
     "worker threads (all cores)"},
    {'q', "quiet", OPTION_FLAG, offsetof(struct common_options, quiet), NULL, "no notices"},
    {'v', "verbose", OPTION_FLAG, offsetof(struct common_options, verbose), NULL,
     "a line for each request"},
    OPTIONS_HELP,
};

static const struct option_rule rules[] = {
    {.type = RULE_RANGE, .options = "port", .least = 0, .most = 65535},
    {.type = RULE_RANGE, .options = "max-queue", .least = 0, .most = 1e6},
    {.type = RULE_RANGE, .options = "grace", .least = 0, .most = 1e6},
    {.type = RULE_FILLED, .options = "host"},
    {0},
};

struct server {
    const struct serve_options *options;
    struct threads *threads;
    struct served_model *models;
    struct service service;
    struct access access;
    struct http_state *http;
};

/* ---- signals ---- */

static int signal_pipe[2];

static void note_signal(int number)
{
    const char byte = (char)number;
    int saved = errno;

    if (write(signal_pipe[1], &byte, 1) < 0)
        _exit(128 + number);
    errno = saved;
}

static int catch_signals(struct error *err)
{
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = SA_RESTART};

    if (pipe(signal_pipe))
        return error_errno(err, "cannot make a pipe");
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return 0;
}

/* The number of a signal that came within that time; 0: none. */
static int wait_for_signal(int timeout_ms)
{
    struct pollfd look = {.fd = signal_pipe[0], .events = POLLIN};
    char byte;

    if (poll(&look, 1, timeout_ms) <= 0 || read(signal_pipe[0], &byte, 1) != 1)
        return 0;
    return byte;
}

/* ---- models ---- */

static int open_models(struct server *server, struct error *err)
{
    const struct serve_options *options = server->options;
    const struct common_options *common = &options->common;
    char **paths = model_arguments_find(common->operands, common->n_operands, HUB_NEED_MODEL,
                                        common, err);
    struct notices notices = {0};
    int rc = paths ? 0 : -1;

    server->models = memory_zalloc(common->n_operands, sizeof *server->models);
    for (size_t i = 0; rc == 0 && i < common->n_operands; i++) {
        server->service.n_models = i + 1;
        rc = served_model_open(&server->models[i], paths[i], common->operands[i], NULL,
                               options->template, options->follow_symlinks, &notices, err);
        if (rc == 0 && options->literal_special)
            served_model_take_literally(&server->models[i]);
    }
    server->service.models = server->models;
    terminal_notices(&notices, common);
    notices_release(&notices);
    if (paths)
        model_arguments_free(paths, common->n_operands);
    return rc;
}

/* NAME=MODEL, the latter as it was typed or as it is called. */
static int add_alias(struct server *server, const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');
    const struct common_options *common = &server->options->common;

    if (!equals || equals == text || !equals[1])
        return error_set(err, ERROR_USAGE, "--alias is NAME=MODEL, not '" ERROR_NAME "'", text);
    for (size_t i = 0; i < server->service.n_models; i++) {
        struct served_model *model = &server->models[i];

        if (strcmp(common->operands[i], equals + 1) != 0 && strcmp(model->id, equals + 1) != 0)
            continue;
        model->aliases = memory_resize(model->aliases, model->n_aliases + 1,
                                       sizeof *model->aliases);
        model->aliases[model->n_aliases++] = memory_format("%.*s", (int)(equals - text), text);
        return 0;
    }
    return error_set(err, ERROR_USAGE, "--alias '" ERROR_NAME "': no model is called so", text);
}

static int check_names(const struct server *server, struct error *err)
{
    for (size_t i = 0; i < server->service.n_models; i++)
        for (size_t k = 0; k < server->service.n_models; k++) {
            const struct served_model *model = &server->models[k];

            if (i != k && served_model_is_named(&server->models[i], model->id))
                return error_set(err, ERROR_USAGE, "two models are called '" ERROR_NAME "'; "
                                 "a link to the directory gives another name", model->id);
            for (size_t a = 0; a < model->n_aliases; a++)
                if (i != k && served_model_is_named(&server->models[i], model->aliases[a]))
                    return error_set(err, ERROR_USAGE, "two models are called '" ERROR_NAME "'",
                                     model->aliases[a]);
        }
    return 0;
}

static int name_models(struct server *server, struct error *err)
{
    for (size_t i = 0; i < server->options->aliases.n_items; i++)
        if (add_alias(server, server->options->aliases.items[i], err))
            return -1;
    return check_names(server, err);
}

static size_t default_cache_bytes(void)
{
    long n_pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGE_SIZE);

    return n_pages > 0 && page_size > 0 ? (size_t)n_pages / 4 * (size_t)page_size
                                        : (size_t)1 << 30;
}

static int start_scheduler(struct server *server, struct error *err)
{
    const struct serve_options *options = server->options;
    const struct scheduler_settings settings = {
        .n_parallel = options->n_parallel,
        .max_queue = (size_t)options->max_queue,
        .cache_bytes = options->cache_memory ? options->cache_memory : default_cache_bytes(),
        .memory_bytes = options->max_memory,
    };
    struct notices notices = {0};

    server->threads = threads_new(options->common.n_threads, err);
    if (server->threads)
        server->service.scheduler = scheduler_new(server->models, server->service.n_models,
                                                  server->threads, &settings, &notices, err);
    terminal_notices(&notices, &options->common);
    notices_release(&notices);
    return server->service.scheduler ? 0 : -1;
}

/* ---- listening ---- */

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static void tell_address(const struct server *server)
{
    const char *host = server->options->host;
    bool is_v6 = strchr(host, ':') != NULL;

    if (!is_loopback(host) && server->access.n_keys == 0)
        fprintf(stderr, "cocktail: warning: whoever reaches %s may use the models; --api-key-file "
                        "asks for a key\n", host);
    fprintf(stderr, "listening on http://%s%s%s:%u\n", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
            (unsigned)http_server_port(server->http));
}

static int start_http(struct server *server, struct error *err)
{
    const struct serve_options *options = server->options;
    const struct http_settings settings = {
        .host = options->host,
        .port = (uint16_t)options->port,
        .max_body_bytes = options->max_body,
        .access = &server->access,
        .is_verbose = options->common.verbose,
        .version = COCKTAIL_VERSION,
    };

    server->access.hosts = options->hosts.items;
    server->access.n_hosts = options->hosts.n_items;
    server->access.is_local = is_loopback(options->host);
    if (access_read_keys(&server->access, options->key_file, err))
        return -1;
    server->http = http_server_start(&server->service, &settings, err);
    return server->http ? 0 : -1;
}

/* Until a signal comes and all is answered. A second signal, or the end of the grace, does not wait
 * for what runs. */
static void serve_until_signal(struct server *server)
{
    double grace_s = server->options->grace_s, end_s;
    int number, second;

    while (!(number = wait_for_signal(-1)))
        continue;
    end_s = clock_now_s() + grace_s;
    http_server_quiesce(server->http);
    while (!http_server_is_idle(server->http)) {
        second = wait_for_signal(20);
        if (second || clock_now_s() > end_s) {
            fflush(NULL);
            _exit(128 + (second ? second : number));
        }
    }
    scheduler_end(server->service.scheduler, false);
}

/* ---- the command ---- */

static int run_server(struct server *server, struct error *err)
{
    const struct serve_options *options = server->options;

    if (options->port != floor(options->port) || options->max_queue != floor(options->max_queue))
        return error_set(err, ERROR_USAGE, "--port and --max-queue are whole numbers");
    if (open_models(server, err) || name_models(server, err) || catch_signals(err) ||
        start_scheduler(server, err) || start_http(server, err))
        return -1;
    tell_address(server);
    serve_until_signal(server);
    return 0;
}

static void release(struct server *server)
{
    if (server->service.scheduler)
        scheduler_end(server->service.scheduler, true);
    if (server->http)
        http_server_stop(server->http);
    scheduler_free(server->service.scheduler);
    for (size_t i = 0; i < server->service.n_models; i++)
        served_model_release(&server->models[i]);
    free(server->models);
    threads_free(server->threads);
    access_release(&server->access);
}

static int run(int argc, char **argv, struct error *err)
{
    struct serve_options options = {
        .host = "127.0.0.1", .port = 8080, .max_queue = 512, .grace_s = 30, .n_parallel = 8,
        .max_body = 16 << 20};
    struct server server = {.options = &options};
    int rc = command_parse(&command_serve, argc, argv, &options, err);

    if (rc == 0) {
        rc = run_server(&server, err);
        release(&server);
    }
    free(options.aliases.items);
    free(options.hosts.items);
    options_release(&options.common);
    return rc;
}

const struct command command_serve = {
    .name = "serve",
    .summary = "answer requests for texts, vectors and scores over HTTP",
    .usage = "MODEL... [--port N]",
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .rows = rows,
    .rules = rules,
    .run = run,
};
