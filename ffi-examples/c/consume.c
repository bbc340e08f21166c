/*
 * Reads a topic and writes its records to stdout, from brokers or from log directories:
 *
 *     consume -t orders bootstrap.servers=localhost:9092
 *     consume -t orders -e -q log.dirs=/var/lib/orders
 *
 * name=value is any property that a Kafka consumer knows. -e ends at the end of the topic, -q
 * writes a summary alone. It begins with the first record unless auto.offset.reset says otherwise.
 */
#include <kfetch.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Records are taken over from the handle in portions of this many. */
enum { BATCH = 256 };

struct options {
    const char *topic;
    bool until_end;
    bool quiet;
};

struct totals {
    uint64_t records;
    uint64_t bytes;
    size_t partitions_done;
    bool failed;
};

/* Tells what went wrong, frees the error, and returns whether something did. */
static bool failed(const char *what, kfetch_status status, kfetch_error **error)
{
    if (status == KFETCH_STATUS_OK)
        return false;
    fprintf(stderr, "consume: %s: %s (%s)\n", what, kfetch_error_message(*error),
            kfetch_status_name(status));
    kfetch_error_free(*error);
    *error = NULL;
    return true;
}

/* Sets the property of an argument such as "fetch.min.bytes=1024". */
static bool set_property(kfetch_config *config, const char *argument)
{
    const char *equals = strchr(argument, '=');
    char name[128];
    if (equals == NULL || (size_t)(equals - argument) >= sizeof name) {
        fprintf(stderr, "consume: '%s' is not name=value\n", argument);
        return false;
    }
    memcpy(name, argument, (size_t)(equals - argument));
    name[equals - argument] = '\0';
    kfetch_error *error = NULL;
    kfetch_status status = kfetch_config_set(config, name, equals + 1, &error);
    return !failed("configuration", status, &error);
}

/* Assigns all partitions of the topic; returns how many there are, 0 after an error. */
static size_t assign_topic(kfetch_consumer *consumer, const char *topic)
{
    kfetch_topics *topics = NULL;
    kfetch_error *error = NULL;
    kfetch_status status =
        kfetch_consumer_partitions_for(consumer, topic, KFETCH_TIMEOUT_NONE, &topics, &error);
    if (failed("topic", status, &error))
        return 0;
    const kfetch_topic *found = kfetch_topics_items(topics, NULL);
    size_t count = found->partition_count;
    kfetch_topic_partition *partitions = calloc(count + 1, sizeof *partitions);
    if (partitions == NULL)
        abort();
    for (size_t i = 0; i < count; i++)
        partitions[i] = (kfetch_topic_partition){topic, found->partitions[i].partition};
    status = kfetch_consumer_assign(consumer, partitions, count, &error);
    free(partitions);
    kfetch_topics_free(topics);
    return failed("assign", status, &error) ? 0 : count;
}

static void write_bytes(kfetch_bytes bytes)
{
    if (bytes.data == NULL)
        fputs("NULL", stdout);
    else
        fwrite(bytes.data, 1, bytes.len, stdout);
}

static void write_record(const kfetch_run *run, const kfetch_record *record)
{
    printf("%s-%" PRId32 " @%" PRId64 " ", run->topic, run->partition, record->offset);
    write_bytes(record->key);
    putchar(' ');
    write_bytes(record->value);
    putchar('\n');
}

/* Takes what one poll returned: the records in bulk, then what happened to partitions. */
static void take(const kfetch_records *records, const struct options *options,
                 struct totals *totals)
{
    const kfetch_run *runs = kfetch_records_runs(records, NULL);
    kfetch_record batch[BATCH];
    size_t count;
    for (size_t at = 0; at < kfetch_records_count(records); at += count) {
        kfetch_status status =
            kfetch_records_fill(records, at, batch, BATCH, sizeof *batch, &count);
        if (status != KFETCH_STATUS_OK)
            abort(); /* only wrong arguments can bring that about */
        for (size_t i = 0; i < count; i++) {
            totals->bytes += batch[i].key.len + batch[i].value.len;
            if (!options->quiet)
                write_record(&runs[batch[i].run], &batch[i]);
        }
        totals->records += count;
    }
    size_t event_count;
    const kfetch_event *events = kfetch_records_events(records, &event_count);
    for (size_t i = 0; i < event_count; i++) {
        const kfetch_event *event = &events[i];
        bool is_last = event->kind == KFETCH_EVENT_KIND_FAILED && event->is_sticky;
        if (event->kind != KFETCH_EVENT_KIND_END)
            fprintf(stderr, "consume: %s (%s)\n", event->text, kfetch_status_name(event->status));
        totals->failed |= is_last;
        totals->partitions_done += is_last || event->kind == KFETCH_EVENT_KIND_END;
    }
}

/* Polls until the end of all partitions, or for ever. */
static bool consume(kfetch_consumer *consumer, const struct options *options, struct totals *totals)
{
    size_t partitions = assign_topic(consumer, options->topic);
    if (partitions == 0)
        return false;
    while (!options->until_end || totals->partitions_done < partitions) {
        kfetch_records *records = NULL;
        kfetch_error *error = NULL;
        kfetch_status status =
            kfetch_consumer_poll(consumer, KFETCH_TIMEOUT_NONE, &records, &error);
        if (failed("poll", status, &error))
            return false;
        take(records, options, totals); /* NULL, after a signal, has no records */
        kfetch_records_free(records);
        if (fflush(stdout) != 0 || (!options->until_end && totals->failed))
            return false;
    }
    return !totals->failed;
}

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool parse(int argc, char **argv, kfetch_config *config, struct options *options)
{
    kfetch_config_set(config, "auto.offset.reset", "earliest", NULL);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-t") == 0 && i + 1 < argc)
            options->topic = argv[++i];
        else if (strcmp(argv[i], "-e") == 0)
            options->until_end = true;
        else if (strcmp(argv[i], "-q") == 0)
            options->quiet = true;
        else if (!set_property(config, argv[i]))
            return false;
    }
    if (options->until_end && !set_property(config, "enable.partition.eof=true"))
        return false;
    if (options->topic == NULL)
        fputs("usage: consume -t TOPIC [-e] [-q] name=value...\n", stderr);
    return options->topic != NULL;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct totals totals = {0};
    kfetch_consumer *consumer = NULL;
    kfetch_error *error = NULL;
    kfetch_config *config = kfetch_config_new();
    bool ok = parse(argc, argv, config, &options);
    if (ok)
        ok = !failed("consumer", kfetch_consumer_new(config, &consumer, &error), &error);
    kfetch_config_free(config);
    double start = now_seconds();
    if (ok)
        ok = consume(consumer, &options, &totals);
    double seconds = now_seconds() - start;
    if (consumer != NULL && failed("close", kfetch_consumer_close(consumer, 5000, &error), &error))
        ok = false;
    kfetch_consumer_free(consumer);
    if (ok && options.quiet)
        printf("%" PRIu64 " records, %" PRIu64 " bytes in %.3f s: %.0f records/s, %.3f GB/s\n",
               totals.records, totals.bytes, seconds, (double)totals.records / seconds,
               (double)totals.bytes / seconds / 1e9);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
