/* SPDX-License-Identifier: BSD-3-Clause */
#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "durable.h"

static const char magic[16] = "lightsout-state";

enum { CHECKPOINT_VERSION = 1 };

struct file_head {
    char magic[16];
    uint32_t version, mark_count;
    int64_t data_ns;
    uint64_t length;
    struct publish_mark marks[PUBLISH_MARKS_MAX];
    uint32_t checksum; /* CRC-32 of the head up to here, then of the bytes */
    uint32_t unused;
};

static uint32_t checksum(const struct file_head *head, const uint8_t *bytes)
{
    uLong crc = crc32(0, (const Bytef *)head, offsetof(struct file_head, checksum));
    return (uint32_t)crc32_z(crc, bytes, head->length);
}

int checkpoint_write(const char *path, const struct publish_checkpoint *checkpoint, struct fault *fault)
{
    char beside[4096];
    struct file_head head;
    memset(&head, 0, sizeof head);
    memcpy(head.magic, magic, sizeof magic);
    head.version = CHECKPOINT_VERSION;
    head.data_ns = checkpoint->data_ns;
    head.length = checkpoint->length;
    head.mark_count = checkpoint->mark_count;
    memcpy(head.marks, checkpoint->marks, sizeof head.marks);
    head.checksum = checksum(&head, checkpoint->bytes);
    if ((size_t)snprintf(beside, sizeof beside, "%s.new", path) >= sizeof beside)
        return fault_set(fault, "--state %s: the path is too long", path);
    unlink(beside); /* whatever somebody has put there is not written to */
    int file = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return fault_set(fault, "--state %s: %s", beside, strerror(errno));
    bool written = durable_write(file, &head, sizeof head, 0) == 0 &&
                   durable_write(file, checkpoint->bytes, checkpoint->length, sizeof head) == 0 &&
                   fsync(file) == 0;
    int problem = errno;
    close(file);
    if (written && (rename(beside, path) != 0 || durable_sync_folder(path) != 0)) {
        written = false;
        problem = errno;
    }
    if (written)
        return 0;
    unlink(beside);
    return fault_set(fault, "--state %s: %s; the last checkpoint stands", path, strerror(problem));
}

/* Opens the file whose lock stands for the checkpoint's, which is another file with each checkpoint. What
 * root makes is the folder's owner's: it may become that user, and be started as that user the next time. */
static int open_lock(const char *path)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    char name[4096];
    struct stat folder;
    if ((size_t)snprintf(name, sizeof name, "%s.lock", path) >= sizeof name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int file = open(name, flags | O_CREAT | O_EXCL, 0600);
    if (file < 0)
        return errno == EEXIST ? open(name, flags) : -1;
    char *copy = strdup(name);
    if (geteuid() == 0 && copy != NULL && stat(dirname(copy), &folder) == 0 &&
        fchown(file, folder.st_uid, folder.st_gid) != 0)
        errno = 0; /* where that cannot be it is root's */
    free(copy);
    return file;
}

int publish_lock_state(const char *path, int *lock, struct fault *fault)
{
    *lock = open_lock(path);
    if (*lock < 0 && errno != ENOSPC && errno != EDQUOT)
        return fault_errno(fault, errno, "--state %s.lock: %s", path, strerror(errno));
    if (*lock < 0 || flock(*lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return 0;
    close(*lock);
    *lock = -1;
    return fault_set(fault, "--state %s is in use by another lightsout: give each one of its own", path);
}

static int read_open_file(FILE *file, const char *path, struct publish_checkpoint *checkpoint,
                          struct fault *fault)
{
    static const char way_out[] = "remove it to learn anew, or name another";
    struct file_head head;
    struct stat status;
    if (fread(&head, 1, sizeof head, file) != sizeof head || memcmp(head.magic, magic, sizeof magic) != 0)
        return fault_set(fault, "--state %s is no checkpoint of this program: %s", path, way_out);
    if (head.version != CHECKPOINT_VERSION)
        return fault_set(fault, "--state %s was written by another version of the program: %s", path,
                         way_out);
    if (fstat(fileno(file), &status) != 0 || head.mark_count > PUBLISH_MARKS_MAX ||
        (uint64_t)status.st_size != sizeof head + head.length)
        return fault_set(fault, "--state %s is damaged: %s", path, way_out);
    uint8_t *bytes = malloc(head.length + 1);
    if (bytes == NULL)
        return fault_set(fault, "--state %s: no memory", path);
    if (fread(bytes, 1, head.length, file) != head.length || checksum(&head, bytes) != head.checksum) {
        free(bytes);
        return fault_set(fault, "--state %s is damaged: %s", path, way_out);
    }
    *checkpoint = (struct publish_checkpoint){
        .data_ns = head.data_ns, .bytes = bytes, .length = head.length, .mark_count = head.mark_count};
    memcpy(checkpoint->marks, head.marks, sizeof head.marks);
    return 0;
}

int publish_read_checkpoint(const char *path, struct publish_checkpoint *checkpoint, struct fault *fault)
{
    *checkpoint = (struct publish_checkpoint){.data_ns = TIME_NONE};
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return fault_set(fault, "--state %s is no file: name another", path);
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return errno == ENOENT ? 0 : fault_set(fault, "--state %s: %s", path, strerror(errno));
    int result = read_open_file(file, path, checkpoint, fault);
    fclose(file);
    return result;
}
