/*
 * The static library beside another copy of zstd and another library written in Rust: each works
 * with its own. Argument: a directory.
 */
#include "check.h"

#include <zstd.h>

/* The other Rust library's. */
size_t other_rust_threads(size_t count);

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    char packed[256], text[] = "the same words, the same words, the same words";
    size_t length = ZSTD_compress(packed, sizeof packed, text, sizeof text, 3);
    CHECK(!ZSTD_isError(length) && length < sizeof text);
    CHECK(other_rust_threads(4) == 4);

    kfetch_log_writer *writer = NULL;
    kfetch_log_writer_options options = {.size = sizeof options, .codec = KFETCH_CODEC_ZSTD};
    CHECK_OK(kfetch_log_writer_open(argv[1], "t", 0, &options, &writer, NULL));
    kfetch_new_record record = {.timestamp_ms = 1};
    record.value = (kfetch_bytes){(const uint8_t *)text, sizeof text};
    CHECK_OK(kfetch_log_writer_append(writer, &record, 1, NULL, NULL));
    CHECK_OK(kfetch_log_writer_close(writer, NULL));

    kfetch_config *config = kfetch_config_new();
    kfetch_consumer *consumer = NULL;
    kfetch_records *records = NULL;
    kfetch_topic_partition partition = {"t", 0};
    int64_t beginning = KFETCH_OFFSET_BEGINNING;
    CHECK_OK(kfetch_config_set(config, "log.dirs", argv[1], NULL));
    CHECK_OK(kfetch_consumer_new(config, &consumer, NULL));
    CHECK_OK(kfetch_consumer_assign_at(consumer, &partition, &beginning, 1, NULL));
    CHECK_OK(kfetch_consumer_poll(consumer, 20000, &records, NULL));
    kfetch_record found;
    size_t count = 0;
    CHECK_OK(kfetch_records_fill(records, 0, &found, 1, sizeof found, &count));
    CHECK(count == 1 && found.value.len == sizeof text);
    CHECK(memcmp(found.value.data, text, sizeof text) == 0);
    kfetch_records_free(records);
    CHECK_OK(kfetch_consumer_close(consumer, 20000, NULL));
    kfetch_consumer_free(consumer);
    kfetch_config_free(config);
    return 0;
}
