/*
 * Scans log directories without a broker, such as a backup or a dead broker's disk, and tells for
 * each partition how many records it holds, their bytes, offsets and times:
 *
 *     scan_log /var/lib/kafka
 *
 * A directory that a live broker writes can be scanned too: nothing is locked or changed.
 */
#include <kfetch.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct summary {
    kfetch_topic_partition name;
    uint64_t records;
    uint64_t bytes;
    int64_t first_offset;
    int64_t last_offset;
    int64_t first_ms;
    int64_t last_ms;
};

/* Tells what went wrong, frees the error, and returns whether something did. */
static bool failed(const char *what, kfetch_status status, kfetch_error **error)
{
    if (status == KFETCH_STATUS_OK)
        return false;
    fprintf(stderr, "scan_log: %s: %s (%s)\n", what, kfetch_error_message(*error),
            kfetch_status_name(status));
    kfetch_error_free(*error);
    *error = NULL;
    return true;
}

/* Returns a summary for each partition of each topic; their names live as long as `topics`. */
static struct summary *list_partitions(const kfetch_topics *topics, size_t *count_out)
{
    size_t topic_count, count = 0;
    const kfetch_topic *items = kfetch_topics_items(topics, &topic_count);
    for (size_t i = 0; i < topic_count; i++)
        count += items[i].partition_count;
    struct summary *summaries = calloc(count + 1, sizeof *summaries);
    if (summaries == NULL)
        abort();
    struct summary *next = summaries;
    for (size_t i = 0; i < topic_count; i++)
        for (size_t p = 0; p < items[i].partition_count; p++)
            (next++)->name =
                (kfetch_topic_partition){items[i].name, items[i].partitions[p].partition};
    *count_out = count;
    return summaries;
}

/* Adds the records of one run to a partition's summary. */
static void add_run(const kfetch_records *records, const kfetch_run *run, struct summary *summary)
{
    kfetch_record batch[256];
    size_t count, end = run->first + run->count;
    for (size_t at = run->first; at < end; at += count) {
        size_t wanted = end - at < 256 ? end - at : 256;
        if (kfetch_records_fill(records, at, batch, wanted, sizeof *batch, &count) !=
            KFETCH_STATUS_OK)
            abort(); /* only wrong arguments can bring that about */
        if (summary->records == 0) {
            summary->first_offset = batch[0].offset;
            summary->first_ms = batch[0].timestamp_ms;
        }
        for (size_t i = 0; i < count; i++)
            summary->bytes += batch[i].key.len + batch[i].value.len;
        summary->records += count;
        summary->last_offset = batch[count - 1].offset;
        summary->last_ms = batch[count - 1].timestamp_ms;
    }
}

/* Reads one partition from its beginning to its end. */
static bool scan(kfetch_consumer *consumer, struct summary *summary)
{
    kfetch_error *error = NULL;
    int64_t beginning = KFETCH_OFFSET_BEGINNING;
    kfetch_status status =
        kfetch_consumer_assign_at(consumer, &summary->name, &beginning, 1, &error);
    if (failed("assign", status, &error))
        return false;
    for (;;) {
        kfetch_records *records = NULL;
        status = kfetch_consumer_poll_limited(consumer, KFETCH_TIMEOUT_NONE, 4096, 0, &records,
                                              &error);
        if (failed("poll", status, &error))
            return false;
        size_t run_count, event_count;
        const kfetch_run *runs = kfetch_records_runs(records, &run_count);
        const kfetch_event *events = kfetch_records_events(records, &event_count);
        for (size_t i = 0; i < run_count; i++)
            add_run(records, &runs[i], summary);
        bool is_at_end = false, is_damaged = false;
        for (size_t i = 0; i < event_count; i++) {
            is_at_end |= events[i].kind == KFETCH_EVENT_KIND_END;
            is_damaged |= events[i].kind == KFETCH_EVENT_KIND_FAILED;
            if (events[i].kind == KFETCH_EVENT_KIND_FAILED)
                fprintf(stderr, "scan_log: %s\n", events[i].text);
        }
        kfetch_records_free(records);
        if (is_at_end || is_damaged)
            return !is_damaged;
    }
}

static void print_summary(const struct summary *summary)
{
    printf("%s-%" PRId32 ": %" PRIu64 " records, %" PRIu64 " bytes", summary->name.topic,
           summary->name.partition, summary->records, summary->bytes);
    if (summary->records > 0)
        printf(", offsets %" PRId64 " to %" PRId64 ", times %" PRId64 " to %" PRId64,
               summary->first_offset, summary->last_offset, summary->first_ms, summary->last_ms);
    putchar('\n');
}

/* Scans one partition after the other; one that is damaged does not keep the rest from it. */
static bool scan_all(kfetch_consumer *consumer)
{
    kfetch_topics *topics = NULL;
    kfetch_error *error = NULL;
    kfetch_status status =
        kfetch_consumer_list_topics(consumer, KFETCH_TIMEOUT_NONE, &topics, &error);
    if (failed("topics", status, &error))
        return false;
    size_t count;
    bool ok = true;
    struct summary *summaries = list_partitions(topics, &count);
    for (size_t i = 0; i < count; i++) {
        ok &= scan(consumer, &summaries[i]);
        print_summary(&summaries[i]);
    }
    free(summaries);
    kfetch_topics_free(topics);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: scan_log DIRECTORY[,DIRECTORY...]\n", stderr);
        return EXIT_FAILURE;
    }
    kfetch_error *error = NULL;
    kfetch_consumer *consumer = NULL;
    kfetch_config *config = kfetch_config_new();
    kfetch_status status = kfetch_config_set(config, "log.dirs", argv[1], &error);
    if (status == KFETCH_STATUS_OK)
        status = kfetch_config_set(config, "enable.partition.eof", "true", &error);
    if (status == KFETCH_STATUS_OK)
        status = kfetch_consumer_new(config, &consumer, &error);
    kfetch_config_free(config);
    if (failed("log directory", status, &error))
        return EXIT_FAILURE;
    bool ok = scan_all(consumer);
    if (failed("close", kfetch_consumer_close(consumer, 5000, &error), &error))
        ok = false;
    kfetch_consumer_free(consumer);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
