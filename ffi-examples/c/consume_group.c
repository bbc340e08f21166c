/*
 * Consumes topics as a member of a group, writes each record, and commits what has been written:
 *
 *     consume_group -g billing -t orders -t returns bootstrap.servers=localhost:9092
 *
 * name=value is any property that a Kafka consumer knows. Start it several times and the partitions
 * are shared; end it with Ctrl-C and the others take over where it stopped.
 */
#include <kfetch.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Records are taken over from the handle in portions of this many. */
enum { BATCH = 256 };

static volatile sig_atomic_t is_stopped;
static kfetch_consumer *volatile stoppable;

static void stop(int signal_number)
{
    (void)signal_number;
    is_stopped = 1;
    kfetch_consumer_wakeup(stoppable);
}

/* Tells what went wrong, frees the error, and returns whether something did. */
static bool failed(const char *what, kfetch_status status, kfetch_error **error)
{
    if (status != KFETCH_STATUS_OK)
        fprintf(stderr, "consume_group: %s: %s (%s)\n", what, kfetch_error_message(*error),
                kfetch_status_name(status));
    kfetch_error_free(*error);
    *error = NULL;
    return status != KFETCH_STATUS_OK;
}

/* Is told inside of poll and close which partitions come and go. What was written is committed
 * already, else a commit would belong here, while revoked partitions are still this member's. */
static void rebalanced(kfetch_consumer *consumer, kfetch_rebalance_event event,
                       const kfetch_topic_partition *partitions, size_t count, void *opaque)
{
    static const char *const words[] = {"", "assigned", "revoked", "lost"};
    (void)consumer;
    (void)opaque;
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "consume_group: %s %s-%" PRId32 "\n", words[event], partitions[i].topic,
                partitions[i].partition);
}

static void write_bytes(kfetch_bytes bytes)
{
    if (bytes.data == NULL)
        fputs("NULL", stdout);
    else
        fwrite(bytes.data, 1, bytes.len, stdout);
}

static void write_records(const kfetch_records *records)
{
    const kfetch_run *runs = kfetch_records_runs(records, NULL);
    kfetch_record batch[BATCH];
    size_t count;
    for (size_t at = 0; at < kfetch_records_count(records); at += count) {
        if (kfetch_records_fill(records, at, batch, BATCH, sizeof *batch, &count) !=
            KFETCH_STATUS_OK)
            abort(); /* only wrong arguments can bring that about */
        for (size_t i = 0; i < count; i++) {
            const kfetch_run *run = &runs[batch[i].run];
            printf("%s-%" PRId32 " @%" PRId64 " ", run->topic, run->partition, batch[i].offset);
            write_bytes(batch[i].key);
            putchar(' ');
            write_bytes(batch[i].value);
            putchar('\n');
        }
    }
}

/* Tells what happened to partitions; false where one gives nothing any more. */
static bool take_events(const kfetch_records *records)
{
    size_t count;
    bool ok = true;
    const kfetch_event *events = kfetch_records_events(records, &count);
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, "consume_group: %s\n", events[i].text);
        ok = ok && !(events[i].kind == KFETCH_EVENT_KIND_FAILED && events[i].is_sticky);
    }
    return ok;
}

/* Polls, writes and commits until it is stopped. */
static bool consume(kfetch_consumer *consumer)
{
    while (!is_stopped) {
        kfetch_records *records = NULL;
        kfetch_error *error = NULL;
        kfetch_status status =
            kfetch_consumer_poll(consumer, KFETCH_TIMEOUT_NONE, &records, &error);
        if (status == KFETCH_STATUS_WAKEUP || kfetch_error_is_retriable(error)) {
            kfetch_error_free(error);
            continue;
        }
        if (failed("poll", status, &error))
            return false;
        write_records(records); /* NULL, after a signal, has no records */
        bool ok = take_events(records) && fflush(stdout) == 0;
        /* Only now, so that a crash repeats records and loses none. */
        if (ok && kfetch_records_count(records) > 0)
            status = kfetch_consumer_commit_records(consumer, records, KFETCH_TIMEOUT_NONE, &error);
        kfetch_records_free(records);
        /* A rebalance may be in the way: whoever gets the partitions then reads these again. */
        failed("commit", status, &error);
        if (!ok)
            return false;
    }
    return true;
}

/* Sets the property of an argument such as "fetch.min.bytes=1024". */
static bool set_property(kfetch_config *config, const char *argument)
{
    kfetch_error *error = NULL;
    if (strchr(argument, '=') == NULL) {
        fprintf(stderr, "consume_group: '%s' is not name=value\n", argument);
        return false;
    }
    return !failed("configuration", kfetch_config_parse(config, argument, &error), &error);
}

static bool parse(int argc, char **argv, kfetch_config *config, const char **topics, size_t *count)
{
    const char *group = NULL;
    kfetch_config_set(config, "auto.offset.reset", "earliest", NULL);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-t") == 0 && i + 1 < argc)
            topics[(*count)++] = argv[++i];
        else if (strcmp(argv[i], "-g") == 0 && i + 1 < argc)
            group = argv[++i];
        else if (!set_property(config, argv[i]))
            return false;
    }
    if (group == NULL || *count == 0) {
        fputs("usage: consume_group -g GROUP -t TOPIC... name=value...\n", stderr);
        return false;
    }
    kfetch_config_set(config, "group.id", group, NULL);
    /* This program commits by itself. */
    return set_property(config, "enable.auto.commit=false");
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    const char **topics = calloc((size_t)argc, sizeof *topics);
    size_t topic_count = 0;
    kfetch_consumer *consumer = NULL;
    kfetch_error *error = NULL;
    kfetch_config *config = kfetch_config_new();
    bool ok = topics != NULL && parse(argc, argv, config, topics, &topic_count);
    if (ok)
        ok = !failed("consumer", kfetch_consumer_new(config, &consumer, &error), &error);
    kfetch_config_free(config);
    stoppable = consumer;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (ok)
        ok = !failed("callback",
                     kfetch_consumer_set_rebalance_callback(consumer, rebalanced, NULL, &error),
                     &error) &&
             !failed("subscribe",
                     kfetch_consumer_subscribe(consumer, topics, topic_count, &error), &error) &&
             consume(consumer);
    /* Leaves the group, so that the others need not wait for the session's end. */
    if (consumer != NULL && failed("close", kfetch_consumer_close(consumer, 10000, &error), &error))
        ok = false;
    stoppable = NULL;
    kfetch_consumer_free(consumer);
    free(topics);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
