/*
 * What can go wrong where, and what a program does about it. It reads partition 0 of a topic from
 * an offset to the end, writes nothing but what happens, and has an engine of its own for the
 * sake of its log callback:
 *
 *     error_handling bootstrap.servers=localhost:9092 orders 1234567
 *
 *   the status of a call      the call did not do its work; the error has the text
 *   the status of a poll      concerns the whole consumer
 *   an event of a handle      concerns one partition; the others go on
 *   a message of the log      the engine is about to try again by itself
 */
#include <kfetch.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What to do after a poll or an event. */
enum verdict { GO_ON, FINISHED, GIVE_UP };

/* Called on the engine's threads too: writes one line, calls nothing of kfetch. */
static void log_message(int32_t level, const char *target, const char *text, void *opaque)
{
    (void)opaque;
    const char *name = level == KFETCH_LOG_LEVEL_ERROR  ? "error"
                       : level == KFETCH_LOG_LEVEL_WARN ? "warning"
                                                        : "note";
    fprintf(stderr, "%s: %s: %s\n", name, target, text);
}

/* Shows everything that an error knows, frees it, and returns whether there was one. */
static bool failed(const char *what, kfetch_status status, kfetch_error **error)
{
    if (status == KFETCH_STATUS_OK)
        return false;
    fprintf(stderr, "%s: %s (%s, %d)\n", what, kfetch_error_message(*error),
            kfetch_status_name(status), (int)status);
    if (kfetch_error_topic(*error) != NULL)
        fprintf(stderr, "  topic %s, partition %" PRId32 ", offset %" PRId64 "\n",
                kfetch_error_topic(*error), kfetch_error_partition(*error),
                kfetch_error_offset(*error));
    if (kfetch_error_is_retriable(*error))
        fputs("  the same call may succeed later\n", stderr);
    if (kfetch_error_is_fatal(*error))
        fputs("  only close and free are left\n", stderr);
    kfetch_error_free(*error);
    *error = NULL;
    return true;
}

/* Judges an event: what one partition has met. */
static enum verdict judge_event(kfetch_consumer *consumer, const kfetch_event *event)
{
    kfetch_error *error = NULL;
    fprintf(stderr, "event: %s (%s)\n", event->text, kfetch_status_name(event->status));
    switch (event->kind) {
    case KFETCH_EVENT_KIND_END:
        return FINISHED;
    case KFETCH_EVENT_KIND_RESET:
        return GO_ON; /* the position has moved already, by auto.offset.reset */
    default:
        break;
    }
    if (!event->is_sticky)
        return GO_ON; /* the engine goes on trying */
    if (event->status == KFETCH_STATUS_OFFSET_OUT_OF_RANGE) {
        /* Nobody has chosen where to go on, so the program does: where the partition begins. */
        kfetch_status status = kfetch_consumer_seek(consumer, event->topic, event->partition,
                                                    KFETCH_OFFSET_BEGINNING, &error);
        return failed("seek", status, &error) ? GIVE_UP : GO_ON;
    }
    if (event->status == KFETCH_STATUS_CORRUPT && event->offset >= 0) {
        /* Everything before the damage has been delivered: step over it, knowing what is lost. */
        kfetch_status status = kfetch_consumer_seek(consumer, event->topic, event->partition,
                                                    event->offset + 1, &error);
        return failed("seek", status, &error) ? GIVE_UP : GO_ON;
    }
    return GIVE_UP;
}

/* Judges the status of a poll: what the whole consumer has met. */
static enum verdict judge_poll(kfetch_status status, kfetch_error **error)
{
    switch (status) {
    case KFETCH_STATUS_OK:
        return GO_ON;
    case KFETCH_STATUS_WAKEUP: /* another thread called kfetch_consumer_wakeup */
        kfetch_error_free(*error);
        return FINISHED;
    case KFETCH_STATUS_BUDGET_HELD: /* handles that were not freed fill the memory budget */
    default:
        failed("poll", status, error);
        return GIVE_UP;
    }
}

static bool read_to_end(kfetch_consumer *consumer)
{
    uint64_t total = 0;
    enum verdict verdict = GO_ON;
    while (verdict == GO_ON) {
        kfetch_records *records = NULL;
        kfetch_error *error = NULL;
        kfetch_status status = kfetch_consumer_poll(consumer, 10000, &records, &error);
        verdict = judge_poll(status, &error);
        if (verdict != GO_ON)
            break;
        if (records == NULL)
            fputs("nothing came within 10 s\n", stderr); /* no error: the broker may be away */
        total += kfetch_records_count(records);
        size_t count;
        const kfetch_event *events = kfetch_records_events(records, &count);
        for (size_t i = 0; i < count && verdict == GO_ON; i++)
            verdict = judge_event(consumer, &events[i]);
        kfetch_records_free(records);
    }
    printf("%" PRIu64 " records\n", total);
    return verdict == FINISHED;
}

/* Makes a consumer whose messages go to `log_message`. */
static kfetch_consumer *new_consumer(const char *property)
{
    const char *equals = strchr(property, '=');
    char name[128] = "";
    if (equals != NULL && (size_t)(equals - property) < sizeof name)
        memcpy(name, property, (size_t)(equals - property));
    kfetch_engine_options options = {.size = sizeof options, .log = log_message};
    kfetch_engine *engine = NULL;
    kfetch_consumer *consumer = NULL;
    kfetch_error *error = NULL;
    kfetch_config *config = kfetch_config_new();
    kfetch_status status =
        kfetch_config_set(config, name, equals == NULL ? "" : equals + 1, &error);
    if (status == KFETCH_STATUS_OK) /* to be asked, not to lose or repeat records silently */
        status = kfetch_config_set(config, "auto.offset.reset", "none", &error);
    if (status == KFETCH_STATUS_OK)
        status = kfetch_config_set(config, "enable.partition.eof", "true", &error);
    if (status == KFETCH_STATUS_OK)
        status = kfetch_engine_new(&options, &engine, &error);
    if (status == KFETCH_STATUS_OK)
        status = kfetch_consumer_new_with_engine(engine, config, &consumer, &error);
    failed("consumer", status, &error);
    kfetch_engine_free(engine); /* the consumer keeps the engine itself */
    kfetch_config_free(config);
    return consumer;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: error_handling name=value TOPIC OFFSET\n", stderr);
        return EXIT_FAILURE;
    }
    kfetch_consumer *consumer = new_consumer(argv[1]);
    if (consumer == NULL)
        return EXIT_FAILURE;
    kfetch_topic_partition partition = {argv[2], 0};
    int64_t offset = strtoll(argv[3], NULL, 10);
    kfetch_error *error = NULL;
    kfetch_status status = kfetch_consumer_assign_at(consumer, &partition, &offset, 1, &error);
    bool ok = !failed("assign", status, &error) && read_to_end(consumer);
    if (failed("close", kfetch_consumer_close(consumer, 5000, &error), &error))
        ok = false;
    kfetch_consumer_free(consumer);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
