/*
 * Reads back what `kfetch log generate` has written, verifies every record, and tells how fast
 * that went and what it cost:
 *
 *     kfetch log generate -t demo --partitions 4 --records 4000000 data
 *     verify_generated data demo 4 4000000
 *
 * Record n of such a topic went to partition n modulo their number, has n in decimal at the
 * beginning of its value, and a time stamp n ms after the first record's.
 */
#include <kfetch.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

/* Records are taken over from the handle in portions of this many. */
enum { BATCH = 512, PARTITIONS_MAX = 1024 };

/* The time stamp of record 0. */
static const int64_t START_MS = 1600000000000;

struct state {
    int64_t partitions;
    int64_t records_left;
    uint64_t bytes;
    int64_t next_offset[PARTITIONS_MAX];
};

/* Tells what went wrong, frees the error, and returns whether something did. */
static bool failed(const char *what, kfetch_status status, kfetch_error **error)
{
    if (status == KFETCH_STATUS_OK)
        return false;
    fprintf(stderr, "verify_generated: %s: %s (%s)\n", what, kfetch_error_message(*error),
            kfetch_status_name(status));
    kfetch_error_free(*error);
    *error = NULL;
    return true;
}

/* Reads the decimal at the beginning of a value; -1 where there is none. */
static int64_t leading_number(kfetch_bytes value)
{
    int64_t number = 0;
    size_t at = 0;
    for (; at < value.len && value.data[at] >= '0' && value.data[at] <= '9' && at < 18; at++)
        number = number * 10 + (value.data[at] - '0');
    return at == 0 ? -1 : number;
}

/* Holds a record to what it must be. */
static bool verify(struct state *state, int32_t partition, const kfetch_record *record)
{
    int64_t offset = state->next_offset[partition]++;
    int64_t number = offset * state->partitions + partition;
    state->bytes += record->key.len + record->value.len;
    state->records_left--;
    if (record->offset == offset && leading_number(record->value) == number &&
        record->timestamp_ms == START_MS + number && record->key.len > 0)
        return true;
    fprintf(stderr, "verify_generated: partition %" PRId32 ": expected record %" PRId64
            " at offset %" PRId64 ", found offset %" PRId64 ", '%.*s'\n",
            partition, number, offset, record->offset, (int)record->value.len,
            (const char *)record->value.data);
    return false;
}

/* Verifies the records of a handle, in bulk; no event is expected. */
static bool take(struct state *state, const kfetch_records *records)
{
    size_t event_count, count;
    const kfetch_event *events = kfetch_records_events(records, &event_count);
    for (size_t i = 0; i < event_count; i++)
        fprintf(stderr, "verify_generated: %s\n", events[i].text);
    const kfetch_run *runs = kfetch_records_runs(records, NULL);
    static kfetch_record batch[BATCH];
    for (size_t at = 0; at < kfetch_records_count(records); at += count) {
        kfetch_status status =
            kfetch_records_fill(records, at, batch, BATCH, sizeof *batch, &count);
        if (status != KFETCH_STATUS_OK)
            return false;
        for (size_t i = 0; i < count; i++)
            if (!verify(state, runs[batch[i].run].partition, &batch[i]))
                return false;
    }
    return event_count == 0;
}

/* Polls until every record has come; nothing may keep it waiting for long. */
static bool read_all(kfetch_consumer *consumer, struct state *state)
{
    while (state->records_left > 0) {
        kfetch_records *records = NULL;
        kfetch_error *error = NULL;
        kfetch_status status = kfetch_consumer_poll(consumer, 10000, &records, &error);
        if (failed("poll", status, &error))
            return false;
        if (records == NULL) {
            fprintf(stderr, "verify_generated: %" PRId64 " records are missing\n",
                    state->records_left);
            return false;
        }
        bool is_right = take(state, records);
        kfetch_records_free(records);
        if (!is_right)
            return false;
    }
    return true;
}

static kfetch_consumer *open_consumer(const char *directory, const char *topic, int32_t partitions)
{
    kfetch_topic_partition assigned[PARTITIONS_MAX];
    kfetch_consumer *consumer = NULL;
    kfetch_error *error = NULL;
    kfetch_config *config = kfetch_config_new();
    kfetch_config_set(config, "auto.offset.reset", "earliest", NULL);
    kfetch_status status = kfetch_config_set(config, "log.dirs", directory, &error);
    if (!failed("log.dirs", status, &error))
        failed("consumer", kfetch_consumer_new(config, &consumer, &error), &error);
    kfetch_config_free(config);
    if (consumer == NULL)
        return NULL;
    for (int32_t i = 0; i < partitions; i++)
        assigned[i] = (kfetch_topic_partition){topic, i};
    status = kfetch_consumer_assign(consumer, assigned, (size_t)partitions, &error);
    if (!failed("assign", status, &error))
        return consumer;
    kfetch_consumer_free(consumer);
    return NULL;
}

static double seconds(struct timespec time) { return (double)time.tv_sec + time.tv_nsec / 1e9; }

static double clock_seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return seconds(now);
}

int main(int argc, char **argv)
{
    static struct state state;
    int64_t total = argc == 5 ? atoll(argv[4]) : -1;
    state.partitions = argc == 5 ? atoll(argv[3]) : 0;
    state.records_left = total;
    if (total < 0 || state.partitions < 1 || state.partitions > PARTITIONS_MAX) {
        fputs("usage: verify_generated DIRECTORY TOPIC PARTITIONS RECORDS\n", stderr);
        return 2;
    }
    kfetch_consumer *consumer = open_consumer(argv[1], argv[2], (int32_t)state.partitions);
    if (consumer == NULL)
        return EXIT_FAILURE;
    double start = clock_seconds(CLOCK_MONOTONIC), cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    bool ok = read_all(consumer, &state);
    cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    double wall = clock_seconds(CLOCK_MONOTONIC) - start;
    kfetch_consumer_free(consumer);
    if (!ok)
        return EXIT_FAILURE;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("verified:       %" PRId64 " records in %.3f s, each with offset, key, value and time\n"
           "records/s:      %.1f million\n"
           "GB/s:           %.2f of keys and values\n"
           "CPU per record: %.1f ns, all threads and this check included\n"
           "peak memory:    %.1f MB, mapped segments included\n",
           total, wall, (double)total / wall / 1e6, (double)state.bytes / wall / 1e9,
           cpu * 1e9 / (double)total, (double)usage.ru_maxrss / 1e3);
    return EXIT_SUCCESS;
}
