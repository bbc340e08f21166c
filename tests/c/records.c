/*
 * What polls return, from a topic that the test has filled; arguments: NAME=VALUE TOPIC.
 *
 * Partition 0 has 3000 records, number i at offset i with time FIRST_MS + i, key "key-i" (null
 * where i % 7 is 0), value "value-i" (null where it is 1, empty where it is 3) and, where it is 2,
 * headers a=1, a=null and ""="". Partition 1 has 10 of the same kind.
 */
#include "check.h"

#include <pthread.h>

#define FIRST_MS 1600000000000
enum { COUNT = 3000, OTHER_COUNT = 10 };

static const char *topic;
static kfetch_config *config;

static kfetch_consumer *open_at(int64_t offset)
{
    kfetch_consumer *consumer = NULL;
    kfetch_topic_partition zero = {topic, 0};
    CHECK_OK(kfetch_consumer_new(config, &consumer, NULL));
    CHECK_OK(kfetch_consumer_assign_at(consumer, &zero, &offset, 1, NULL));
    return consumer;
}

static void end(kfetch_consumer *consumer)
{
    CHECK_OK(kfetch_consumer_close(consumer, 20000, NULL));
    kfetch_consumer_free(consumer);
}

static kfetch_records *next(kfetch_consumer *consumer)
{
    kfetch_records *records = NULL;
    CHECK_OK(kfetch_consumer_poll_limited(consumer, 20000, COUNT, 0, &records, NULL));
    CHECK(records != NULL);
    return records;
}

static bool is_text(kfetch_bytes bytes, const char *name, int64_t number)
{
    char text[40];
    int length = snprintf(text, sizeof text, "%s-%lld", name, (long long)number);
    return bytes.data != NULL && bytes.len == (size_t)length &&
           memcmp(bytes.data, text, bytes.len) == 0;
}

static void check_record(const kfetch_record *record, int64_t number)
{
    int kind = (int)(number % 7);
    CHECK(record->offset == number && record->timestamp_ms == FIRST_MS + number);
    CHECK(kind == 0 ? record->key.data == NULL && record->key.len == 0
                    : is_text(record->key, "key", number));
    CHECK(kind == 1   ? record->value.data == NULL && record->value.len == 0
          : kind == 3 ? record->value.data != NULL && record->value.len == 0
                      : is_text(record->value, "value", number));
    CHECK(record->header_count == (kind == 2 ? 3U : 0U));
}

static void check_headers(const kfetch_records *records, size_t place, int64_t number)
{
    kfetch_header headers[4];
    size_t count = 9;
    CHECK_OK(kfetch_records_headers(records, place, headers, 4, &count));
    CHECK(count == (number % 7 == 2 ? 3U : 0U));
    if (count == 0)
        return;
    CHECK(headers[0].key.len == 1 && headers[0].key.data[0] == 'a');
    CHECK(headers[0].value.len == 1 && headers[0].value.data[0] == '1');
    CHECK(headers[1].key.len == 1 && headers[1].value.data == NULL);
    CHECK(headers[2].key.len == 0 && headers[2].key.data != NULL);
    CHECK(headers[2].value.len == 0 && headers[2].value.data != NULL);
    CHECK_OK(kfetch_records_headers(records, place, headers, 1, &count));
    CHECK(count == 1);
}

/* Reads partition 0 to its end and checks every record and event. */
static void check_all(void)
{
    kfetch_consumer *consumer = open_at(KFETCH_OFFSET_BEGINNING);
    int64_t number = 0;
    bool is_at_end = false;
    while (!is_at_end) {
        kfetch_records *records = next(consumer);
        size_t run_count, event_count, covered = 0;
        const kfetch_run *runs = kfetch_records_runs(records, &run_count);
        for (size_t i = 0; i < run_count; i++) {
            CHECK(strcmp(runs[i].topic, topic) == 0 && runs[i].partition == 0);
            CHECK(runs[i].first == covered && runs[i].count > 0);
            CHECK(runs[i].timestamp_type == KFETCH_TIMESTAMP_TYPE_CREATE_TIME);
            covered += runs[i].count;
        }
        CHECK(covered == kfetch_records_count(records));
        kfetch_record array[7];
        size_t count;
        for (size_t at = 0; at < covered; at += count) {
            CHECK_OK(kfetch_records_fill(records, at, array, 7, sizeof *array, &count));
            CHECK(count > 0);
            for (size_t i = 0; i < count; i++) {
                check_record(&array[i], number);
                check_headers(records, at + i, number);
                const kfetch_run *run = &runs[array[i].run];
                CHECK(at + i >= run->first && at + i < run->first + run->count);
                number++;
            }
        }
        if (run_count > 0)
            CHECK(runs[run_count - 1].next_offset == number);
        const kfetch_event *events = kfetch_records_events(records, &event_count);
        for (size_t i = 0; i < event_count; i++) {
            CHECK(events[i].kind == KFETCH_EVENT_KIND_END && events[i].offset == COUNT);
            CHECK(events[i].status == KFETCH_STATUS_OK && events[i].offset_before == -1);
            CHECK(strcmp(events[i].topic, topic) == 0 && strlen(events[i].text) > 0);
            is_at_end = true;
        }
        kfetch_records_free(records);
    }
    CHECK(number == COUNT);
    kfetch_stats stats;
    CHECK_OK(kfetch_consumer_stats(consumer, &stats, sizeof stats, NULL));
    CHECK(stats.records == COUNT && stats.events == 1 && stats.assigned_partitions == 1);
    CHECK(stats.delivered_bytes > COUNT && stats.memory_used_bytes <= stats.memory_limit_bytes);
    uint64_t longer[20] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    CHECK_OK(kfetch_consumer_stats(consumer, (kfetch_stats *)longer, 18 * 8, NULL));
    CHECK(longer[1] == COUNT && longer[16] == 0 && longer[17] == 0 && longer[18] == 7);
    end(consumer);
}

struct own_record {
    kfetch_record record;
    uint64_t own;
};

static void check_fill(const kfetch_records *records, int64_t first_number)
{
    size_t total = kfetch_records_count(records), count = 99;
    struct own_record *array = calloc(total + 1, sizeof *array);
    for (size_t i = 0; i <= total; i++)
        array[i].own = i;
    CHECK_OK(kfetch_records_fill(records, 0, &array[0].record, total + 1, sizeof *array, &count));
    CHECK(count == total);
    for (size_t i = 0; i <= total; i++)
        CHECK(array[i].own == i);
    for (size_t i = 0; i < total; i++)
        check_record(&array[i].record, first_number + (int64_t)i);
    CHECK(array[total].record.key.data == NULL && array[total].record.offset == 0);
    CHECK_OK(kfetch_records_fill(records, total, NULL, 0, sizeof *array, &count));
    CHECK(count == 0);
    CHECK_OK(kfetch_records_fill(records, SIZE_MAX, &array[0].record, 1, sizeof *array, &count));
    CHECK(count == 0);
    const kfetch_status invalid = KFETCH_STATUS_INVALID_ARGUMENT;
    kfetch_record *out = &array[0].record;
    CHECK_STATUS(invalid, kfetch_records_fill(records, 0, out, 1, 48, &count));
    CHECK_STATUS(invalid, kfetch_records_fill(records, 0, out, 1, 60, &count));
    CHECK_STATUS(invalid, kfetch_records_fill(records, 0, out, SIZE_MAX, 56, &count));
    CHECK_STATUS(invalid, kfetch_records_fill(records, 0, NULL, 1, 56, &count));
    CHECK_STATUS(invalid, kfetch_records_fill(records, 0, out, 1, 56, NULL));
    CHECK_STATUS(invalid, kfetch_records_headers(records, total, NULL, 0, &count));
    CHECK(count == 0);
    free(array);
}

static void check_column(const kfetch_records *records, int32_t column)
{
    size_t total = kfetch_records_count(records), bytes = 0, count = 0, copied = 0;
    CHECK_OK(kfetch_records_column_bytes(records, column, 0, total, &bytes, NULL));
    kfetch_record *array = calloc(total, sizeof *array);
    CHECK_OK(kfetch_records_fill(records, 0, array, total, sizeof *array, &count));
    int64_t *offsets = calloc(total + 1, sizeof *offsets);
    uint8_t *valid = calloc(total, 1), *data = malloc(bytes);
    /* In two parts, by a buffer that is one byte short. */
    CHECK_OK(kfetch_records_copy_column(records, column, 0, total, offsets, valid, data, bytes - 1,
                                        &copied, NULL));
    CHECK(copied > 0 && copied < total);
    for (int part = 0; part < 2; part++) {
        size_t first = part == 0 ? 0 : copied, rows = part == 0 ? copied : total - copied;
        if (part == 1)
            CHECK_OK(kfetch_records_copy_column(records, column, first, SIZE_MAX - 1, offsets,
                                                valid, data, bytes, &count, NULL));
        CHECK(offsets[0] == 0 && (part == 0 || count == rows));
        for (size_t i = 0; i < rows; i++) {
            const kfetch_record *record = &array[first + i];
            kfetch_bytes cell = column == KFETCH_COLUMN_KEY ? record->key : record->value;
            CHECK((valid[i] == 1) == (cell.data != NULL));
            CHECK((size_t)(offsets[i + 1] - offsets[i]) == cell.len);
            CHECK(cell.len == 0 || memcmp(data + offsets[i], cell.data, cell.len) == 0);
        }
    }
    CHECK_STATUS(KFETCH_STATUS_BUFFER_TOO_SMALL,
                 kfetch_records_copy_column(records, KFETCH_COLUMN_VALUE, 0, 1, offsets, NULL, data,
                                            1, &count, NULL));
    CHECK_STATUS(KFETCH_STATUS_INVALID_ARGUMENT,
                 kfetch_records_column_bytes(records, 9, 0, 1, &bytes, NULL));
    free(array);
    free(offsets);
    free(valid);
    free(data);
}

static void *read_and_free(void *opaque)
{
    kfetch_records *records = opaque;
    check_fill(records, 5);
    kfetch_records_free(records);
    return NULL;
}

/* Handles live on after seek, unassign, close and free, and end on any thread. */
static void check_handles(void)
{
    kfetch_consumer *consumer = open_at(5);
    kfetch_records *records = next(consumer);
    CHECK(kfetch_records_count(records) > 1);
    check_column(records, KFETCH_COLUMN_KEY);
    check_column(records, KFETCH_COLUMN_VALUE);
    kfetch_stats stats;
    CHECK_OK(kfetch_consumer_stats(consumer, &stats, sizeof stats, NULL));
    CHECK(stats.memory_held_bytes > 0);
    CHECK_OK(kfetch_consumer_seek(consumer, topic, 0, 100, NULL));
    kfetch_records *later = next(consumer);
    check_fill(later, 100);
    check_fill(records, 5);
    CHECK_OK(kfetch_consumer_unassign(consumer, NULL));
    kfetch_records_retain(records);
    pthread_t threads[2];
    end(consumer);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, read_and_free, records) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    kfetch_records_free(later);
}

static void check_offsets(void)
{
    kfetch_consumer *consumer = open_at(7);
    kfetch_topic_partition all[3] = {{topic, 0}, {topic, 1}, {topic, 77}};
    int64_t offsets[3], times[3] = {FIRST_MS + 9, FIRST_MS + 10, FIRST_MS};
    kfetch_status statuses[3];
    kfetch_error *error = NULL;
    CHECK_OK(kfetch_consumer_position(consumer, topic, 0, 20000, &offsets[0], NULL));
    CHECK(offsets[0] == 7);
    CHECK_OK(kfetch_consumer_positions(consumer, all, 2, 5000, offsets, statuses, NULL));
    CHECK(offsets[0] == 7 && offsets[1] == -1);
    CHECK(statuses[0] == KFETCH_STATUS_OK && statuses[1] == KFETCH_STATUS_STATE);
    CHECK_OK(kfetch_consumer_end_offsets(consumer, all, 3, 5000, offsets, statuses, NULL));
    CHECK(offsets[0] == COUNT && offsets[1] == OTHER_COUNT && offsets[2] == -1);
    CHECK(statuses[1] == KFETCH_STATUS_OK && statuses[2] != KFETCH_STATUS_OK);
    CHECK_OK(kfetch_consumer_beginning_offsets(consumer, all, 2, 20000, offsets, NULL, NULL));
    CHECK(offsets[0] == 0 && offsets[1] == 0);
    kfetch_status status =
        kfetch_consumer_end_offsets(consumer, all, 3, 2000, offsets, NULL, &error);
    CHECK(status == statuses[2] && kfetch_error_partition(error) == 77);
    CHECK(strcmp(kfetch_error_topic(error), topic) == 0);
    kfetch_error_free(error);
    kfetch_offset_and_timestamp found[2];
    CHECK_OK(kfetch_consumer_offsets_for_times(consumer, all, times, 2, 20000, found, statuses,
                                               NULL));
    CHECK(found[0].offset == 9 && found[0].timestamp_ms == FIRST_MS + 9);
    CHECK(found[1].offset == -1 && found[1].timestamp_ms == -1);
    kfetch_records_free(next(consumer));
    kfetch_watermarks watermarks[2];
    CHECK_OK(kfetch_consumer_watermarks(consumer, all, 2, watermarks, NULL));
    CHECK(watermarks[0].high_watermark == COUNT && watermarks[1].high_watermark == -1);
    int64_t lags[2];
    CHECK_OK(kfetch_consumer_lag(consumer, all, 2, lags, NULL));
    CHECK(lags[0] >= 0 && lags[0] < COUNT - 7 && lags[1] == -1);
    CHECK_OK(kfetch_consumer_seek_to_times(consumer, all, times, 1, NULL));
    CHECK_OK(kfetch_consumer_position(consumer, topic, 0, 20000, offsets, NULL));
    CHECK(offsets[0] == 9);
    end(consumer);
}

static void check_partitions(void)
{
    kfetch_consumer *consumer = open_at(0);
    kfetch_topic_partition one = {topic, 1};
    int64_t offset = 4;
    size_t count;
    CHECK_OK(kfetch_consumer_incremental_assign(consumer, &one, &offset, 1, NULL));
    CHECK_STATUS(KFETCH_STATUS_STATE,
                 kfetch_consumer_incremental_assign(consumer, &one, &offset, 1, NULL));
    kfetch_partitions *list = NULL;
    CHECK_OK(kfetch_consumer_assignment(consumer, &list, NULL));
    const kfetch_topic_partition *items = kfetch_partitions_items(list, &count);
    CHECK(count == 2 && strcmp(items[0].topic, topic) == 0);
    CHECK(items[0].partition + items[1].partition == 1);
    kfetch_partitions_free(list);
    kfetch_topic_partition zero = {topic, 0};
    CHECK_OK(kfetch_consumer_pause(consumer, &zero, 1, NULL));
    CHECK_OK(kfetch_consumer_paused(consumer, &list, NULL));
    items = kfetch_partitions_items(list, &count);
    CHECK(count == 1 && items[0].partition == 0);
    kfetch_partitions_free(list);
    kfetch_records *records = next(consumer);
    CHECK(kfetch_records_runs(records, NULL)[0].partition == 1);
    kfetch_records_free(records);
    CHECK_OK(kfetch_consumer_incremental_unassign(consumer, &one, 1, NULL));
    CHECK_OK(kfetch_consumer_resume(consumer, &zero, 1, NULL));
    records = next(consumer);
    CHECK(kfetch_records_runs(records, NULL)[0].partition == 0);
    kfetch_records_free(records);
    kfetch_topics *topics = NULL;
    CHECK_OK(kfetch_consumer_list_topics(consumer, 20000, &topics, NULL));
    const kfetch_topic *described = kfetch_topics_items(topics, &count);
    bool is_listed = false;
    for (size_t i = 0; i < count; i++)
        is_listed |= strcmp(described[i].name, topic) == 0 && described[i].partition_count == 2;
    CHECK(is_listed);
    kfetch_topics_free(topics);
    end(consumer);
}

/* A sticky error is told once, can be asked for, and ends with a seek. */
static void check_sticky_error(void)
{
    CHECK_OK(kfetch_config_set(config, "auto.offset.reset", "none", NULL));
    kfetch_consumer *consumer = open_at(COUNT + 50);
    kfetch_records *records = next(consumer), *nothing = NULL;
    size_t count;
    const kfetch_event *event = kfetch_records_events(records, &count);
    CHECK(count == 1 && event->kind == KFETCH_EVENT_KIND_FAILED && event->is_sticky);
    CHECK_STATUS(KFETCH_STATUS_OFFSET_OUT_OF_RANGE, event->status);
    CHECK(kfetch_records_count(records) == 0 && kfetch_records_runs(records, NULL) == NULL);
    kfetch_records_free(records);
    CHECK_OK(kfetch_consumer_poll(consumer, 0, &nothing, NULL));
    CHECK(nothing == NULL);
    kfetch_error *error = NULL;
    CHECK_OK(kfetch_consumer_partition_error(consumer, topic, 0, &error, NULL));
    CHECK_STATUS(KFETCH_STATUS_OFFSET_OUT_OF_RANGE, kfetch_error_status(error));
    CHECK(kfetch_error_partition(error) == 0 && strcmp(kfetch_error_topic(error), topic) == 0);
    kfetch_error_free(error);
    CHECK_OK(kfetch_consumer_seek(consumer, topic, 0, 2995, NULL));
    CHECK_OK(kfetch_consumer_partition_error(consumer, topic, 0, &error, NULL));
    CHECK(error == NULL);
    records = next(consumer);
    check_fill(records, 2995);
    kfetch_records_free(records);
    end(consumer);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    char *value = strchr(argv[1], '=');
    CHECK(value != NULL);
    *value++ = '\0';
    config = kfetch_config_new();
    CHECK_OK(kfetch_config_set(config, argv[1], value, NULL));
    CHECK_OK(kfetch_config_set(config, "enable.partition.eof", "true", NULL));
    topic = argv[2];
    check_all();
    check_handles();
    check_offsets();
    check_partitions();
    check_sticky_error();
    kfetch_config_free(config);
    return 0;
}
