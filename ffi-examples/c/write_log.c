/*
 * Writes lines of stdin as records into a partition of a log directory, with no broker:
 *
 *     seq 1000 | write_log -t numbers /tmp/log
 *     consume -t numbers -e log.dirs=/tmp/log
 *
 * -p PARTITION (0), -z none|gzip|snappy|lz4|zstd. Each line becomes a value; records are appended
 * in bulk, and in the end everything is synced: it survives a loss of power from then on.
 */
#include <kfetch.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Records that one call appends, and the most bytes that their lines take together. */
enum { BATCH = 1024, BATCH_BYTES = 1 << 20 };

struct options {
    const char *log_dir;
    const char *topic;
    int32_t partition;
    int32_t codec;
};

/* Tells what went wrong, frees the error, and returns whether something did. */
static bool failed(const char *what, kfetch_status status, kfetch_error **error)
{
    if (status == KFETCH_STATUS_OK)
        return false;
    fprintf(stderr, "write_log: %s: %s (%s)\n", what, kfetch_error_message(*error),
            kfetch_status_name(status));
    kfetch_error_free(*error);
    *error = NULL;
    return true;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Appends the lines of stdin, many at a time. */
static bool append_lines(kfetch_log_writer *writer)
{
    static char bytes[BATCH_BYTES];
    kfetch_new_record records[BATCH] = {0};
    kfetch_error *error = NULL;
    bool more = true;
    while (more) {
        size_t used = 0, count = 0;
        int64_t timestamp_ms = now_ms();
        /* A line that is longer than what is left is cut in two by fgets. */
        while (count < BATCH && sizeof bytes - used > BATCH_BYTES / 2) {
            more = fgets(bytes + used, (int)(sizeof bytes - used), stdin) != NULL;
            if (!more)
                break;
            size_t length = strcspn(bytes + used, "\n");
            records[count].timestamp_ms = timestamp_ms;
            records[count].value = (kfetch_bytes){(const uint8_t *)bytes + used, length};
            used += length + 1;
            count++;
        }
        kfetch_status status = kfetch_log_writer_append(writer, records, count, NULL, &error);
        if (failed("append", status, &error))
            return false;
    }
    return !ferror(stdin);
}

static bool parse(int argc, char **argv, struct options *options)
{
    static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    bool ok = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-t") == 0 && i + 1 < argc) {
            options->topic = argv[++i];
        } else if (strcmp(argv[i], "-p") == 0 && i + 1 < argc) {
            options->partition = (int32_t)strtol(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "-z") == 0 && i + 1 < argc) {
            size_t codec = 0;
            i++;
            while (codec < 5 && strcmp(codecs[codec], argv[i]) != 0)
                codec++;
            ok = ok && codec < 5;
            options->codec = (int32_t)codec; /* in the order of kfetch_codec */
        } else {
            options->log_dir = argv[i];
        }
    }
    ok = ok && options->topic != NULL && options->log_dir != NULL;
    if (!ok)
        fputs("usage: write_log -t TOPIC [-p PARTITION] [-z CODEC] DIRECTORY\n", stderr);
    return ok;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    if (!parse(argc, argv, &options))
        return EXIT_FAILURE;
    kfetch_log_writer_options settings = {.size = sizeof settings, .codec = options.codec};
    kfetch_log_writer *writer = NULL;
    kfetch_error *error = NULL;
    kfetch_status status = kfetch_log_writer_open(options.log_dir, options.topic,
                                                  options.partition, &settings, &writer, &error);
    if (failed("open", status, &error))
        return EXIT_FAILURE;
    bool ok = append_lines(writer);
    if (ok)
        ok = !failed("flush", kfetch_log_writer_flush(writer, true, &error), &error);
    int64_t next = 0;
    if (ok)
        ok = !failed("offset", kfetch_log_writer_next_offset(writer, &next, &error), &error);
    if (failed("close", kfetch_log_writer_close(writer, &error), &error))
        ok = false;
    if (ok)
        printf("%s-%" PRId32 " ends at offset %" PRId64 "\n", options.topic, options.partition,
               next);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
