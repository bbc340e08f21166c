/* The calls of group members with NULL, wrong arguments, without a group, and after close. */
#include "check.h"

/* Nobody listens there. */
#define NOWHERE "127.0.0.1:1"

static const kfetch_status invalid = KFETCH_STATUS_INVALID_ARGUMENT;

static void rebalanced(kfetch_consumer *consumer, kfetch_rebalance_event event,
                       const kfetch_topic_partition *partitions, size_t count, void *opaque)
{
    (void)consumer, (void)event, (void)partitions, (void)count, (void)opaque;
    CHECK(!"nothing is rebalanced here");
}

static void committed(kfetch_consumer *consumer, kfetch_status status, const kfetch_error *error,
                      const kfetch_partition_offset *offsets, size_t count, void *opaque)
{
    (void)consumer, (void)status, (void)error, (void)offsets, (void)count, (void)opaque;
    CHECK(!"nothing is committed here");
}

static kfetch_status assign(const kfetch_group_topic *topics, size_t topic_count,
                            const kfetch_group_member *members, size_t member_count,
                            int32_t *owners, void *opaque)
{
    (void)topics, (void)topic_count, (void)members, (void)member_count, (void)owners, (void)opaque;
    CHECK(!"nothing is assigned here");
    return KFETCH_STATUS_OK;
}

static void check_assignors(kfetch_consumer *consumer)
{
    const char *topics[] = {"t"};
    kfetch_assignor own = {.size = sizeof own, .name = "own", .assign = assign};
    kfetch_assignor twice[] = {own, own}, wrong = own;
    CHECK_STATUS(invalid, kfetch_consumer_set_assignors(consumer, NULL, 0, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_set_assignors(consumer, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_set_assignors(consumer, twice, 2, NULL));
    wrong.size = 8;
    CHECK_STATUS(invalid, kfetch_consumer_set_assignors(consumer, &wrong, 1, NULL));
    wrong = own, wrong.name = NULL;
    CHECK_STATUS(invalid, kfetch_consumer_set_assignors(consumer, &wrong, 1, NULL));
    wrong = own, wrong.name = "";
    CHECK_STATUS(invalid, kfetch_consumer_set_assignors(consumer, &wrong, 1, NULL));
    wrong = own, wrong.user_data.len = 3;
    CHECK_STATUS(invalid, kfetch_consumer_set_assignors(consumer, &wrong, 1, NULL));
    wrong = own, wrong.assign = NULL; /* no assignor of kfetch has this name */
    CHECK_STATUS(KFETCH_STATUS_CONFIG, kfetch_consumer_set_assignors(consumer, &wrong, 1, NULL));
    twice[1].assign = NULL, twice[1].name = "range";
    CHECK_OK(kfetch_consumer_set_assignors(consumer, twice, 2, NULL));
    CHECK_OK(kfetch_consumer_subscribe(consumer, topics, 1, NULL));
    CHECK_STATUS(KFETCH_STATUS_STATE, kfetch_consumer_set_assignors(consumer, twice, 2, NULL));
    CHECK_OK(kfetch_consumer_unsubscribe(consumer, NULL));
}

static void check_null(void)
{
    CHECK_STATUS(invalid, kfetch_consumer_set_assignors(NULL, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_subscribe(NULL, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_subscribe_pattern(NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_unsubscribe(NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_subscription(NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_set_rebalance_callback(NULL, NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_enforce_rebalance(NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_group_metadata(NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_commit(NULL, 0, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_commit_offsets(NULL, NULL, 1, 0, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_commit_records(NULL, NULL, 0, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_commit_async(NULL, NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_commit_offsets_async(NULL, NULL, 1, NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_store_offsets(NULL, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_store_records(NULL, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_committed(NULL, NULL, 1, 0, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_all_committed(NULL, 0, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_close_with(NULL, 0, 0, NULL));
    size_t count = 7;
    CHECK(kfetch_topic_names_items(NULL, &count) == NULL && count == 0);
    CHECK(kfetch_committed_offsets_items(NULL, NULL) == NULL);
    CHECK(strcmp(kfetch_group_metadata_group_id(NULL), "") == 0);
    CHECK(strcmp(kfetch_group_metadata_member_id(NULL), "") == 0);
    CHECK(kfetch_group_metadata_instance_id(NULL) == NULL);
    CHECK(kfetch_group_metadata_generation(NULL) == -1);
    kfetch_topic_names_free(NULL);
    kfetch_committed_offsets_free(NULL);
    kfetch_group_metadata_free(NULL);
}

static void check_arguments(kfetch_consumer *consumer)
{
    const char *topics[] = {"t", NULL}, *wrong[] = {"no such name"}, *latin[] = {"\xff"};
    CHECK_STATUS(invalid, kfetch_consumer_subscribe(consumer, NULL, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_subscribe(consumer, topics, 2, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_subscribe(consumer, topics, SIZE_MAX, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_subscribe(consumer, wrong, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_subscribe(consumer, latin, 1, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_subscribe_pattern(consumer, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_subscribe_pattern(consumer, "(", NULL));
    CHECK_STATUS(invalid, kfetch_consumer_subscription(consumer, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_group_metadata(consumer, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_commit_records(consumer, NULL, 0, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_store_records(consumer, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_all_committed(consumer, 0, NULL, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_close_with(consumer, 3, 0, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_close_with(consumer, -1, 0, NULL));
    kfetch_partition_offset bad[] = {
        {.topic = NULL, .offset = 1},
        {.topic = "t", .offset = -1},
        {.topic = "t", .offset = 1, .partition = -1},
        {.topic = "t", .offset = 1, .metadata = "\xff"},
        {.topic = "no such name", .offset = 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_STATUS(invalid, kfetch_consumer_commit_offsets(consumer, &bad[i], 1, 0, NULL));
        CHECK_STATUS(invalid, kfetch_consumer_commit_offsets_async(consumer, &bad[i], 1, committed,
                                                                   NULL, NULL));
        CHECK_STATUS(invalid, kfetch_consumer_store_offsets(consumer, &bad[i], 1, NULL));
    }
    kfetch_topic_partition nameless = {NULL, 0}, one = {"t", 0};
    kfetch_committed_offsets *found = NULL;
    CHECK_STATUS(invalid, kfetch_consumer_committed(consumer, &nameless, 1, 0, &found, NULL));
    CHECK_STATUS(invalid, kfetch_consumer_committed(consumer, &one, 1, 0, NULL, NULL));
    CHECK(found == NULL);
    CHECK_OK(kfetch_consumer_committed(consumer, NULL, 0, 0, &found, NULL));
    size_t count = 7;
    CHECK(kfetch_committed_offsets_items(found, &count) == NULL && count == 0);
    kfetch_committed_offsets_free(found);
}

/* What a member that has not found its group answers. */
static void check_unjoined(kfetch_consumer *consumer)
{
    const kfetch_status state = KFETCH_STATUS_STATE;
    const char *topics[] = {"b", "a", "b"};
    kfetch_topic_partition one = {"a", 0};
    kfetch_partition_offset offset = {.topic = "a", .offset = 1, .leader_epoch = -1};
    kfetch_committed_offsets *found = NULL;
    CHECK_STATUS(state, kfetch_consumer_enforce_rebalance(consumer, "why not", NULL));
    CHECK_OK(kfetch_consumer_set_rebalance_callback(consumer, rebalanced, &offset, NULL));
    CHECK_OK(kfetch_consumer_subscribe(consumer, topics, 3, NULL));
    kfetch_topic_names *names = NULL;
    CHECK_OK(kfetch_consumer_subscription(consumer, &names, NULL));
    size_t count = 0;
    const char *const *items = kfetch_topic_names_items(names, &count);
    CHECK(count == 2 && strcmp(items[0], "a") == 0 && strcmp(items[1], "b") == 0);
    kfetch_topic_names_free(names);
    CHECK_STATUS(state, kfetch_consumer_assign(consumer, &one, 1, NULL));
    CHECK_STATUS(state, kfetch_consumer_commit_offsets(consumer, &offset, 1, 100, NULL));
    CHECK_STATUS(state, kfetch_consumer_store_offsets(consumer, &offset, 1, NULL));
    CHECK_STATUS(KFETCH_STATUS_TIMEOUT,
                 kfetch_consumer_committed(consumer, &one, 1, 100, &found, NULL));
    CHECK_OK(kfetch_consumer_commit(consumer, 100, NULL)); /* there is nothing to commit */
    kfetch_group_metadata *metadata = NULL;
    CHECK_OK(kfetch_consumer_group_metadata(consumer, &metadata, NULL));
    CHECK(strcmp(kfetch_group_metadata_group_id(metadata), "g") == 0);
    CHECK(strcmp(kfetch_group_metadata_instance_id(metadata), "one") == 0);
    CHECK(kfetch_group_metadata_generation(metadata) == -1);
    kfetch_group_metadata_free(metadata);
    CHECK_OK(kfetch_consumer_subscribe(consumer, NULL, 0, NULL));
    CHECK_OK(kfetch_consumer_unsubscribe(consumer, NULL));
    CHECK_OK(kfetch_consumer_assign(consumer, &one, 1, NULL));
    CHECK_STATUS(state, kfetch_consumer_subscribe_pattern(consumer, "a.*", NULL));
    CHECK_OK(kfetch_consumer_set_rebalance_callback(consumer, NULL, NULL, NULL));
}

static void check_without_group(void)
{
    const kfetch_status config = KFETCH_STATUS_CONFIG;
    const char *topics[] = {"t"};
    kfetch_consumer *consumer = new_consumer(NOWHERE);
    kfetch_committed_offsets *found = NULL;
    kfetch_group_metadata *metadata = NULL;
    kfetch_error *error = NULL;
    CHECK_STATUS(config, kfetch_consumer_subscribe(consumer, topics, 1, &error));
    CHECK(strstr(kfetch_error_message(error), "group.id") != NULL);
    kfetch_error_free(error);
    CHECK_STATUS(config, kfetch_consumer_subscribe_pattern(consumer, "t", NULL));
    CHECK_STATUS(config, kfetch_consumer_set_rebalance_callback(consumer, rebalanced, NULL, NULL));
    CHECK_STATUS(config, kfetch_consumer_commit(consumer, 0, NULL));
    CHECK_STATUS(config, kfetch_consumer_commit_async(consumer, committed, NULL, NULL));
    CHECK_STATUS(config, kfetch_consumer_all_committed(consumer, 0, &found, NULL));
    CHECK_STATUS(config, kfetch_consumer_group_metadata(consumer, &metadata, NULL));
    CHECK_STATUS(config, kfetch_consumer_enforce_rebalance(consumer, NULL, NULL));
    CHECK_OK(kfetch_consumer_close_with(
        consumer, KFETCH_GROUP_MEMBERSHIP_OPERATION_REMAIN_IN_GROUP, 10000, NULL));
    CHECK_STATUS(KFETCH_STATUS_CLOSED, kfetch_consumer_subscribe(consumer, topics, 1, NULL));
    CHECK_STATUS(KFETCH_STATUS_CLOSED, kfetch_consumer_commit(consumer, 0, NULL));
    kfetch_consumer_free(consumer);
}

int main(void)
{
    check_null();
    check_without_group();
    kfetch_config *config = new_config(NOWHERE);
    CHECK_OK(kfetch_config_parse(config, "group.id=g\ngroup.instance.id=one\n"
                                         "enable.auto.commit=false\n"
                                         "enable.auto.offset.store=false\n", NULL));
    kfetch_consumer *consumer = NULL;
    CHECK_OK(kfetch_consumer_new(config, &consumer, NULL));
    kfetch_config_free(config);
    check_arguments(consumer);
    check_assignors(consumer);
    check_unjoined(consumer);
    CHECK_OK(kfetch_consumer_close(consumer, 10000, NULL));
    CHECK_STATUS(KFETCH_STATUS_CLOSED, kfetch_consumer_unsubscribe(consumer, NULL));
    kfetch_consumer_free(consumer);
    return 0;
}
