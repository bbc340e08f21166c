/*
 * What callbacks may do with the consumer that they are called for:
 *
 *     callbacks SOURCE TOPIC GROUP
 *
 * The topic has one partition with 20 records or more, the group has committed nothing.
 */
#include "check.h"

#include <pthread.h>
#include <unistd.h>

/* Longer than the session: heartbeats go on while a callback stands still. */
enum { STILL_SECONDS = 8 };

static const char *source, *topic, *group;

/* What a rebalance callback of a test knows and has seen. */
struct seen {
    int assigned, revoked, lost;
    kfetch_status commit_in_revoked;
    int64_t commits_in_revoked;
    bool stands_still, calls_about;
    pthread_t closing;
    bool closes;
};

static kfetch_consumer *new_member(const char *more)
{
    kfetch_config *config = kfetch_config_new();
    CHECK_OK(kfetch_config_parse(config, source, NULL));
    CHECK_OK(kfetch_config_set(config, "group.id", group, NULL));
    CHECK_OK(kfetch_config_parse(config, "auto.offset.reset=earliest\nsession.timeout.ms=6000\n"
                                         "heartbeat.interval.ms=500\nenable.auto.commit=false\n",
                                 NULL));
    CHECK_OK(kfetch_config_parse(config, more, NULL));
    kfetch_consumer *consumer = NULL;
    CHECK_OK(kfetch_consumer_new(config, &consumer, NULL));
    kfetch_config_free(config);
    return consumer;
}

static kfetch_partition_offset at(int64_t offset)
{
    return (kfetch_partition_offset){
        .topic = topic, .offset = offset, .leader_epoch = -1, .metadata = "words"};
}

static int64_t committed_of(kfetch_consumer *consumer)
{
    kfetch_topic_partition partition = {topic, 0};
    kfetch_committed_offsets *list = NULL;
    size_t count = 0;
    CHECK_OK(kfetch_consumer_committed(consumer, &partition, 1, 20000, &list, NULL));
    const kfetch_committed_offset *found = kfetch_committed_offsets_items(list, &count);
    CHECK(count == 1 && found->status == KFETCH_STATUS_OK && strcmp(found->topic, topic) == 0);
    CHECK(found->offset == -1 || strcmp(found->metadata, "words") == 0 || *found->metadata == 0);
    int64_t offset = found->offset;
    kfetch_committed_offsets_free(list);
    return offset;
}

static void *call_from_elsewhere(void *consumer)
{
    int64_t lag;
    kfetch_topic_partition one = {topic, 0};
    return (void *)(intptr_t)kfetch_consumer_lag(consumer, &one, 1, &lag, NULL);
}

/* Calls that are refused inside of a callback, and none of which may hang. */
static void check_refused(kfetch_consumer *consumer)
{
    const kfetch_status state = KFETCH_STATUS_STATE;
    kfetch_records *records = NULL;
    kfetch_topic_partition one = {topic, 0};
    CHECK_STATUS(state, kfetch_consumer_poll(consumer, KFETCH_TIMEOUT_NONE, &records, NULL));
    CHECK_STATUS(state, kfetch_consumer_subscribe(consumer, &topic, 1, NULL));
    CHECK_STATUS(state, kfetch_consumer_subscribe_pattern(consumer, "x", NULL));
    CHECK_STATUS(state, kfetch_consumer_unsubscribe(consumer, NULL));
    CHECK_STATUS(state, kfetch_consumer_assign(consumer, &one, 1, NULL));
    CHECK_STATUS(state, kfetch_consumer_unassign(consumer, NULL));
    CHECK_STATUS(state, kfetch_consumer_set_rebalance_callback(consumer, NULL, NULL, NULL));
    CHECK_STATUS(state, kfetch_consumer_close(consumer, 60000, NULL));
    CHECK_STATUS(state, kfetch_consumer_close_with(consumer, 1, 60000, NULL));
    kfetch_consumer_free(consumer); /* does nothing here */
    pthread_t thread;
    void *status = NULL;
    CHECK(pthread_create(&thread, NULL, call_from_elsewhere, consumer) == 0);
    CHECK(pthread_join(thread, &status) == 0);
    CHECK_STATUS(KFETCH_STATUS_CONCURRENT, (kfetch_status)(intptr_t)status);
    CHECK(kfetch_consumer_fd(consumer) >= 0);
}

/* Calls that work inside of a callback; the partition begins at 5 in the end. */
static void check_allowed(kfetch_consumer *consumer)
{
    kfetch_topic_partition one = {topic, 0};
    kfetch_partitions *list = NULL;
    kfetch_group_metadata *metadata = NULL;
    kfetch_partition_offset offset = at(3);
    int64_t position = -1;
    size_t count = 0;
    CHECK_OK(kfetch_consumer_assignment(consumer, &list, NULL));
    CHECK(strcmp(kfetch_partitions_items(list, &count)->topic, topic) == 0 && count == 1);
    kfetch_partitions_free(list);
    CHECK(committed_of(consumer) == -1);
    CHECK_OK(kfetch_consumer_position(consumer, topic, 0, 20000, &position, NULL));
    CHECK(position == 0);
    CHECK_OK(kfetch_consumer_commit_offsets(consumer, &offset, 1, 20000, NULL));
    CHECK(committed_of(consumer) == 3);
    CHECK_OK(kfetch_consumer_pause(consumer, &one, 1, NULL));
    CHECK_OK(kfetch_consumer_paused(consumer, &list, NULL));
    CHECK(kfetch_partitions_items(list, &count) != NULL && count == 1);
    kfetch_partitions_free(list);
    CHECK_OK(kfetch_consumer_resume(consumer, &one, 1, NULL));
    CHECK_OK(kfetch_consumer_seek(consumer, topic, 0, 5, NULL));
    CHECK_OK(kfetch_consumer_group_metadata(consumer, &metadata, NULL));
    CHECK(kfetch_group_metadata_generation(metadata) > 0);
    CHECK(strlen(kfetch_group_metadata_member_id(metadata)) > 0);
    CHECK(kfetch_group_metadata_instance_id(metadata) == NULL);
    kfetch_group_metadata_free(metadata);
}

static void *close_it(void *consumer)
{
    return (void *)(intptr_t)kfetch_consumer_close(consumer, 20000, NULL);
}

/* Begins a close on another thread, which waits for the poll that this callback is inside of. */
static void close_elsewhere(kfetch_consumer *consumer, struct seen *seen)
{
    kfetch_partition_offset offset = at(9);
    CHECK(pthread_create(&seen->closing, NULL, close_it, consumer) == 0);
    while (kfetch_consumer_fd(consumer) >= 0) /* until it has begun */
        usleep(1000);
    kfetch_status status = kfetch_consumer_commit_offsets(consumer, &offset, 1, 20000, NULL);
    CHECK(status == KFETCH_STATUS_OK || status == KFETCH_STATUS_CLOSED);
}

static void rebalanced(kfetch_consumer *consumer, kfetch_rebalance_event event,
                       const kfetch_topic_partition *partitions, size_t count, void *opaque)
{
    struct seen *seen = opaque;
    kfetch_partition_offset offset = at(seen->commits_in_revoked);
    CHECK(count == 1 && strcmp(partitions[0].topic, topic) == 0 && partitions[0].partition == 0);
    switch (event) {
    case KFETCH_REBALANCE_EVENT_ASSIGNED:
        seen->assigned++;
        if (seen->calls_about) {
            check_refused(consumer);
            check_allowed(consumer);
        }
        if (seen->stands_still)
            sleep(STILL_SECONDS);
        if (seen->closes)
            close_elsewhere(consumer, seen);
        break;
    case KFETCH_REBALANCE_EVENT_REVOKED:
        seen->revoked++;
        seen->commit_in_revoked =
            kfetch_consumer_commit_offsets(consumer, &offset, 1, 20000, NULL);
        break;
    default:
        seen->lost++;
    }
}

/* Polls until there are records. */
static kfetch_records *poll(kfetch_consumer *consumer)
{
    kfetch_records *records = NULL;
    while (records == NULL || kfetch_records_count(records) == 0) {
        kfetch_records_free(records);
        records = NULL;
        CHECK_OK(kfetch_consumer_poll(consumer, 1000, &records, NULL));
    }
    return records;
}

static int64_t first_offset(const kfetch_records *records)
{
    kfetch_record record;
    size_t count;
    CHECK_OK(kfetch_records_fill(records, 0, &record, 1, sizeof record, &count));
    return record.offset;
}

static int told;

static void committed(kfetch_consumer *consumer, kfetch_status status, const kfetch_error *error,
                      const kfetch_partition_offset *offsets, size_t count, void *opaque)
{
    kfetch_partition_offset offset = at(8);
    CHECK_OK(status);
    CHECK(error == NULL && count == 1 && strcmp(offsets->topic, topic) == 0);
    CHECK(offsets->offset == *(int64_t *)opaque && offsets->partition == 0);
    CHECK(strcmp(offsets->metadata, "words") == 0);
    told++;
    check_refused(consumer);
    CHECK(committed_of(consumer) == offsets->offset);
    CHECK_OK(kfetch_consumer_commit_offsets(consumer, &offset, 1, 20000, NULL));
    CHECK_OK(kfetch_consumer_commit_async(consumer, NULL, NULL, NULL));
}

static void check_calls(void)
{
    struct seen seen = {.calls_about = true, .commits_in_revoked = 7};
    kfetch_consumer *consumer = new_member("max.poll.records=4");
    CHECK_OK(kfetch_consumer_set_rebalance_callback(consumer, rebalanced, &seen, NULL));
    CHECK_OK(kfetch_consumer_subscribe(consumer, &topic, 1, NULL));
    kfetch_records *records = poll(consumer);
    CHECK(first_offset(records) == 5 && kfetch_records_count(records) == 4);
    CHECK_OK(kfetch_consumer_commit_records(consumer, records, 20000, NULL));
    CHECK_STATUS(KFETCH_STATUS_STATE, kfetch_consumer_store_records(consumer, records, NULL));
    kfetch_records_free(records);
    CHECK(committed_of(consumer) == 9);
    int64_t wanted = 6;
    kfetch_partition_offset offset = at(wanted);
    CHECK_OK(kfetch_consumer_commit_offsets_async(consumer, &offset, 1, committed, &wanted, NULL));
    CHECK(told == 0);
    while (told == 0) {
        CHECK_OK(kfetch_consumer_poll(consumer, 100, &records, NULL));
        kfetch_records_free(records);
    }
    CHECK_OK(kfetch_consumer_enforce_rebalance(consumer, "to see it", NULL));
    seen.calls_about = false;
    while (seen.assigned < 2) {
        CHECK_OK(kfetch_consumer_poll(consumer, 100, &records, NULL));
        kfetch_records_free(records);
    }
    CHECK(seen.revoked == 1);
    CHECK_OK(kfetch_consumer_close(consumer, 20000, NULL));
    CHECK(seen.revoked == 2 && seen.lost == 0 && told == 1);
    CHECK_OK(seen.commit_in_revoked);
    kfetch_consumer_free(consumer);
}

static void check_standing_still(void)
{
    struct seen seen = {.stands_still = true, .commits_in_revoked = 11};
    kfetch_consumer *consumer = new_member("enable.auto.offset.store=false");
    CHECK_OK(kfetch_consumer_set_rebalance_callback(consumer, rebalanced, &seen, NULL));
    CHECK_OK(kfetch_consumer_subscribe(consumer, &topic, 1, NULL));
    kfetch_records *records = poll(consumer);
    CHECK(first_offset(records) == 7); /* where the callback of the one before has committed */
    CHECK_OK(kfetch_consumer_commit(consumer, 20000, NULL)); /* nothing is stored */
    CHECK(committed_of(consumer) == 7);
    CHECK_OK(kfetch_consumer_store_records(consumer, records, NULL));
    size_t count;
    const kfetch_run *runs = kfetch_records_runs(records, &count);
    CHECK_OK(kfetch_consumer_commit(consumer, 20000, NULL));
    CHECK(committed_of(consumer) == runs[count - 1].next_offset);
    kfetch_records_free(records);
    CHECK(seen.assigned == 1 && seen.lost == 0 && seen.revoked == 0);
    CHECK_OK(kfetch_consumer_unsubscribe(consumer, NULL));
    CHECK(seen.revoked == 1);
    CHECK_OK(seen.commit_in_revoked);
    CHECK_OK(kfetch_consumer_close(consumer, 20000, NULL));
    kfetch_consumer_free(consumer);
}

/* A close from elsewhere ends the poll, and calls back on its own thread. */
static void check_close_elsewhere(void)
{
    struct seen seen = {.closes = true, .commits_in_revoked = 13};
    kfetch_consumer *consumer = new_member("");
    CHECK_OK(kfetch_consumer_set_rebalance_callback(consumer, rebalanced, &seen, NULL));
    CHECK_OK(kfetch_consumer_subscribe(consumer, &topic, 1, NULL));
    kfetch_records *records = NULL;
    kfetch_status status;
    do {
        status = kfetch_consumer_poll(consumer, KFETCH_TIMEOUT_NONE, &records, NULL);
        if (status == KFETCH_STATUS_OK)
            kfetch_records_free(records);
    } while (status == KFETCH_STATUS_OK);
    CHECK_STATUS(KFETCH_STATUS_CLOSED, status);
    void *closed = NULL;
    CHECK(pthread_join(seen.closing, &closed) == 0);
    CHECK_OK((kfetch_status)(intptr_t)closed);
    CHECK(seen.assigned == 1 && seen.revoked == 1);
    CHECK_OK(seen.commit_in_revoked);
    kfetch_consumer_free(consumer);
    consumer = new_member("");
    CHECK(committed_of(consumer) == 13);
    kfetch_consumer_free(consumer);
}

/* What an assignor of the test knows and has seen. */
struct assigning {
    kfetch_consumer *consumer;
    int calls;
};

/* Fails the first time, writes nonsense the second, and then gives all to the first member. */
static kfetch_status assign(const kfetch_group_topic *topics, size_t topic_count,
                            const kfetch_group_member *members, size_t member_count,
                            int32_t *owners, void *opaque)
{
    struct assigning *assigning = opaque;
    CHECK(topic_count == 1 && strcmp(topics->name, topic) == 0 && topics->partition_count == 1);
    CHECK(member_count == 1 && strlen(members->member_id) > 0 && members->instance_id == NULL);
    CHECK(strcmp(members->rack, "attic") == 0);
    CHECK(members->topic_count == 1 && strcmp(members->topics[0], topic) == 0);
    CHECK(members->user_data.len == 3 && memcmp(members->user_data.data, "abc", 3) == 0);
    CHECK(owners[0] == -1);
    check_refused(assigning->consumer);
    CHECK_STATUS(KFETCH_STATUS_STATE, kfetch_consumer_commit(assigning->consumer, 20000, NULL));
    assigning->calls++;
    if (assigning->calls == 1)
        return KFETCH_STATUS_INVALID_ARGUMENT;
    owners[0] = assigning->calls == 2 ? 7 : 0;
    return KFETCH_STATUS_OK;
}

static void check_assignor(void)
{
    struct seen seen = {.commits_in_revoked = 15};
    struct assigning assigning = {0};
    kfetch_assignor own = {
        .size = sizeof own,
        .name = "first",
        .assign = assign,
        .opaque = &assigning,
        .user_data = {(const uint8_t *)"abc", 3},
    };
    kfetch_consumer *consumer = new_member("client.rack=attic");
    assigning.consumer = consumer;
    CHECK_OK(kfetch_consumer_set_assignors(consumer, &own, 1, NULL));
    CHECK_OK(kfetch_consumer_set_rebalance_callback(consumer, rebalanced, &seen, NULL));
    CHECK_OK(kfetch_consumer_subscribe(consumer, &topic, 1, NULL));
    kfetch_records *records = NULL;
    int failures = 0;
    while (seen.assigned == 0) {
        kfetch_error *error = NULL;
        kfetch_status status = kfetch_consumer_poll(consumer, 100, &records, &error);
        if (status == KFETCH_STATUS_OK) {
            kfetch_records_free(records);
            continue;
        }
        CHECK(strstr(kfetch_error_message(error), "first") != NULL);
        CHECK(!kfetch_error_is_fatal(error));
        kfetch_error_free(error);
        if (++failures == 1)
            CHECK_STATUS(KFETCH_STATUS_STATE, status);
        else
            CHECK_STATUS(KFETCH_STATUS_INVALID_ARGUMENT, status);
    }
    CHECK(failures == 2 && assigning.calls == 3);
    CHECK_OK(kfetch_consumer_close(consumer, 20000, NULL));
    CHECK(seen.revoked == 1);
    kfetch_consumer_free(consumer);
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    source = argv[1], topic = argv[2], group = argv[3];
    check_calls();
    check_standing_still();
    check_close_elsewhere();
    check_assignor();
    return 0;
}
