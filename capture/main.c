/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the three doors and lets the data through: capture to analysis to publish. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analysis.h"
#include "capture.h"
#include "classify.h"
#include "fuser.h"
#include "log.h"
#include "memory.h"
#include "notify.h"
#include "outputs.h"
#include "printable.h"
#include "privs.h"
#include "progress.h"
#include "publish.h"
#include "reload.h"
#include "settings.h"
#include "terminal.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_UNUSABLE = 2 };

static atomic_bool stop, hangup;

static void on_signal(int number)
{
    if (number == SIGHUP)
        hangup = true;
    else
        stop = true;
}

/* Whether all that a replay is for is what it writes to standard output: when nobody reads that any more it
 * ends at once and without a word, like every tool. */
static bool is_a_filter(const struct publish_options *out)
{
    const char *files[] = {out->events_path, out->bins_path, out->flows_path, out->report_path};
    bool writes = out->summary;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i] != NULL && strcmp(files[i], "-") != 0)
            return false;
        writes |= files[i] != NULL;
    }
    return writes && out->replay && out->redis.url == NULL && out->http_listen == NULL &&
           out->state_path == NULL;
}

static void catch_signals(bool is_filter)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_flags = SA_RESTART; /* what is being read is read on */
    sigaction(SIGHUP, &action, NULL);
    action.sa_handler = SIG_IGN; /* a Redis or a reader that goes away is an error like others */
    if (!is_filter)
        sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL); /* so is a file that may not grow any more */
}

/* Whoever starts it may have closed what everybody expects to be open: files would be opened in its place,
 * and words for people written into them. What is opened instead takes nothing, so that whoever asked for an
 * output there is told. */
static void hold_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            return;
}

/* What the callbacks of the doors need. */
struct wiring {
    const struct settings *settings; /* of the start */
    struct analysis *analysis;
    struct publish *publish;
    struct capture *capture; /* NULL: bins are read */
    struct reload *reload;
    struct settings *now, *next; /* read since: in force, and to be; NULL: none */
    struct analysis *study;      /* for the next ones */
    bool event_told;             /* since the last checkpoint */
    bool unsaved;                /* there was no memory for the last checkpoint */
    bool scopes_owed;            /* the letterbox has not taken the scopes in force yet */
    struct progress progress;
    enum scope_state all, tap; /* at the end of the last bin */
    double saved_at_s;         /* by the wall clock */
    int64_t grid_ns;           /* whole intervals end on it */
    int64_t told_ns; /* the last publish_step: so far the study has seen whole intervals; TIME_NONE: none */
};

static const struct settings *in_force(const struct wiring *wiring)
{
    return wiring->now != NULL ? wiring->now : wiring->settings;
}

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
    if (bytes == NULL && !wiring->unsaved)
        log_warn("no memory for a checkpoint of %zu bytes: the last one stands", length);
    wiring->unsaved = bytes == NULL;
    if (bytes == NULL)
        return;
    analysis_save(wiring->analysis, bytes, length);
    publish_checkpoint(wiring->publish, data_ns, bytes, length);
    wiring->saved_at_s = wall_s();
    wiring->event_told = false;
}

/* Whether the letterbox speaks of the same scopes as the study; what comes until it does is lost. */
static bool scopes_told(struct wiring *wiring)
{
    struct fault fault;
    if (wiring->scopes_owed && publish_scopes(wiring->publish, &wiring->now->scopes, &fault) == 0)
        wiring->scopes_owed = false;
    return !wiring->scopes_owed;
}

static void pass_flow(void *context, const struct flow_record *record)
{
    struct wiring *wiring = context;
    if (scopes_told(wiring))
        publish_flow(wiring->publish, record);
}

static void pass_hosts(void *context, const struct hosts *hosts)
{
    publish_hosts(((struct wiring *)context)->publish, hosts);
}

static void pass_bin(void *context, const struct bin *bin)
{
    struct wiring *wiring = context;
    bool is_tap = bin->scope == scope_number_tap(&in_force(wiring)->scopes); /* the last of its bins */
    if (bin->scope == SCOPE_NUMBER_ALL)
        wiring->all = bin->state;
    else if (is_tap)
        wiring->tap = bin->state;
    if (is_tap && !wiring->settings->publish.replay)
        notify_status("%s: all is %s, the tap is %s", wiring->settings->publish.input,
                      progress_states[wiring->all], progress_states[wiring->tap]);
    if (scopes_told(wiring))
        publish_bin(wiring->publish, bin);
}

static void pass_event(void *context, const struct event *event)
{
    struct wiring *wiring = context;
    publish_event(wiring->publish, event);
    wiring->event_told = true;
}

/* ---- SIGHUP ---- */

/* Readies settings that were read anew, from a bin on. What cannot change stays as it is. */
static void announce(struct wiring *wiring, struct settings *next, int64_t from_ns)
{
    const struct settings *start = wiring->settings;
    const struct analysis_output output = {.context = wiring, .bin = pass_bin, .event = pass_event};
    char keys[256];
    size_t unlike = settings_unlike(start, next, keys, sizeof keys);
    if (unlike > 0)
        log_warn("%s: takes effect with the next start", keys);
    next->analysis.bin_ns = start->analysis.bin_ns;
    next->analysis.half_life_s = start->analysis.half_life_s;
    path_bind_interfaces(&next->rules, start->capture.interfaces, start->capture.interface_count);
    wiring->study = analysis_new(&next->analysis, &next->scopes, &output);
    if (wiring->study == NULL) {
        log_warn("no memory for %u scopes: what was in force stays", next->scopes.count);
        settings_free(next);
        free(next);
        return;
    }
    wiring->next = next;
    const struct capture_change change = {.rules = &next->rules, .scopes = &next->scopes, .from_ns = from_ns};
    capture_change(wiring->capture, &change);
}

/* Between two steps: has what SIGHUP asked for read, and announces what was read. */
static void follow_reload(struct wiring *wiring, int64_t end_ns)
{
    struct settings *next;
    struct fault fault;
    if (hangup && wiring->next == NULL) {
        hangup = false;
        if (wiring->capture == NULL)
            log_say("a table of bins has scopes of its own: there is nothing to read again");
        else if (wiring->reload == NULL || reload_begin(wiring->reload, &fault) != 0)
            log_warn("no memory to read the settings again: what was in force stays");
        else
            notify_reloading();
    }
    if (wiring->reload == NULL || wiring->next != NULL)
        return;
    switch (reload_look(wiring->reload, &next, &fault)) {
    case RELOAD_REFUSED:
        log_warn("%s: what was in force stays", fault.text);
        notify_reloaded();
        break;
    case RELOAD_READ:
        announce(
            wiring, next,
            clock_floor(end_ns + wiring->settings->capture.bin_ns - 1, wiring->settings->capture.bin_ns));
        notify_reloaded();
        break;
    case RELOAD_NOTHING:
        break;
    }
}

/* How much of the prefixes watched is watched still, by ten thousand of them: packets wait meanwhile. */
static double share_kept(const struct rules *now, const struct rules *next)
{
    const size_t stride = now->watch_count / 10000 + 1;
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < now->watch_count; i += stride) {
        if (!now->watches[i].enabled || !now->watches[i].counted)
            continue;
        uint32_t found = watchlist_find(next->watchlist, now->watches[i].prefix.address);
        count++;
        kept += found != WATCHLIST_NONE && next->watches[found].counted;
    }
    return count > 0 ? (double)kept / (double)count : 1;
}

/* The capture counts by the next settings from here on. What all prefixes together show is known on only
 * where most of it is the same: it would look like an outage otherwise. */
static void pass_changed(void *context)
{
    const double most = 0.75;
    struct wiring *wiring = context;
    const struct settings *former = in_force(wiring);
    struct settings *next = wiring->next;
    bool all_stays = share_kept(&former->rules, &next->rules) >= most &&
                     analysis_part(wiring->analysis, &next->scopes) >= most;
    uint32_t open = analysis_take_over(wiring->study, wiring->analysis, all_stays);
    analysis_free(wiring->analysis);
    wiring->analysis = wiring->study;
    wiring->study = NULL;
    wiring->scopes_owed = true;
    if (wiring->now != NULL)
        settings_free(wiring->now);
    free(wiring->now);
    wiring->now = next;
    wiring->next = NULL;
    log_say("the settings were read again: %u scopes are followed%s", next->scopes.count,
            all_stays ? "" : ", and all of them together are learned anew, since too few stay");
    if (open > 0)
        log_say("%u open outage%s of what is no longer followed: nothing more will be told of %s", open,
                open == 1 ? " is" : "s are", open == 1 ? "it" : "them");
}

/* ---- what the doors hand over ---- */

/* The step that the end of the input cuts short is never part of a checkpoint: more input may follow another
 * day. A wire tells nothing twice, so live there is a checkpoint right behind each event: whoever goes on
 * after a crash knows what was told, and how it goes on. */
static void pass_step(void *context, const struct tally *tallies)
{
    struct wiring *wiring = context;
    const struct settings *settings = wiring->settings;
    const int64_t end_ns = tallies[0].end_ns;
    bool last = end_ns % wiring->grid_ns != 0;
    if (settings->publish.state_path != NULL && wiring->told_ns != TIME_NONE &&
        (last || wall_s() - wiring->saved_at_s >= settings->state_every_s))
        save_state(wiring, wiring->told_ns);
    analysis_step(wiring->analysis, tallies);
    wiring->told_ns = last ? TIME_NONE : end_ns;
    publish_step(wiring->publish, end_ns);
    if (!settings->publish.replay)
        notify_step();
    if (settings->publish.state_path != NULL && settings->task == TASK_LIVE && wiring->event_told && !last)
        save_state(wiring, end_ns);
    follow_reload(wiring, end_ns);
}

static void pass_message(void *context, const char *text)
{
    (void)context;
    log_warn("%s", text);
}

static void pass_progress(void *context, const struct health *health, int64_t data_ns)
{
    struct wiring *wiring = context;
    publish_health(wiring->publish, health);
    const struct progress_now now = {.share = capture_share(wiring->capture),
                                     .data_ns = data_ns,
                                     .packets = health->packets_read,
                                     .dropped =
                                         health->kernel_drops + health->interface_drops + health->ring_drops,
                                     .all = wiring->all,
                                     .tap = wiring->tap};
    progress_show(&wiring->progress, &now);
}

/* Unless memory or files were short: then nothing is wrong with what was asked for. */
static int say_unusable(const struct fault *fault)
{
    log_error("%s", fault->text);
    return fault->refused ? EXIT_FAILED : EXIT_UNUSABLE;
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
                                          .hosts = pass_hosts,
                                          .flow = pass_flow,
                                          .say = pass_message,
                                          .progress = pass_progress,
                                          .changed = pass_changed};
    if (input->bins != NULL) {
        const int64_t from_ns = settings->capture.from_ns, resume_ns = settings->capture.resume_ns;
        return capture_bins_run(input->bins, from_ns > resume_ns ? from_ns : resume_ns,
                                settings->capture.to_ns, &output, &stop, fault);
    }
    return capture_run(input->capture, &output, &stop, fault);
}

/* What is odd about the input as a whole, in words that say what to do. */
static void say_of_input(const struct settings *settings, const struct health *health)
{
    unsigned long long read = health->packets_read;
    if (settings->task == TASK_BINS || settings->quiet)
        return;
    if (read == 0)
        log_warn("%s: there is no packet %s: nothing was measured", settings->publish.input,
                 settings->capture.from_ns != TIME_NONE || settings->capture.to_ns != TIME_NONE
                     ? "between --from and --to"
                     : "in it");
    else if (health->packets_watched == 0)
        log_warn("of %llu packet%s none has a watched address: see --check for the watch list, --watch for "
                 "another",
                 read, read == 1 ? "" : "s");
    else if (health->packets_watched == read)
        log_warn("all traffic read is watched: without other traffic beside it a blind sensor cannot be told "
                 "from an outage");
}

/* --verbose: every counter of the capture that is not zero, with what it counts. */
static void say_counters(const struct health *health)
{
    char words[HEALTH_WORDS_MAX];
#define SAY_COUNTER(name, help)                                                                              \
    if (health->name > 0)                                                                                    \
        log_say("%llu %s", (unsigned long long)health->name, health_words(help, health->name, words));
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
    notify_ready(wiring->settings->publish.replay, wiring->settings->capture.step_ns);
    notify_status("reading %s", wiring->settings->publish.input);
    int status = read_input(wiring, input, &fault);
    notify_stopping();
    progress_end(&wiring->progress);
    if (status < 0)
        log_error("%s", fault.text);
    analysis_finish(wiring->analysis);
    publish_health(wiring->publish, &input->health);
    if (status == 0)
        say_of_input(wiring->settings, &input->health);
    if (wiring->settings->verbose)
        say_counters(&input->health);
    if (publish_close(wiring->publish, &fault) == 0)
        return status;
    log_error("%s", fault.text);
    return -1;
}

static void end_reload(struct wiring *wiring)
{
    struct settings *read[] = {wiring->now, wiring->next};
    reload_free(wiring->reload);
    analysis_free(wiring->study);
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
        if (read[i] != NULL)
            settings_free(read[i]);
        free(read[i]);
    }
}

/* A table of bins is read at once. */
static int progress_wish(const struct settings *settings)
{
    bool never = settings->task == TASK_BINS || (settings->quiet && settings->progress < 0);
    return never ? 0 : settings->progress;
}

/* From the open input to everything written. Outputs are touched last, when nothing else can be refused any
 * more. */
static int run(const struct settings *settings, struct input *input, struct reload *reload)
{
    struct wiring wiring = {.settings = settings,
                            .capture = input->capture,
                            .reload = reload,
                            .told_ns = TIME_NONE,
                            .saved_at_s = -HUGE_VAL}; /* the first comes before anything is told */
    struct fault fault;
    int status = -1;
    wiring.grid_ns = input->bins != NULL ? settings->analysis.bin_ns : settings->capture.step_ns;
    progress_begin(&wiring.progress, progress_wish(settings), settings->task == TASK_LIVE);
    wiring.analysis = make_study(&wiring, input->scopes, &fault);
    if (wiring.analysis != NULL)
        wiring.publish = publish_open(&settings->publish, input->scopes, &fault);
    if (wiring.publish == NULL)
        log_error("%s", fault.text);
    else
        status = read_and_publish(&wiring, input);
    analysis_free(wiring.analysis);
    end_reload(&wiring);
    return status == 0 && !wiring.unsaved ? EXIT_DONE : EXIT_FAILED;
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

static int lock_state(const struct settings *settings, int *lock, struct fault *fault)
{
    const char *path = settings->publish.state_path;
    return path != NULL ? publish_lock_state(path, lock, fault) : 0;
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

/* Everything is open: what is not needed any more is given up before a thread begins. */
static int confine(void *context, struct fault *fault)
{
    const struct settings *settings = context;
    struct privs held;
    char text[400];
    if (privs_confine(settings, PRIVS_RUNNING, &held, fault) != 0)
        return -1;
    privs_format(&held, text, sizeof text);
    if (settings->verbose || (held.confined && held.calls == 0 && !settings->quiet))
        log_say("what it may do: %s", text);
    return 0;
}

/* To open a capture is to read what a stranger wrote; an interface is opened with the rights that takes. */
static int confine_opening(const struct settings *settings, struct fault *fault)
{
    struct privs held;
    return settings->task != TASK_LIVE ? privs_confine(settings, PRIVS_OPENING, &held, fault) : 0;
}

static int check(const struct settings *settings)
{
    struct privs held;
    struct fault fault;
    char text[400];
    settings_print(settings);
    if (privs_confine(settings, PRIVS_RUNNING, &held, &fault) != 0)
        return say_unusable(&fault);
    privs_format(&held, text, sizeof text);
    printf("\n# What it may do once it runs: %s\n", text);
    return EXIT_DONE;
}

/* Several sensors, one verdict: no capture, and the studies are the sensors'. */
static int start_fuser(struct settings *settings)
{
    struct fault fault;
    const struct fuser_options options = {
        .fuse = {.bin_ns = settings->analysis.bin_ns,
                 .lateness_ns = (int64_t)(settings->fuse_lateness_s * (double)NS_PER_S),
                 .recovery_hold_s = settings->analysis.recovery_hold_s},
        .publish = &settings->publish,
        .verbose = settings->verbose,
    };
    settings->publish.opened = confine;
    settings->publish.opened_context = settings;
    catch_signals(false);
    notify_ready(true, settings->capture.step_ns);
    if (fuser_run(&options, &stop, &fault) == 0)
        return EXIT_DONE;
    log_error("%s", fault.text);
    return EXIT_FAILED;
}

/* `shown` is the command line as people may see it. */
static int start(struct settings *settings, int argc, char **argv, char **shown)
{
    struct fault fault;
    struct input input = {0};
    const char *events = settings->publish.events_path;
    char *command = join((size_t)argc, (const char *const *)shown);
    char *names = input_names(settings);
    if (command == NULL || names == NULL)
        memory_end("the command line");
    printable_clean(names, false);
    settings->publish.command = command;
    settings->publish.input = names;
    settings->publish.replay = settings->task != TASK_LIVE;
    settings->publish.summary =
        settings->publish.replay && !settings->quiet && (events == NULL || strcmp(events, "-") != 0);
    settings->publish.colour = terminal_has_colours(STDOUT_FILENO);
    settings->publish.opened = confine;
    settings->publish.opened_context = settings;
    settings->publish.stop = &stop;
    catch_signals(is_a_filter(&settings->publish));
    int status = EXIT_FAILED;
    struct publish_checkpoint resume = {.data_ns = TIME_NONE};
    int lock = -1;
    if (outputs_check(settings, &fault) != 0)
        status = say_unusable(&fault);
    else if (lock_state(settings, &lock, &fault) != 0 || confine_opening(settings, &fault) != 0 ||
             read_state(settings, &resume, &fault) != 0 || open_input(settings, &input, &fault) != 0)
        log_error("%s", fault.text);
    else
        status = run(settings, &input, reload_new(argc, argv));
    close_input(&input);
    if (lock >= 0)
        close(lock);
    free(resume.bytes);
    free(names);
    free(command);
    return status;
}

/* A copy to work with, for as long as the program runs; what was handed in loses its passwords, since
 * everybody on the machine can read it. */
static char **take_arguments(int argc, char **argv)
{
    char **own = calloc((size_t)argc + 1, sizeof *own);
    for (int i = 0; own != NULL && i < argc; i++)
        own[i] = strdup(argv[i]);
    for (int i = 0; own != NULL && i < argc; i++)
        if (own[i] == NULL)
            return NULL;
    command_line_hide(argc, argv);
    return own;
}

static void drop_arguments(char **own)
{
    for (char **argument = own; *argument != NULL; argument++)
        free(*argument);
    free(own);
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct fault fault;
    int status = EXIT_DONE;
    hold_standard_files();
    char **own = take_arguments(argc, argv);
    if (own == NULL) {
        log_error("no memory");
        return EXIT_FAILED;
    }
    if (settings_read(&settings, argc, own, &fault) != 0)
        status = say_unusable(&fault);
    else if (settings.task == TASK_HELP)
        fputs(settings_help, stdout);
    else if (settings.task == TASK_VERSION)
        printf("lightsout %s, nDPI %s\n", LIGHTSOUT_VERSION, classify_version());
    else if (settings.check && settings.quiet)
        ; /* that it is fine is told by the exit status */
    else if (settings.check)
        status = check(&settings);
    else if (settings.task == TASK_FUSE)
        status = start_fuser(&settings);
    else
        status = start(&settings, argc, own, argv);
    settings_free(&settings);
    drop_arguments(own);
    if (fflush(stdout) != 0 && status == EXIT_DONE) {
        log_error("cannot write to standard output: %s", strerror(errno));
        status = EXIT_FAILED;
    }
    return status;
}
