/*
 * Handles that the program keeps hold the memory budget; their free gives it back. Argument: a
 * directory.
 */
#include "check.h"

enum { COUNT = 8000, VALUE_BYTES = 1000, HANDLES = 4000 };

static void write_log(const char *directory)
{
    static const uint8_t value[VALUE_BYTES];
    kfetch_log_writer *writer = NULL;
    kfetch_new_record record = {.timestamp_ms = 1, .value = {value, sizeof value}};
    CHECK_OK(kfetch_log_writer_open(directory, "big", 0, NULL, &writer, NULL));
    for (int i = 0; i < COUNT; i++)
        CHECK_OK(kfetch_log_writer_append(writer, &record, 1, NULL, NULL));
    CHECK_OK(kfetch_log_writer_close(writer, NULL));
}

static kfetch_consumer *open_log(const char *directory)
{
    kfetch_config *config = kfetch_config_new();
    kfetch_consumer *consumer = NULL;
    CHECK_OK(kfetch_config_set(config, "log.dirs", directory, NULL));
    CHECK_OK(kfetch_config_set(config, "log.read.mode", "pread", NULL));
    CHECK_OK(kfetch_config_set(config, "kfetch.memory.max.bytes", "1048576", NULL));
    CHECK_OK(kfetch_consumer_new(config, &consumer, NULL));
    kfetch_config_free(config);
    kfetch_topic_partition partition = {"big", 0};
    int64_t beginning = KFETCH_OFFSET_BEGINNING;
    CHECK_OK(kfetch_consumer_assign_at(consumer, &partition, &beginning, 1, NULL));
    return consumer;
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    write_log(argv[1]);
    kfetch_consumer *consumer = open_log(argv[1]);
    static kfetch_records *handles[HANDLES];
    kfetch_error *error = NULL;
    size_t held = 0, records = 0;
    kfetch_status status;
    for (;;) {
        CHECK(held < HANDLES);
        kfetch_records **handle = &handles[held];
        status = kfetch_consumer_poll_limited(consumer, 20000, 10, 0, handle, &error);
        if (status != KFETCH_STATUS_OK)
            break;
        CHECK(*handle != NULL);
        records += kfetch_records_count(*handle);
        held++;
    }
    CHECK_STATUS(KFETCH_STATUS_BUDGET_HELD, status);
    CHECK(kfetch_error_is_retriable(error) && !kfetch_error_is_fatal(error));
    CHECK(strstr(kfetch_error_message(error), "1048576") != NULL);
    CHECK(held > 0 && records < COUNT);
    kfetch_error_free(error);
    for (size_t i = 0; i < held; i++)
        kfetch_records_free(handles[i]);
    while (records < COUNT) {
        kfetch_records *next = NULL;
        CHECK_OK(kfetch_consumer_poll(consumer, 20000, &next, NULL));
        CHECK(next != NULL);
        records += kfetch_records_count(next);
        kfetch_records_free(next);
    }
    CHECK(records == COUNT);
    CHECK_OK(kfetch_consumer_close(consumer, 20000, NULL));
    kfetch_consumer_free(consumer);
    return 0;
}
