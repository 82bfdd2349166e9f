/* SPDX-License-Identifier: BSD-3-Clause */
/* A table of bins as `--bins` writes it, or another tool: CSV with a header, its columns found by their
 * names. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "instant.h"
#include "printable.h"

enum { COLUMNS_MAX = 256, LINE_MAX_BYTES = 65536 };
enum { SCOPES_MAX = 8192 }; /* each is looked for among all, and studied */

/* What a column is for: one of the measures (>= 0), or … */
enum { COLUMN_IGNORED = -1, COLUMN_TIME = -2, COLUMN_SCOPE = -3 };

struct bins_file {
    FILE *file;
    char *path;
    char *line; /* LINE_MAX_BYTES */
    unsigned number;
    int column[COLUMNS_MAX];
    unsigned column_count, named_count; /* all columns, and those up to both time and scope */
    uint64_t known;                     /* measures that have a column */
    struct scope *scopes;
    struct scope_list list;
    uint32_t scope_room;
    char time_text[40]; /* the last time read … */
    int64_t time_ns;    /* … and what it means */
    int64_t bin_ns;
    struct tally *tallies; /* of the interval under way */
};

struct bins_row {
    int64_t time_ns;
    const char *scope;
    uint64_t known;
    uint64_t value[TALLY__COUNT]; /* 0 where not known */
};

static int bad(const struct bins_file *file, struct fault *fault, const char *what, const char *value)
{
    return fault_set(fault, "%s:%u: %s '%s'", file->path, file->number, what, value);
}

/* The comma behind a cell, or NULL: one within quotes is part of it, and a quote doubled there is one (RFC
 * 4180). */
static char *end_of_cell(char *cell)
{
    char *at = cell + strspn(cell, " \t");
    if (*at != '"')
        return strchr(cell, ',');
    char *closing = strchr(at + 1, '"');
    while (closing != NULL && closing[1] == '"')
        closing = strchr(closing + 2, '"');
    return strchr(closing != NULL ? closing : cell, ',');
}

/* Takes the quotes off a cell, and makes one of each that is doubled within. */
static char *unquote(char *cell, size_t length)
{
    if (length < 2 || cell[0] != '"' || cell[length - 1] != '"')
        return cell;
    char *end = cell;
    for (size_t i = 1; i < length - 1; i++) {
        *end++ = cell[i];
        i += cell[i] == '"' && i + 2 < length && cell[i + 1] == '"';
    }
    *end = '\0';
    return cell;
}

/* Cuts the first cell off a line, in place; blanks and quotes around it are taken off. `rest` becomes what is
 * behind its comma, or NULL after the last cell. */
static char *cut_cell(char **rest)
{
    char *cell = *rest, *comma = end_of_cell(cell);
    size_t length = comma != NULL ? (size_t)(comma - cell) : strlen(cell);
    *rest = comma != NULL ? comma + 1 : NULL;
    cell[length] = '\0';
    while (isspace((unsigned char)*cell)) {
        cell++;
        length--;
    }
    while (length > 0 && isspace((unsigned char)cell[length - 1]))
        cell[--length] = '\0';
    return unquote(cell, length);
}

/* Most rows have the time of the row before. */
static bool read_time_again(struct bins_file *file, const char *text, int64_t *time_ns)
{
    size_t length = strlen(text) + 1;
    if (length > 1 && length <= sizeof file->time_text && memcmp(file->time_text, text, length) == 0) {
        *time_ns = file->time_ns;
        return true;
    }
    if (!instant_read(text, time_ns))
        return false;
    file->time_ns = *time_ns;
    file->time_text[0] = '\0';
    if (length <= sizeof file->time_text)
        memcpy(file->time_text, text, length);
    return true;
}

static bool read_count(const char *text, uint64_t *count)
{
    const char *digit = text;
    for (*count = 0; *digit >= '0' && *digit <= '9' && *count < UINT64_MAX / 100; digit++)
        *count = *count * 10 + (uint64_t)(*digit - '0');
    if (*digit == '\0' && digit > text)
        return true;
    char *rest;
    double number = strtod(text, &rest); /* other tools write 12.0 or 1.2e3 */
    if (rest == text || *rest != '\0' || !(number >= 0 && number < 1e18))
        return false;
    *count = (uint64_t)(number + 0.5);
    return true;
}

/* The short way for nearly every cell: plain digits, or nothing. Returns whether the cell was that. */
static bool read_plain_count(char **rest, uint64_t *count, bool *known)
{
    const unsigned char *begin = (const unsigned char *)*rest, *digit = begin;
    uint64_t number = 0;
    for (; (unsigned)(*digit - '0') < 10; digit++)
        number = number * 10 + (uint64_t)(*digit - '0');
    if ((*digit != ',' && *digit != '\0') || digit - begin > 18)
        return false;
    *known = digit > begin;
    *count = number;
    *rest = *digit == ',' ? (char *)digit + 1 : NULL;
    return true;
}

/* Reads one line, without its end. Returns 1, or 0 at the end of the file, or -1 with the fault. */
static int read_line(struct bins_file *file, struct fault *fault)
{
    do {
        if (fgets(file->line, LINE_MAX_BYTES, file->file) == NULL)
            return ferror(file->file) ? fault_set(fault, "%s: %s", file->path, strerror(errno)) : 0;
        file->number++;
        size_t length = strlen(file->line);
        while (length > 0 && (file->line[length - 1] == '\n' || file->line[length - 1] == '\r'))
            file->line[--length] = '\0';
    } while (file->line[strspn(file->line, " \t")] == '\0');
    return 1;
}

static int read_header(struct bins_file *file, struct fault *fault)
{
    static const char *const measures[] = {
#define MEASURE_NAME(name) #name,
        TALLY_MEASURES(MEASURE_NAME)
#undef MEASURE_NAME
    };
    bool has_time = false, has_scope = false;
    if (fgets(file->line, LINE_MAX_BYTES, file->file) == NULL)
        return fault_set(fault, "%s: empty: a header line with 'time', 'scope' and measures is wanted",
                         file->path);
    file->number = 1;
    if (strncmp(file->line, "\xef\xbb\xbf", 3) == 0)
        memmove(file->line, file->line + 3, strlen(file->line + 3) + 1);
    file->line[strcspn(file->line, "\r\n")] = '\0';
    for (char *rest = file->line; rest != NULL && file->column_count < COLUMNS_MAX;) {
        const char *cell = cut_cell(&rest);
        int *column = &file->column[file->column_count++];
        *column = COLUMN_IGNORED;
        if (strcmp(cell, "time") == 0) {
            *column = COLUMN_TIME;
            has_time = true;
        } else if (strcmp(cell, "scope") == 0) {
            *column = COLUMN_SCOPE;
            has_scope = true;
        }
        if (*column != COLUMN_IGNORED)
            file->named_count = file->column_count;
        for (int measure = 0; measure < TALLY__COUNT; measure++)
            if (strcmp(cell, measures[measure]) == 0) {
                *column = measure;
                file->known |= TALLY_BIT(measure);
            }
    }
    if (!has_time || !has_scope || file->known == 0)
        return fault_set(fault,
                         "%s: no table of bins: the first line should name the columns 'time', 'scope' and "
                         "measures such as 'answered_flows'",
                         file->path);
    return 0;
}

static int read_cell(struct bins_file *file, int column, char **rest, struct bins_row *row,
                     struct fault *fault)
{
    bool known;
    if (column >= 0 && read_plain_count(rest, &row->value[column], &known)) {
        row->known |= known ? TALLY_BIT(column) : 0;
        return 0;
    }
    char *cell = cut_cell(rest);
    if (column == COLUMN_TIME && !read_time_again(file, cell, &row->time_ns))
        return bad(file, fault, "no time in UTC:", cell);
    if (column == COLUMN_SCOPE) {
        printable_clean(cell, false); /* the name goes wherever events go */
        row->scope = cell;
    }
    if (column < 0 || *cell == '\0')
        return 0;
    if (!read_count(cell, &row->value[column]))
        return bad(file, fault, "no count:", cell);
    row->known |= TALLY_BIT(column);
    return 0;
}

static int wrong_width(const struct bins_file *file, unsigned count, struct fault *fault)
{
    return fault_set(fault, "%s:%u: %u cells, where the header has %u", file->path, file->number, count,
                     file->column_count);
}

/* Reads the next row: 1, or 0 at the end, or -1 with the fault. */
static int read_row(struct bins_file *file, struct bins_row *row, struct fault *fault)
{
    int status = read_line(file, fault);
    if (status <= 0)
        return status;
    unsigned count = 0;
    row->known = 0;
    memset(row->value, 0, sizeof row->value);
    for (char *rest = file->line; rest != NULL; count++)
        if (count >= file->column_count)
            cut_cell(&rest);
        else if (read_cell(file, file->column[count], &rest, row, fault) != 0)
            return -1;
    return count == file->column_count ? 1 : wrong_width(file, count, fault);
}

/* ---- scopes ---- */

static uint32_t find_scope(const struct bins_file *file, const char *text)
{
    static uint32_t guess; /* rows come in the same order, interval by interval */
    if (guess < file->list.count && strcmp(file->scopes[guess].text, text) == 0)
        return guess++;
    for (uint32_t i = 0; i < file->list.count; i++)
        if (strcmp(file->scopes[i].text, text) == 0) {
            guess = i + 1;
            return i;
        }
    return SCOPE_NONE;
}

static int add_scope(struct bins_file *file, const char *text, struct fault *fault)
{
    static const struct {
        const char *head;
        enum scope_kind kind;
    } kinds[] = {{"all", SCOPE_ALL},
                 {"prefix:", SCOPE_PREFIX},
                 {"path:", SCOPE_PATH},
                 {"service:", SCOPE_SERVICE},
                 {"tap", SCOPE_TAP}};
    struct scope scope = {.counted = true};
    bool known = false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && !known; i++) {
        bool whole = kinds[i].kind == SCOPE_ALL || kinds[i].kind == SCOPE_TAP;
        known = whole ? strcmp(text, kinds[i].head) == 0
                      : strncmp(text, kinds[i].head, strlen(kinds[i].head)) == 0;
        scope.kind = kinds[i].kind;
    }
    if (!known || strlen(text) >= sizeof scope.text)
        return bad(file, fault, "no scope (all, prefix:CIDR, path:NAME, service:NAME, tap):", text);
    if (file->list.count == SCOPES_MAX)
        return bad(file, fault, "more than 8192 scopes: leave some rows out, as those of", text);
    if (file->list.count == file->scope_room) {
        uint32_t room = file->scope_room > 0 ? file->scope_room * 2 : 64;
        struct scope *scopes = realloc(file->scopes, room * sizeof *scopes);
        if (scopes == NULL)
            return fault_set(fault, "no memory for %u scopes", room);
        file->scopes = scopes;
        file->scope_room = room;
    }
    strcpy(scope.text, text);
    scope.counted = scope.kind != SCOPE_TAP;
    file->scopes[file->list.count++] = scope;
    return 0;
}

static int by_kind(const void *a, const void *b)
{
    const struct scope *one = a, *other = b;
    if (one->kind != other->kind)
        return one->kind < other->kind ? -1 : 1;
    return strcmp(one->text, other->text);
}

/* The time and the scope of the next row, as read_row; whoever has read one row well has read the table's
 * kind, and what is wrong further down is told when it is come to. */
static int read_row_name(struct bins_file *file, struct bins_row *row, struct fault *fault)
{
    int status = read_line(file, fault);
    char *rest = file->line;
    for (unsigned i = 0; status > 0 && i < file->named_count; i++) {
        if (rest == NULL)
            return wrong_width(file, i, fault);
        if (read_cell(file, file->column[i], &rest, row, fault) != 0)
            return -1;
    }
    return status;
}

/* The first pass: which scopes there are, and how long a bin is (the least step between two times). */
static int survey(struct bins_file *file, struct fault *fault)
{
    struct bins_row row;
    int64_t before_ns = TIME_NONE;
    int status = read_row(file, &row, fault);
    for (; status > 0; status = read_row_name(file, &row, fault)) {
        if (find_scope(file, row.scope) == SCOPE_NONE && add_scope(file, row.scope, fault) != 0)
            return -1;
        if (before_ns != TIME_NONE && row.time_ns < before_ns)
            return fault_set(fault, "%s:%u: rows should come in the order of their times", file->path,
                             file->number);
        if (before_ns != TIME_NONE && row.time_ns > before_ns &&
            (file->bin_ns == 0 || row.time_ns - before_ns < file->bin_ns))
            file->bin_ns = row.time_ns - before_ns;
        before_ns = row.time_ns;
    }
    if (status < 0 && before_ns == TIME_NONE)
        return -1; /* else what comes before the damage is read, and the damage told then */
    if (find_scope(file, "all") == SCOPE_NONE && add_scope(file, "all", fault) != 0)
        return -1;
    if (find_scope(file, "tap") == SCOPE_NONE && add_scope(file, "tap", fault) != 0)
        return -1;
    qsort(file->scopes, file->list.count, sizeof *file->scopes, by_kind);
    file->list.items = file->scopes;
    if (file->bin_ns == 0)
        file->bin_ns = 60 * NS_PER_S;
    if (file->bin_ns < NS_PER_S || file->bin_ns > 3600 * NS_PER_S)
        return fault_set(fault, "%s: bins of %g s: 1 s to 1 h can be judged", file->path,
                         (double)file->bin_ns / (double)NS_PER_S);
    return 0;
}

/* ---- the door ---- */

/* What a table does not say of its scopes. */
static void complete_scopes(struct bins_file *file, const struct scope_list *known)
{
    for (uint32_t i = 0; i < file->list.count; i++)
        for (uint32_t j = 0; known != NULL && j < known->count; j++)
            if (strcmp(file->scopes[i].text, known->items[j].text) == 0)
                file->scopes[i].name_server = known->items[j].name_server;
}

struct bins_file *capture_bins_open(const char *path, const struct scope_list *known, struct fault *fault)
{
    struct bins_file *file = calloc(1, sizeof *file);
    if (file != NULL) {
        file->path = strdup(path);
        file->line = malloc(LINE_MAX_BYTES);
    }
    if (file == NULL || file->path == NULL || file->line == NULL) {
        fault_set(fault, "no memory to read bins %s", path);
        capture_bins_close(file);
        return NULL;
    }
    file->file = fopen(path, "r");
    if (file->file == NULL)
        fault_set(fault, "bins %s: %s", path, strerror(errno));
    if (file->file == NULL || read_header(file, fault) != 0 || survey(file, fault) != 0) {
        capture_bins_close(file);
        return NULL;
    }
    complete_scopes(file, known);
    file->tallies = calloc(file->list.count, sizeof *file->tallies);
    if (file->tallies == NULL) {
        fault_set(fault, "no memory for %u scopes", file->list.count);
        capture_bins_close(file);
        return NULL;
    }
    return file;
}

const struct scope_list *capture_bins_scopes(const struct bins_file *file)
{
    return &file->list;
}

int64_t capture_bins_length_ns(const struct bins_file *file)
{
    return file->bin_ns;
}

static void open_interval(struct bins_file *file, int64_t start_ns)
{
    for (uint32_t i = 0; i < file->list.count; i++)
        file->tallies[i] = tally_empty(start_ns, start_ns, 0); /* missing until its row comes */
}

int capture_bins_run(struct bins_file *file, int64_t from_ns, int64_t to_ns,
                     const struct capture_output *output, const atomic_bool *stop, struct fault *fault)
{
    struct bins_row row;
    int64_t now_ns = TIME_NONE;
    int status = 0;
    rewind(file->file);
    file->number = 1;
    if (fgets(file->line, LINE_MAX_BYTES, file->file) == NULL)
        return fault_set(fault, "%s: %s", file->path, strerror(errno));
    while (!*stop && (status = read_row(file, &row, fault)) > 0) {
        if (row.time_ns < from_ns || (to_ns != TIME_NONE && row.time_ns >= to_ns))
            continue;
        if (row.time_ns != now_ns) {
            if (now_ns != TIME_NONE)
                output->step(output->context, file->tallies);
            now_ns = row.time_ns;
            open_interval(file, now_ns);
        }
        uint32_t scope = find_scope(file, row.scope);
        if (scope == SCOPE_NONE)
            continue; /* the file has grown since the first pass */
        struct tally *tally = &file->tallies[scope];
        tally->end_ns = now_ns + file->bin_ns;
        tally->known = row.known;
        memcpy(tally->value, row.value, sizeof tally->value);
    }
    if (now_ns != TIME_NONE)
        output->step(output->context, file->tallies);
    if (status < 0)
        output->say(output->context, fault->text);
    return status < 0 ? 1 : 0;
}

void capture_bins_close(struct bins_file *file)
{
    if (file == NULL)
        return;
    if (file->file != NULL)
        fclose(file->file);
    free(file->path);
    free(file->line);
    free(file->scopes);
    free(file->tallies);
    free(file);
}
