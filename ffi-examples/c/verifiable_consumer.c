/*
 * Kafka's VerifiableConsumer on kfetch: a member of a group that prints what happens to it as JSON,
 * one event in each line of stdout, for tests that start, stop and kill it:
 *
 *     verifiable_consumer --bootstrap-server localhost:9092 --topic orders --group-id g
 *
 * Options, events and ends are those of org.apache.kafka.tools.VerifiableConsumer; --help lists the
 * options. The bootstrap server may be left out where the configuration file has log.dirs.
 */
#include "json_events.h"

#include <kfetch.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Records are taken over from the handle in portions of this many. */
enum { BATCH = 256 };

/* How long a close waits for the group. */
enum { CLOSE_MS = 30000 };

/* The same trouble is told again after this many seconds. */
enum { AGAIN_SECONDS = 10 };

static const char USAGE[] =
    "usage: verifiable_consumer [-h] --topic TOPIC --group-id GROUP_ID\n"
    "         [--bootstrap-server HOST1:PORT1[,HOST2:PORT2[...]]] [--group-protocol classic]\n"
    "         [--group-remote-assignor NAME] [--group-instance-id ID] [--max-messages N]\n"
    "         [--session-timeout MS] [--verbose] [--enable-autocommit]\n"
    "         [--reset-policy earliest|latest|none|by_duration:PT...]\n"
    "         [--assignment-strategy CLASS] [--consumer.config FILE | --command-config FILE]\n";

static const char HELP[] =
    "\nConsumes a topic as a member of a group and prints what happens as JSON, one event a line.\n"
    "Options win over FILE, which has properties of a consumer; where it has log.dirs there need\n"
    "be no bootstrap server. It ends after N records, by SIGTERM or by SIGINT. Defaults are no\n"
    "limit, a session timeout of 30000 ms, the policy earliest and the class RangeAssignor.\n";

static struct {
    const char *bootstrap_server;
    const char *topic;
    const char *group_id;
    const char *group_protocol;
    const char *group_remote_assignor;
    const char *group_instance_id;
    const char *max_messages_text;
    const char *session_timeout;
    const char *reset_policy;
    const char *assignment_strategy;
    const char *config_file;
    bool is_verbose;
    bool auto_commits;
    int64_t max_messages;
} options = {
    .group_protocol = "classic",
    .session_timeout = "30000",
    .reset_policy = "earliest",
    .assignment_strategy = "org.apache.kafka.clients.consumer.RangeAssignor",
    .max_messages = -1,
};

/* The options with a value; those without are in `parse`. */
static const struct {
    const char *name;
    const char **value;
} valued[] = {
    {"--bootstrap-server", &options.bootstrap_server},
    {"--topic", &options.topic},
    {"--group-id", &options.group_id},
    {"--group-protocol", &options.group_protocol},
    {"--group-remote-assignor", &options.group_remote_assignor},
    {"--group-instance-id", &options.group_instance_id},
    {"--max-messages", &options.max_messages_text},
    {"--session-timeout", &options.session_timeout},
    {"--reset-policy", &options.reset_policy},
    {"--assignment-strategy", &options.assignment_strategy},
    {"--consumer.config", &options.config_file},
    {"--command-config", &options.config_file},
};

static const struct {
    kfetch_status status;
    const char *name;
} exceptions[] = {
    {KFETCH_STATUS_OFFSET_OUT_OF_RANGE, "OffsetOutOfRangeException"},
    {KFETCH_STATUS_NO_OFFSET, "NoOffsetForPartitionException"},
    {KFETCH_STATUS_FENCED_INSTANCE_ID, "FencedInstanceIdException"},
    {KFETCH_STATUS_REBALANCE_IN_PROGRESS, "RebalanceInProgressException"},
    {KFETCH_STATUS_ILLEGAL_GENERATION, "CommitFailedException"},
    {KFETCH_STATUS_UNKNOWN_MEMBER_ID, "CommitFailedException"},
    {KFETCH_STATUS_TOPIC_AUTHORIZATION_FAILED, "TopicAuthorizationException"},
    {KFETCH_STATUS_GROUP_AUTHORIZATION_FAILED, "GroupAuthorizationException"},
    {KFETCH_STATUS_UNKNOWN_TOPIC_OR_PARTITION, "UnknownTopicOrPartitionException"},
    {KFETCH_STATUS_TIMEOUT, "TimeoutException"},
    {23, "InconsistentGroupProtocolException"},
    {24, "InvalidGroupIdException"},
    {26, "InvalidSessionTimeoutException"},
    {81, "GroupMaxSizeReachedException"},
};

static int64_t consumed;
static volatile sig_atomic_t stop_signal;
static kfetch_consumer *volatile stoppable;

static void stop(int signal_number)
{
    stop_signal = signal_number;
    kfetch_consumer_wakeup(stoppable); /* NULL before there is a consumer */
}

/* Trouble */

static const char *exception_name(kfetch_status status)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (exceptions[i].status == status)
            return exceptions[i].name;
    return kfetch_status_name(status);
}

/* Writes a line to stderr, unless it was written a moment ago. */
static void tell(kfetch_status status, const char *text)
{
    static char last[1024];
    static time_t told;
    char line[sizeof last];
    /* Lines are those of the file. */
    bool is_line = status == KFETCH_STATUS_CONFIG && strncmp(text, "line ", 5) == 0;
    snprintf(line, sizeof line, "verifiable_consumer: %s: %s%s%s", exception_name(status),
             is_line ? options.config_file : "", is_line ? ": " : "", text);
    time_t now = time(NULL);
    if (strcmp(line, last) == 0 && now - told < AGAIN_SECONDS)
        return;
    strcpy(last, line);
    told = now;
    fprintf(stderr, "%s\n", line);
}

/* Tells what went wrong, frees the error, and returns whether something did. */
static bool failed(kfetch_status status, kfetch_error **error)
{
    if (status != KFETCH_STATUS_OK)
        tell(status, kfetch_error_message(*error));
    kfetch_error_free(*error);
    *error = NULL;
    return status != KFETCH_STATUS_OK;
}

static bool usage_error(const char *format, ...)
{
    va_list arguments;
    fputs(USAGE, stderr);
    fputs("verifiable_consumer: error: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return false;
}

/* What the group decides */

static void rebalanced(kfetch_consumer *consumer, kfetch_rebalance_event event,
                       const kfetch_topic_partition *partitions, size_t count, void *opaque)
{
    (void)consumer;
    (void)opaque;
    bool is_assigned = event == KFETCH_REBALANCE_EVENT_ASSIGNED;
    if (count == 0 && !is_assigned)
        return;
    begin_event(is_assigned ? "partitions_assigned" : "partitions_revoked");
    fputs(",\"partitions\":[", stdout);
    for (size_t i = 0; i < count; i++) {
        fputs(i == 0 ? "{" : ",{", stdout);
        print_partition(partitions[i].topic, partitions[i].partition);
        putchar('}');
    }
    putchar(']');
    end_event();
}

/* What was read. A partition may have more than one run in a handle. */

static bool is_same(const kfetch_run *one, const kfetch_run *other)
{
    return one->partition == other->partition && strcmp(one->topic, other->topic) == 0;
}

/* Returns whether no run before this one is of its partition. */
static bool is_first(const kfetch_run *runs, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (is_same(&runs[i], &runs[at]))
            return false;
    return true;
}

static const kfetch_run *last_of(const kfetch_run *runs, size_t count, const kfetch_run *first)
{
    const kfetch_run *last = first;
    for (const kfetch_run *run = first; run < runs + count; run++)
        if (is_same(run, first))
            last = run;
    return last;
}

static int64_t offset_at(const kfetch_records *records, size_t at)
{
    kfetch_record record;
    size_t count;
    if (kfetch_records_fill(records, at, &record, 1, sizeof record, &count) != KFETCH_STATUS_OK)
        abort(); /* only wrong arguments can bring that about */
    return record.offset;
}

static void print_run(const kfetch_records *records, const kfetch_run *run)
{
    kfetch_record batch[BATCH];
    size_t count, end = run->first + run->count;
    for (size_t at = run->first; at < end; at += count) {
        size_t wanted = end - at < BATCH ? end - at : BATCH;
        if (kfetch_records_fill(records, at, batch, wanted, sizeof *batch, &count) !=
            KFETCH_STATUS_OK)
            abort();
        for (size_t i = 0; i < count; i++) {
            begin_event("record_data");
            fputs(",\"key\":", stdout);
            print_bytes(batch[i].key);
            fputs(",\"value\":", stdout);
            print_bytes(batch[i].value);
            putchar(',');
            print_partition(run->topic, run->partition);
            printf(",\"offset\":%" PRId64, batch[i].offset);
            end_event();
        }
    }
}

static void print_summary(const kfetch_records *records, const kfetch_run *runs, size_t count,
                          const kfetch_run *first)
{
    const kfetch_run *last = last_of(runs, count, first);
    size_t total = 0;
    for (const kfetch_run *run = first; run <= last; run++)
        total += is_same(run, first) ? run->count : 0;
    putchar('{');
    print_partition(first->topic, first->partition);
    printf(",\"count\":%zu,\"minOffset\":%" PRId64 ",\"maxOffset\":%" PRId64 "}", total,
           offset_at(records, first->first), offset_at(records, last->first + last->count - 1));
}

static void print_records(const kfetch_records *records)
{
    size_t count;
    const kfetch_run *runs = kfetch_records_runs(records, &count);
    for (size_t i = 0; options.is_verbose && i < count; i++)
        for (size_t j = i; is_first(runs, i) && j < count; j++)
            if (is_same(&runs[i], &runs[j]))
                print_run(records, &runs[j]);
    begin_event("records_consumed");
    printf(",\"count\":%zu,\"partitions\":[", kfetch_records_count(records));
    for (size_t i = 0; i < count; i++) {
        if (!is_first(runs, i))
            continue;
        fputs(i == 0 ? "" : ",", stdout);
        print_summary(records, runs, count, &runs[i]);
    }
    putchar(']');
    end_event();
}

static void print_commit(const kfetch_records *records, const char *error)
{
    size_t count;
    const kfetch_run *runs = kfetch_records_runs(records, &count);
    begin_event("offsets_committed");
    fputs(",\"offsets\":[", stdout);
    for (size_t i = 0; i < count; i++) {
        if (!is_first(runs, i))
            continue;
        fputs(i == 0 ? "{" : ",{", stdout);
        print_partition(runs[i].topic, runs[i].partition);
        printf(",\"offset\":%" PRId64 "}", last_of(runs, count, &runs[i])->next_offset);
    }
    putchar(']');
    if (error != NULL) {
        fputs(",\"error\":", stdout);
        print_text(error, strlen(error));
    }
    printf(",\"success\":%s", error == NULL ? "true" : "false");
    end_event();
}

/* Commits what was read and prints the outcome; false where the program is to end. */
static bool commit(kfetch_consumer *consumer, const kfetch_records *records)
{
    kfetch_error *error = NULL;
    kfetch_status status =
        kfetch_consumer_commit_records(consumer, records, KFETCH_TIMEOUT_NONE, &error);
    if (status == KFETCH_STATUS_WAKEUP) {
        /* The signal ends the program, but not before this is known. */
        kfetch_error_free(error);
        status = kfetch_consumer_commit_records(consumer, records, KFETCH_TIMEOUT_NONE, &error);
    }
    if (status == KFETCH_STATUS_FENCED_INSTANCE_ID)
        return !failed(status, &error);
    print_commit(records, status == KFETCH_STATUS_OK ? NULL : kfetch_error_message(error));
    kfetch_error_free(error);
    return true;
}

/* Tells what happened to partitions; false where one gives nothing any more. */
static bool take_events(const kfetch_records *records)
{
    size_t count;
    bool ok = true;
    const kfetch_event *events = kfetch_records_events(records, &count);
    for (size_t i = 0; i < count; i++) {
        if (events[i].kind != KFETCH_EVENT_KIND_FAILED)
            continue;
        tell(events[i].status, events[i].text);
        ok = ok && !events[i].is_sticky;
    }
    return ok;
}

/* Returns whether later polls may get over the error of one. */
static bool is_passing(kfetch_status status, const kfetch_error *error)
{
    switch (status) {
    case KFETCH_STATUS_REBALANCE_IN_PROGRESS:
    case KFETCH_STATUS_UNKNOWN_MEMBER_ID:
    case KFETCH_STATUS_ILLEGAL_GENERATION:
    case KFETCH_STATUS_UNKNOWN_TOPIC_OR_PARTITION:
    case KFETCH_STATUS_PROTOCOL: /* another member's bytes */
        return !kfetch_error_is_fatal(error);
    default:
        return kfetch_error_is_retriable(error) && !kfetch_error_is_fatal(error);
    }
}

static bool is_finished(void)
{
    return output_errno != 0 || stop_signal != 0 ||
           (options.max_messages >= 0 && consumed >= options.max_messages);
}

/* Polls until the end; false where trouble is it. */
static bool consume(kfetch_consumer *consumer, int64_t poll_limit)
{
    while (!is_finished()) {
        kfetch_records *records = NULL;
        kfetch_error *error = NULL;
        int64_t left = options.max_messages < 0 ? poll_limit : options.max_messages - consumed;
        size_t limit = (size_t)(left < poll_limit ? left : poll_limit);
        kfetch_status status = kfetch_consumer_poll_limited(consumer, KFETCH_TIMEOUT_NONE, limit,
                                                            0, &records, &error);
        if (status != KFETCH_STATUS_OK) {
            bool goes_on = status == KFETCH_STATUS_WAKEUP || is_passing(status, error);
            if (status != KFETCH_STATUS_WAKEUP)
                tell(status, kfetch_error_message(error));
            kfetch_error_free(error);
            if (!goes_on)
                return false;
            continue;
        }
        bool ok = take_events(records);
        if (kfetch_records_count(records) > 0) {
            print_records(records);
            consumed += (int64_t)kfetch_records_count(records);
            /* What nobody can see is not done with. */
            ok = output_errno == 0 && (options.auto_commits || commit(consumer, records)) && ok;
        }
        kfetch_records_free(records);
        if (!ok)
            return false;
    }
    return true;
}

/* Command line and configuration */

static bool parse_number(const char *text, int64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoll(text, &end, 10);
    return errno == 0 && *text != '\0' && *end == '\0';
}

/* Takes the option at `argv[*at]`, and its value. */
static bool parse_valued(int argc, char **argv, int *at)
{
    const char *argument = argv[*at];
    size_t length = strcspn(argument, "=");
    for (size_t i = 0; i < sizeof valued / sizeof *valued; i++) {
        const char *name = valued[i].name;
        if (strlen(name) != length || strncmp(name, argument, length) != 0)
            continue;
        if (argument[length] == '=')
            *valued[i].value = argument + length + 1;
        else if (*at + 1 < argc && strncmp(argv[*at + 1], "--", 2) != 0)
            *valued[i].value = argv[++*at];
        else
            return usage_error("argument %s: expected one argument", name);
        return true;
    }
    return usage_error("unrecognized arguments: '%s'", argument);
}

static bool parse(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0)
            options.is_verbose = true;
        else if (strcmp(argv[i], "--enable-autocommit") == 0)
            options.auto_commits = true;
        else if (!parse_valued(argc, argv, &i))
            return false;
    }
    const char *number = options.max_messages_text;
    if (options.topic == NULL)
        return usage_error("argument --topic is required");
    if (options.group_id == NULL)
        return usage_error("argument --group-id is required");
    if (number != NULL && !parse_number(number, &options.max_messages))
        return usage_error("argument --max-messages: '%s' is no number", number);
    return true;
}

static bool set(kfetch_config *config, const char *name, const char *value)
{
    kfetch_error *error = NULL;
    return !failed(kfetch_config_set(config, name, value, &error), &error);
}

/* Sets the property of the last line of a text that is blank before it; a name that no consumer
 * knows is only told. */
static bool set_line(kfetch_config *config, const char *text, const char *line)
{
    kfetch_error *error = NULL;
    kfetch_status status = kfetch_config_parse(config, text, &error);
    char name[256], value[1];
    line += strspn(line, " \t\f");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(line, "=: \t\f\r\n"), line);
    if (status == KFETCH_STATUS_CONFIG &&
        kfetch_config_get(config, name, value, sizeof value, NULL, NULL) == status) {
        fprintf(stderr, "verifiable_consumer: warning: %s: '%s' is not known and has no effect\n",
                options.config_file, name);
        status = KFETCH_STATUS_OK;
    }
    return !failed(status, &error);
}

/* Returns whether a line of a properties file goes on in the next. */
static bool goes_on(const char *line, size_t length)
{
    size_t slashes = 0;
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    while (slashes < length && line[length - 1 - slashes] == '\\')
        slashes++;
    return slashes % 2 == 1 && strchr("#!", line[strspn(line, " \t\f")]) == NULL;
}

/* Blanks take the place of lines that have been set, so that errors have the right number. */
static bool load(kfetch_config *config, FILE *file)
{
    char *text = NULL, *part = NULL;
    size_t start = 0, length = 0, capacity = 0;
    ssize_t read;
    bool ok = true;
    while (ok && (read = getline(&part, &capacity, file)) >= 0) {
        text = realloc(text, length + (size_t)read + 1);
        if (text == NULL)
            abort();
        memcpy(text + length, part, (size_t)read + 1);
        length += (size_t)read;
        if (goes_on(text + start, length - start))
            continue;
        ok = set_line(config, text, text + start);
        for (; start < length; start++)
            if (text[start] != '\n' && text[start] != '\r')
                text[start] = ' ';
    }
    if (ok && length > start)
        ok = set_line(config, text, text + start);
    free(text);
    free(part);
    return ok;
}

static bool load_file(kfetch_config *config)
{
    FILE *file = fopen(options.config_file, "r");
    if (file == NULL) {
        fprintf(stderr, "verifiable_consumer: %s: %s\n", options.config_file, strerror(errno));
        return false;
    }
    bool ok = load(config, file);
    fclose(file);
    return ok;
}

static bool is_set(kfetch_config *config, const char *name)
{
    size_t length = 0;
    kfetch_config_get(config, name, NULL, 0, &length, NULL);
    return length > 0;
}

/* Makes the settings of file and command line, which wins. */
static bool configure(kfetch_config *config)
{
    if (options.config_file != NULL && !load_file(config))
        return false;
    if (options.bootstrap_server == NULL && !is_set(config, "log.dirs"))
        return usage_error("argument --bootstrap-server is required");
    bool is_classic = strcasecmp(options.group_protocol, "classic") == 0;
    return (options.bootstrap_server == NULL ||
            set(config, "bootstrap.servers", options.bootstrap_server)) &&
           set(config, "group.id", options.group_id) &&
           set(config, "group.protocol", options.group_protocol) &&
           (options.group_instance_id == NULL ||
            set(config, "group.instance.id", options.group_instance_id)) &&
           (is_classic || options.group_remote_assignor == NULL ||
            set(config, "group.remote.assignor", options.group_remote_assignor)) &&
           (!is_classic || set(config, "session.timeout.ms", options.session_timeout)) &&
           (!is_classic ||
            set(config, "partition.assignment.strategy", options.assignment_strategy)) &&
           set(config, "auto.offset.reset", options.reset_policy) &&
           set(config, "enable.auto.commit", options.auto_commits ? "true" : "false");
}

/* Subscribes and consumes until the end; false where trouble is it. */
static bool run(kfetch_consumer *consumer, int64_t poll_limit)
{
    kfetch_error *error = NULL;
    kfetch_status status =
        kfetch_consumer_set_rebalance_callback(consumer, rebalanced, NULL, &error);
    if (status == KFETCH_STATUS_OK)
        status = kfetch_consumer_subscribe(consumer, &options.topic, 1, &error);
    return !failed(status, &error) && consume(consumer, poll_limit);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc || argc == 1; i++) {
        if (argc == 1 || strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            printf("%s%s", USAGE, HELP);
            return EXIT_SUCCESS;
        }
    }
    if (!parse(argc, argv))
        return EXIT_FAILURE;
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    kfetch_consumer *consumer = NULL;
    kfetch_error *error = NULL;
    kfetch_config *config = kfetch_config_new();
    char number[32] = "";
    int64_t poll_limit = 0;
    bool ok = configure(config);
    if (ok)
        ok = !failed(kfetch_consumer_new(config, &consumer, &error), &error);
    kfetch_config_get(config, "max.poll.records", number, sizeof number, NULL, NULL);
    kfetch_config_free(config);
    if (!ok)
        return EXIT_FAILURE;
    stoppable = consumer;
    print_event("startup_complete");
    if (parse_number(number, &poll_limit))
        ok = run(consumer, poll_limit);
    if (failed(kfetch_consumer_close(consumer, CLOSE_MS, &error), &error))
        ok = false;
    print_event("shutdown_complete");
    stoppable = NULL;
    kfetch_consumer_free(consumer);
    if (output_errno != 0) {
        fprintf(stderr, "verifiable_consumer: stdout: %s\n", strerror(output_errno));
        ok = false;
    }
    return !ok ? EXIT_FAILURE : stop_signal != 0 ? 128 + stop_signal : EXIT_SUCCESS;
}
