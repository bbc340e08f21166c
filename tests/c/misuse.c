/* Every function with NULL, calls after close, wrong arguments, a log callback that calls back. */
#include "check.h"

#include <unistd.h>

/* Nobody listens there. */
#define NOWHERE "127.0.0.1:1"

static kfetch_consumer *victim;
static int called;
static kfetch_status inside;
static int freed_inside;

static void call_back(int32_t level, const char *target, const char *text, void *opaque)
{
    CHECK(level >= KFETCH_LOG_LEVEL_ERROR && level <= KFETCH_LOG_LEVEL_TRACE);
    CHECK(target != NULL && text != NULL && opaque == &called);
    if (victim != NULL && __atomic_load_n(&called, __ATOMIC_SEQ_CST) == 0) {
        kfetch_records *records = NULL;
        inside = kfetch_consumer_poll(victim, KFETCH_TIMEOUT_NONE, &records, NULL);
        kfetch_consumer_free(victim); /* does nothing here */
        freed_inside = 1;
        __atomic_store_n(&called, 1, __ATOMIC_SEQ_CST);
    }
}

static void check_null_status(void)
{
    const kfetch_status invalid = KFETCH_STATUS_INVALID_ARGUMENT;
    CHECK_STATUS(invalid, kfetch_config_set(NULL, NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_config_load_file(NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_config_parse(NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_config_get(NULL, NULL, NULL, 0, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_engine_new(NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_new(NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_new_with_engine(NULL, NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_close(NULL, 0, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_poll(NULL, 0, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_poll_limited(NULL, 0, 0, 0, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_assign(NULL, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_assign_at(NULL, NULL, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_incremental_assign(NULL, NULL, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_incremental_unassign(NULL, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_unassign(NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_assignment(NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_pause(NULL, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_resume(NULL, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_paused(NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_partition_error(NULL, NULL, 0, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_seek(NULL, NULL, 0, 0, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_seek_many(NULL, NULL, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_seek_to_times(NULL, NULL, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_position(NULL, NULL, 0, 0, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_positions(NULL, NULL, 1, 0, NULL, NULL, NULL));
    CHECK_STATUS(invalid,
                 kfetch_consumer_offsets_for_times(NULL, NULL, NULL, 1, 0, NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_beginning_offsets(NULL, NULL, 1, 0, NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_end_offsets(NULL, NULL, 1, 0, NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_watermarks(NULL, NULL, 1, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_lag(NULL, NULL, 1, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_partitions_for(NULL, NULL, 0, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_list_topics(NULL, 0, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_records_fill(NULL, 0, NULL, 1, sizeof(kfetch_record), NULL));
    CHECK_STATUS(invalid, kfetch_records_headers(NULL, 0, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_records_column_bytes(NULL, 0, 0, 1, NULL, NULL));
    CHECK_STATUS(invalid,
                 kfetch_records_copy_column(NULL, 0, 0, 1, NULL, NULL, NULL, 0, NULL, NULL));
}

static void check_null_plain(void)
{
    kfetch_config_free(NULL);
    kfetch_engine_free(NULL);
    kfetch_consumer_free(NULL);
    kfetch_consumer_wakeup(NULL);
    kfetch_records_free(NULL);
    kfetch_records_retain(NULL);
    kfetch_partitions_free(NULL);
    kfetch_topics_free(NULL);
    kfetch_error_free(NULL);
    CHECK(kfetch_consumer_fd(NULL) == -1);
    CHECK(kfetch_error_status(NULL) == KFETCH_STATUS_OK);
    CHECK(!kfetch_error_is_retriable(NULL) && !kfetch_error_is_fatal(NULL));
    CHECK(kfetch_error_topic(NULL) == NULL && kfetch_error_partition(NULL) == -1);
    CHECK(kfetch_error_offset(NULL) == -1 && strcmp(kfetch_error_message(NULL), "") == 0);
    size_t count = 7;
    CHECK(kfetch_records_count(NULL) == 0);
    CHECK(kfetch_records_runs(NULL, &count) == NULL && count == 0);
    CHECK(kfetch_records_events(NULL, NULL) == NULL);
    CHECK(kfetch_partitions_items(NULL, NULL) == NULL && kfetch_topics_items(NULL, NULL) == NULL);
}

/* Each output and each input that a living consumer is not given. */
static void check_null_arguments(kfetch_consumer *consumer)
{
    const kfetch_status invalid = KFETCH_STATUS_INVALID_ARGUMENT;
    kfetch_topic_partition nameless = {NULL, 0};
    int64_t offset = 5;
    kfetch_error *error = NULL;
    CHECK_STATUS(invalid, kfetch_consumer_poll(consumer, 0, NULL, &error));
    CHECK(strcmp(kfetch_error_message(error), "records_out is NULL") == 0);
    kfetch_error_free(error);
    CHECK_STATUS(invalid, kfetch_consumer_assign(consumer, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_assign(consumer, &nameless, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_seek(consumer, NULL, 0, 0, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_position(consumer, NULL, 0, 0, &offset, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_position(consumer, "t", 0, 0, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_partitions_for(consumer, NULL, 0, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_list_topics(consumer, 0, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_assignment(consumer, NULL, NULL));
    CHECK_OK(kfetch_consumer_assign(consumer, NULL, 0, NULL));
    CHECK(offset == 5);
}

static void check_wrong_arguments(kfetch_consumer *consumer)
{
    const kfetch_status invalid = KFETCH_STATUS_INVALID_ARGUMENT;
    kfetch_topic_partition twice[2] = {{"t", 0}, {"t", 0}};
    kfetch_topic_partition bad[3] = {{"no such name", 0}, {"t", -1}, {"\xff", 0}};
    int64_t offsets[2] = {-4, 0};
    CHECK_STATUS(invalid, kfetch_consumer_assign(consumer, twice, 2, NULL));
    for (size_t i = 0; i < 3; i++)
        CHECK_STATUS(invalid, kfetch_consumer_assign(consumer, &bad[i], 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_assign(consumer, twice, SIZE_MAX, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_assign_at(consumer, twice, offsets, 1, NULL));
    CHECK_STATUS(KFETCH_STATUS_STATE, kfetch_consumer_seek(consumer, "t", 0, 0, NULL));
    CHECK_STATUS(KFETCH_STATUS_STATE, kfetch_consumer_pause(consumer, twice, 1, NULL));
    kfetch_engine_options options = {.size = 8};
    kfetch_engine *engine = NULL;
    CHECK_STATUS(invalid, kfetch_engine_new(&options, &engine, NULL));
    CHECK(engine == NULL);
}

static void check_config(void)
{
    kfetch_config *config = kfetch_config_new();
    kfetch_error *error = NULL;
    CHECK_STATUS(KFETCH_STATUS_CONFIG, kfetch_config_set(config, "fetch.min.byte", "1", &error));
    CHECK(strstr(kfetch_error_message(error), "fetch.min.bytes") != NULL);
    CHECK(kfetch_error_status(error) == KFETCH_STATUS_CONFIG);
    kfetch_error_free(error);
    CHECK_STATUS(KFETCH_STATUS_CONFIG, kfetch_config_set(config, "fetch.min.bytes", "x", NULL));
    CHECK_OK(kfetch_config_parse(config, "fetch.min.bytes = 1\nfetch.min.bytes = 2\n", NULL));
    CHECK_STATUS(KFETCH_STATUS_IO, kfetch_config_load_file(config, "/no/such/file", NULL));
    char value[2];
    size_t length = 0;
    CHECK_OK(kfetch_config_get(config, "fetch.min.bytes", value, sizeof value, &length, NULL));
    CHECK(strcmp(value, "2") == 0 && length == 1);
    CHECK_STATUS(KFETCH_STATUS_BUFFER_TOO_SMALL,
                 kfetch_config_get(config, "fetch.min.bytes", value, 1, &length, NULL));
    CHECK_OK(kfetch_config_get(config, "client.rack", value, sizeof value, &length, NULL));
    CHECK(length == 0);
    CHECK_STATUS(KFETCH_STATUS_CONFIG, kfetch_config_get(config, "x", value, 2, NULL, NULL));
    kfetch_consumer *consumer = NULL;
    CHECK_STATUS(KFETCH_STATUS_CONFIG, kfetch_consumer_new(config, &consumer, &error));
    CHECK(consumer == NULL && strstr(kfetch_error_message(error), "bootstrap.servers") != NULL);
    kfetch_error_free(error);
    kfetch_config_free(config);
}

static void check_closed(kfetch_consumer *consumer)
{
    const kfetch_status closed = KFETCH_STATUS_CLOSED;
    kfetch_records *records = NULL;
    kfetch_partitions *partitions = NULL;
    kfetch_error *error = NULL;
    int64_t lag;
    kfetch_topic_partition one = {"t", 0};
    CHECK_STATUS(closed, kfetch_consumer_poll(consumer, KFETCH_TIMEOUT_NONE, &records, &error));
    CHECK(records == NULL && kfetch_error_status(error) == closed);
    kfetch_error_free(error);
    CHECK_STATUS(closed, kfetch_consumer_assign(consumer, &one, 1, NULL));
    CHECK_STATUS(closed, kfetch_consumer_assignment(consumer, &partitions, NULL));
    CHECK_STATUS(closed, kfetch_consumer_lag(consumer, &one, 1, &lag, NULL));
    CHECK(kfetch_consumer_fd(consumer) == -1);
    kfetch_consumer_wakeup(consumer);
    CHECK_OK(kfetch_consumer_close(consumer, 0, NULL));
}

static void check_callback(void)
{
    kfetch_engine_options options = {.size = sizeof options, .log = call_back};
    options.log_opaque = &called;
    kfetch_engine *engine = NULL;
    CHECK_OK(kfetch_engine_new(&options, &engine, NULL));
    kfetch_config *config = new_config(NOWHERE);
    CHECK_OK(kfetch_consumer_new_with_engine(engine, config, &victim, NULL));
    kfetch_config_free(config);
    kfetch_engine_free(engine);
    /* The refused connection is told to the callback, on the engine's thread. */
    kfetch_topics *topics = NULL;
    while (__atomic_load_n(&called, __ATOMIC_SEQ_CST) == 0)
        CHECK_STATUS(KFETCH_STATUS_TIMEOUT,
                     kfetch_consumer_list_topics(victim, 200, &topics, NULL));
    CHECK_STATUS(KFETCH_STATUS_STATE, inside);
    CHECK(freed_inside);
    CHECK_OK(kfetch_consumer_close(victim, 10000, NULL));
    kfetch_consumer_free(victim);
}

int main(void)
{
    CHECK(strcmp(kfetch_version(), KFETCH_VERSION) == 0);
    check_null_status();
    check_null_plain();
    check_config();
    kfetch_consumer *consumer = new_consumer(NOWHERE);
    check_null_arguments(consumer);
    check_wrong_arguments(consumer);
    CHECK_OK(kfetch_consumer_close(consumer, 10000, NULL));
    check_closed(consumer);
    kfetch_consumer_free(consumer);
    check_callback();
    return 0;
}
