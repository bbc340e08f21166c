/* The log writer from C, read back through a consumer; argument: a directory. */
#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

static kfetch_bytes bytes(const char *text)
{
    return (kfetch_bytes){(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
}

static void check_refusals(const char *directory)
{
    kfetch_log_writer *writer = NULL;
    kfetch_error *error = NULL;
    const kfetch_status invalid = KFETCH_STATUS_INVALID_ARGUMENT;
    kfetch_log_writer_options options = {.size = sizeof options, .codec = 5};
    CHECK_STATUS(invalid, kfetch_log_writer_open(directory, "t", 0, &options, &writer, &error));
    CHECK(strstr(kfetch_error_message(error), "codec") != NULL);
    kfetch_error_free(error);
    options.size = 1;
    CHECK_STATUS(invalid, kfetch_log_writer_open(directory, "t", 0, &options, &writer, NULL));
    CHECK_STATUS(invalid, kfetch_log_writer_open(directory, "no name", 0, NULL, &writer, NULL));
    CHECK(writer == NULL);
}

static void check_child(kfetch_log_writer *writer)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        kfetch_new_record record = {.timestamp_ms = 1};
        CHECK_STATUS(KFETCH_STATUS_FORKED,
                     kfetch_log_writer_append(writer, &record, 1, NULL, NULL));
        CHECK_STATUS(KFETCH_STATUS_FORKED, kfetch_log_writer_close(writer, NULL));
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void check_written(const char *directory)
{
    kfetch_config *config = kfetch_config_new();
    kfetch_consumer *consumer = NULL;
    CHECK_OK(kfetch_config_set(config, "log.dirs", directory, NULL));
    CHECK_OK(kfetch_consumer_new(config, &consumer, NULL));
    kfetch_topic_partition partition = {"t", 0};
    int64_t beginning = KFETCH_OFFSET_BEGINNING;
    CHECK_OK(kfetch_consumer_assign_at(consumer, &partition, &beginning, 1, NULL));
    kfetch_record found[4];
    size_t count = 0, filled;
    kfetch_records *handles[4] = {NULL, NULL, NULL, NULL};
    for (int i = 0; count < 3; i++) {
        CHECK(i < 4);
        CHECK_OK(kfetch_consumer_poll(consumer, 20000, &handles[i], NULL));
        CHECK_OK(kfetch_records_fill(handles[i], 0, found + count, 4 - count, sizeof *found,
                                     &filled));
        count += filled;
    }
    CHECK(count == 3 && found[0].timestamp_ms == 1000 && found[2].timestamp_ms > 1600000000000);
    CHECK(found[0].key.len == 1 && found[0].key.data[0] == 'k');
    CHECK(found[0].value.len == 5 && memcmp(found[0].value.data, "value", 5) == 0);
    CHECK(found[0].header_count == 2 && found[1].header_count == 0);
    CHECK(found[1].key.data == NULL && found[1].value.data != NULL && found[1].value.len == 0);
    CHECK(found[2].value.data == NULL);
    kfetch_header headers[2];
    CHECK_OK(kfetch_records_headers(handles[0], 0, headers, 2, &filled));
    CHECK(filled == 2 && headers[0].value.len == 1 && headers[1].value.data == NULL);
    for (int i = 0; i < 4; i++)
        kfetch_records_free(handles[i]);
    CHECK_OK(kfetch_consumer_close(consumer, 20000, NULL));
    kfetch_consumer_free(consumer);
    kfetch_config_free(config);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    check_refusals(argv[1]);
    kfetch_log_writer *writer = NULL, *second = NULL;
    kfetch_log_writer_options options = {.size = sizeof options, .codec = KFETCH_CODEC_ZSTD};
    CHECK_OK(kfetch_log_writer_open(argv[1], "t", 0, &options, &writer, NULL));
    CHECK_STATUS(KFETCH_STATUS_LOCKED,
                 kfetch_log_writer_open(argv[1], "t", 0, NULL, &second, NULL));
    kfetch_header headers[2] = {{bytes("a"), bytes("1")}, {bytes("a"), bytes(NULL)}};
    kfetch_new_record records[3] = {
        {.timestamp_ms = 1000, .key = bytes("k"), .value = bytes("value"), .headers = headers,
         .header_count = 2},
        {.timestamp_ms = 1001, .value = bytes("")},
        {.timestamp_ms = -1, .key = bytes("tombstone")},
    };
    int64_t offset = -1;
    CHECK_OK(kfetch_log_writer_append(writer, records, 2, &offset, NULL));
    CHECK(offset == 0);
    kfetch_header keyless = {bytes(NULL), bytes("1")};
    kfetch_new_record bad[2] = {{.headers = &keyless, .header_count = 1}, {.header_count = 1}};
    for (int i = 0; i < 2; i++)
        CHECK_STATUS(KFETCH_STATUS_INVALID_ARGUMENT,
                     kfetch_log_writer_append(writer, &bad[i], 1, &offset, NULL));
    CHECK_OK(kfetch_log_writer_append(writer, &records[2], 1, &offset, NULL));
    CHECK(offset == 2);
    CHECK_OK(kfetch_log_writer_flush(writer, true, NULL));
    CHECK_OK(kfetch_log_writer_next_offset(writer, &offset, NULL));
    CHECK(offset == 3);
    check_child(writer);
    CHECK_OK(kfetch_log_writer_close(writer, NULL));
    check_written(argv[1]);
    CHECK_OK(kfetch_log_writer_open(argv[1], "t", 0, NULL, &writer, NULL));
    CHECK_OK(kfetch_log_writer_next_offset(writer, &offset, NULL));
    CHECK(offset == 3);
    CHECK_OK(kfetch_log_writer_close(writer, NULL));
    return 0;
}
