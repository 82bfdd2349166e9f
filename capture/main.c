/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the three doors and lets the data through: capture to analysis to publish. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analysis.h"
#include "capture.h"
#include "classify.h"
#include "log.h"
#include "publish.h"
#include "settings.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_UNUSABLE = 2 };

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL); /* there is no reload yet: better a clean end than a lost one */
    action.sa_handler = SIG_IGN;      /* a Redis or a reader that goes away is an error like others */
    sigaction(SIGPIPE, &action, NULL);
}

/* What the callbacks of the doors need. */
struct wiring {
    const struct settings *settings;
    struct analysis *analysis;
    struct publish *publish;
    bool progress;
    int64_t shown_ns;
    double saved_at_s; /* by the wall clock */
    int64_t grid_ns;   /* whole intervals end on it */
    int64_t told_ns;   /* the last publish_mark: so far the study has seen whole intervals; TIME_NONE: none */
};

static double wall_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Takes a checkpoint as everything stands before the next interval. */
static void save_state(struct wiring *wiring, int64_t data_ns)
{
    size_t length = analysis_save(wiring->analysis, NULL, 0);
    uint8_t *bytes = malloc(length);
    if (bytes == NULL)
        return; /* the last one stands */
    analysis_save(wiring->analysis, bytes, length);
    publish_checkpoint(wiring->publish, data_ns, bytes, length);
    wiring->saved_at_s = wall_s();
}

/* The step that the end of the input cuts short is never part of a checkpoint: more input may follow another
 * day. */
static void pass_step(void *context, const struct tally *tallies)
{
    struct wiring *wiring = context;
    const struct settings *settings = wiring->settings;
    bool last = tallies[0].end_ns % wiring->grid_ns != 0;
    if (settings->publish.state_path != NULL && wiring->told_ns != TIME_NONE &&
        (last || wall_s() - wiring->saved_at_s >= settings->state_every_s))
        save_state(wiring, wiring->told_ns);
    analysis_step(wiring->analysis, tallies);
    wiring->told_ns = last ? TIME_NONE : tallies[0].end_ns;
    publish_mark(wiring->publish);
}

static void pass_flow(void *context, const struct flow_record *record)
{
    publish_flow(((struct wiring *)context)->publish, record);
}

static void pass_bin(void *context, const struct bin *bin)
{
    publish_bin(((struct wiring *)context)->publish, bin);
}

static void pass_event(void *context, const struct event *event)
{
    publish_event(((struct wiring *)context)->publish, event);
}

static void pass_message(void *context, const char *text)
{
    (void)context;
    log_say("%s", text);
}

static void pass_progress(void *context, const struct health *health, int64_t data_ns)
{
    struct wiring *wiring = context;
    publish_health(wiring->publish, health);
    if (!wiring->progress || (wiring->shown_ns != TIME_NONE && data_ns - wiring->shown_ns < 600 * NS_PER_S))
        return;
    wiring->shown_ns = data_ns;
    time_t at = (time_t)(data_ns / NS_PER_S);
    struct tm tm;
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M", gmtime_r(&at, &tm));
    log_progress("%s UTC, %llu packets", text, (unsigned long long)health->packets_read);
}

static int say_unusable(const struct fault *fault)
{
    log_say("%s", fault->text);
    return EXIT_UNUSABLE;
}

/* What is read: a capture or a table of bins. */
struct input {
    struct capture *capture;
    struct bins_file *bins;
    const struct scope_list *scopes;
    struct health health;
};

static int open_input(struct settings *settings, struct input *input, struct fault *fault)
{
    input->scopes = &settings->scopes;
    if (settings->task != TASK_BINS) {
        input->capture =
            capture_open(&settings->capture, &settings->rules, &settings->scopes, &input->health, fault);
        return input->capture != NULL ? 0 : -1;
    }
    input->bins = capture_bins_open(settings->bins_file, &settings->scopes, fault);
    if (input->bins == NULL)
        return -1;
    input->scopes = capture_bins_scopes(input->bins);
    settings->analysis.bin_ns = settings->publish.bin_ns = capture_bins_length_ns(input->bins);
    return 0;
}

static void close_input(struct input *input)
{
    capture_close(input->capture);
    capture_bins_close(input->bins);
}

static int read_input(struct wiring *wiring, struct input *input, struct fault *fault)
{
    const struct settings *settings = wiring->settings;
    const struct capture_output output = {.context = wiring,
                                          .step = pass_step,
                                          .flow = pass_flow,
                                          .say = pass_message,
                                          .progress = pass_progress};
    if (input->bins != NULL)
        return capture_bins_run(input->bins, settings->capture.resume_ns, &output, &stop, fault);
    return capture_run(input->capture, &output, &stop, fault);
}

/* What is odd about the input as a whole, in words that say what to do. */
static void say_of_input(const struct settings *settings, const struct health *health)
{
    unsigned long long read = health->packets_read;
    if (settings->task == TASK_BINS || settings->quiet)
        return;
    if (read == 0)
        log_say("%s: there is no packet in it: nothing was measured", settings->publish.input);
    else if (health->packets_watched == 0)
        log_say("none of the %llu packets has a watched address: see --check for the watch list, --watch for "
                "another",
                read);
    else if (health->packets_watched == read)
        log_say("all traffic read is watched: without other traffic beside it a blind sensor cannot be told "
                "from an outage");
}

/* --verbose: every counter of the capture that is not zero, with what it counts. */
static void say_counters(const struct health *health)
{
#define SAY_COUNTER(name, help)                                                                              \
    if (health->name > 0)                                                                                    \
        log_say("%llu %s", (unsigned long long)health->name, help);
    HEALTH_COUNTERS(SAY_COUNTER)
#undef SAY_COUNTER
}

/* Makes the study, and puts it where the checkpoint left it if there is one. */
static struct analysis *make_study(struct wiring *wiring, const struct scope_list *scopes,
                                   struct fault *fault)
{
    const struct settings *settings = wiring->settings;
    const struct publish_checkpoint *resume = settings->publish.resume;
    const struct analysis_output output = {.context = wiring, .bin = pass_bin, .event = pass_event};
    const char *why;
    struct analysis *analysis = analysis_new(&settings->analysis, scopes, &output);
    if (analysis == NULL) {
        fault_set(fault, "no memory for %u scopes", scopes->count);
    } else if (resume != NULL && analysis_load(analysis, resume->bytes, resume->length, &why) != 0) {
        fault_set(fault, "--state %s: %s: remove it to learn anew, or name another",
                  settings->publish.state_path, why);
        analysis_free(analysis);
        return NULL;
    }
    return analysis;
}

/* Reads everything, and then has everything written. Returns 0, or anything else when something failed, which
 * was said. */
static int read_and_publish(struct wiring *wiring, struct input *input)
{
    struct fault fault;
    int status = read_input(wiring, input, &fault);
    log_progress_end();
    if (status < 0)
        log_say("%s", fault.text);
    analysis_finish(wiring->analysis);
    publish_health(wiring->publish, &input->health);
    if (status == 0)
        say_of_input(wiring->settings, &input->health);
    if (wiring->settings->verbose)
        say_counters(&input->health);
    if (publish_close(wiring->publish, &fault) == 0)
        return status;
    log_say("%s", fault.text);
    return -1;
}

/* From the open input to everything written. Outputs are touched last, when nothing else can be refused any
 * more. */
static int run(const struct settings *settings, struct input *input)
{
    struct wiring wiring = {
        .settings = settings, .shown_ns = TIME_NONE, .told_ns = TIME_NONE, .saved_at_s = wall_s()};
    struct fault fault;
    int status = -1;
    wiring.grid_ns = input->bins != NULL ? settings->analysis.bin_ns : settings->capture.step_ns;
    wiring.progress =
        settings->progress >= 0 ? settings->progress : !settings->quiet && isatty(STDERR_FILENO);
    wiring.analysis = make_study(&wiring, input->scopes, &fault);
    if (wiring.analysis != NULL)
        wiring.publish = publish_open(&settings->publish, input->scopes, &fault);
    if (wiring.publish == NULL)
        log_say("%s", fault.text);
    else
        status = read_and_publish(&wiring, input);
    analysis_free(wiring.analysis);
    return status == 0 ? EXIT_DONE : EXIT_FAILED;
}

/* Words with blanks between them; NULL when there is no memory. The caller frees. */
static char *join(size_t count, const char *const *words)
{
    size_t length = 1;
    for (size_t i = 0; i < count; i++)
        length += strlen(words[i]) + 1;
    char *text = calloc(1, length);
    for (size_t i = 0; text != NULL && i < count; i++) {
        strcat(text, i > 0 ? " " : "");
        strcat(text, words[i]);
    }
    return text;
}

/* What is read or watched, for summary and report. */
static char *input_names(const struct settings *settings)
{
    if (settings->task == TASK_BINS)
        return join(1, &settings->bins_file);
    if (settings->task == TASK_LIVE)
        return join(settings->capture.interface_count, settings->capture.interfaces);
    return join(settings->capture.read_count, settings->capture.reads);
}

/* What an earlier run has told is not told again. */
static int read_state(struct settings *settings, struct publish_checkpoint *resume, struct fault *fault)
{
    settings->capture.resume_ns = TIME_NONE;
    if (settings->publish.state_path == NULL)
        return 0;
    if (publish_read_checkpoint(settings->publish.state_path, resume, fault) != 0)
        return -1;
    if (resume->data_ns != TIME_NONE)
        settings->publish.resume = resume;
    settings->capture.resume_ns = resume->data_ns;
    return 0;
}

static int start(struct settings *settings, int argc, char **argv)
{
    struct fault fault;
    struct input input = {0};
    const char *events = settings->publish.events_path;
    char *command = join((size_t)argc, (const char *const *)argv);
    char *names = input_names(settings);
    settings->publish.command = command;
    settings->publish.input = names;
    settings->publish.replay = settings->task != TASK_LIVE;
    settings->publish.summary =
        settings->publish.replay && !settings->quiet && (events == NULL || strcmp(events, "-") != 0);
    catch_signals();
    int status = EXIT_FAILED;
    struct publish_checkpoint resume = {.data_ns = TIME_NONE};
    if (open_input(settings, &input, &fault) != 0 || read_state(settings, &resume, &fault) != 0)
        log_say("%s", fault.text);
    else
        status = run(settings, &input);
    close_input(&input);
    free(resume.bytes);
    free(names);
    free(command);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct fault fault;
    int status = EXIT_DONE;
    if (settings_read(&settings, argc, argv, &fault) != 0)
        status = say_unusable(&fault);
    else if (settings.task == TASK_HELP)
        fputs(settings_help, stdout);
    else if (settings.task == TASK_VERSION)
        printf("lightsout %s, nDPI %s\n", LIGHTSOUT_VERSION, classify_version());
    else if (settings.check)
        settings_print(&settings);
    else
        status = start(&settings, argc, argv);
    settings_free(&settings);
    return status;
}
