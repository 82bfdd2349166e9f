/* SPDX-License-Identifier: BSD-3-Clause */
#include "outputs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "savefile.h"
#include "settings.h"

struct output {
    const char *option, *path; /* NULL: not asked for */
};

/* Whether two paths lead to one file; devices take anything from anybody. */
static bool is_same(const char *a, const char *b)
{
    struct stat one, other;
    if (strcmp(a, "-") == 0 || strcmp(b, "-") == 0 || stat(a, &one) != 0 || stat(b, &other) != 0)
        return strncmp(a, "/dev/", 5) != 0 && strcmp(a, b) == 0;
    return S_ISREG(one.st_mode) && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static bool is_capture(const char *path)
{
    uint8_t magic[SAVEFILE_MAGIC_BYTES];
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_one = read(fd, magic, sizeof magic) == (ssize_t)sizeof magic && savefile_is_one(magic);
    close(fd);
    return is_one;
}

static int check_one(const struct settings *settings, const struct output *output, struct fault *fault)
{
    bool is_read = settings->bins_file != NULL && is_same(output->path, settings->bins_file);
    for (size_t i = 0; i < settings->capture.read_count; i++)
        is_read |= strcmp(output->path, "-") != 0 && is_same(output->path, settings->capture.reads[i]);
    if (is_read)
        return fault_set(fault, "%s %s is what is read: name another file", output->option, output->path);
    if (is_capture(output->path))
        return fault_set(fault, "%s %s is a capture, which is not written over: name another file",
                         output->option, output->path);
    return 0;
}

int outputs_check(const struct settings *settings, struct fault *fault)
{
    const struct output outputs[] = {{"--events", settings->publish.events_path},
                                     {"--bins", settings->publish.bins_path},
                                     {"--flows", settings->publish.flows_path},
                                     {"--report", settings->publish.report_path},
                                     {"--state", settings->publish.state_path}};
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        if (outputs[i].path == NULL)
            continue;
        if (check_one(settings, &outputs[i], fault) != 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (outputs[j].path != NULL && is_same(outputs[i].path, outputs[j].path))
                return fault_set(fault, "%s and %s are one and the same, %s: name another file",
                                 outputs[j].option, outputs[i].option, outputs[i].path);
    }
    return 0;
}
