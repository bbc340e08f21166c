/*
 * kfetch: a Kafka fetch engine in a library.
 *
 * It takes record batches from Apache Kafka brokers, or straight from Kafka's log segment files,
 * and hands them out in bulk. Begin at `kfetch_consumer`: its text shows the flow of calls.
 *
 * Statuses. A function that can fail returns a `kfetch_status`: 0 is success. Names that end in
 * `_out` are results, written on success alone, but for `error_out`: there comes NULL on success
 * and on failure an error with a text, which the caller frees; NULL asks for none.
 *
 * Handles. What a `_new`, `_open` or a call with a `kfetch_..._out` of a handle gives is freed by
 * its own `_free` or `_close`; `_free(NULL)` does nothing. A NULL handle elsewhere, or a NULL where
 * a value is needed, is KFETCH_STATUS_INVALID_ARGUMENT. Structs that the library fills point into
 * the handle that they came from and are valid until that is freed.
 *
 * Threads. "Any thread" and "One thread at a time per handle" stand at each function. A second
 * thread in a call on the same handle gets KFETCH_STATUS_CONCURRENT at once. The library's own
 * threads block all signals; its descriptors are closed on exec. In a fork's child handles of the
 * parent answer KFETCH_STATUS_FORKED, and the child can make its own.
 *
 * Callbacks of a group's member (rebalance, commit, assignor) run inside of the program's own call
 * on the consumer, on its thread. From inside of those that are given the consumer they may call
 * what does not poll, subscribe, assign or close; what they may not is KFETCH_STATUS_STATE at once.
 * They must not throw or jump out.
 *
 * Strings are UTF-8 and NUL-terminated; times are milliseconds. The section "Safety" of a
 * function is what the library cannot check.
 *
 * Generated from the source: changes belong there.
 */

#ifndef KFETCH_H
#define KFETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The version of this header; `kfetch_version` is that of the library.
 */
#define KFETCH_VERSION "0.1.0"
#define KFETCH_VERSION_MAJOR 0
#define KFETCH_VERSION_MINOR 1
#define KFETCH_VERSION_PATCH 0


/**
 * No limit of the call's own: poll waits for ever, other calls as long as
 * `default.api.timeout.ms` says. Every other timeout is a number of milliseconds.
 */
#define KFETCH_TIMEOUT_NONE UINT32_MAX

/**
 * What a function that can fail returns: 0 where nothing failed. −1 and every positive number is
 * an error code of Kafka's protocol, of which the ones that programs look for most have a constant
 * here; kfetch's own begin at −100 and go down. No number is ever used again for something else.
 */
enum kfetch_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * When nothing failed.
   */
  KFETCH_STATUS_OK = 0,
  /**
   * When something unexpected failed inside of a broker.
   */
  KFETCH_STATUS_UNKNOWN_SERVER_ERROR = -1,
  /**
   * When a position lies outside of what the partition holds and `auto.offset.reset` is `none`.
   */
  KFETCH_STATUS_OFFSET_OUT_OF_RANGE = 1,
  /**
   * When a topic or a partition does not exist.
   */
  KFETCH_STATUS_UNKNOWN_TOPIC_OR_PARTITION = 3,
  /**
   * When the generation has ended in which a member wanted to commit.
   */
  KFETCH_STATUS_ILLEGAL_GENERATION = 22,
  /**
   * When the group does not know the member any more.
   */
  KFETCH_STATUS_UNKNOWN_MEMBER_ID = 25,
  /**
   * When the group is being rebalanced: the same call may succeed once that is over.
   */
  KFETCH_STATUS_REBALANCE_IN_PROGRESS = 27,
  /**
   * When the client may not read a topic.
   */
  KFETCH_STATUS_TOPIC_AUTHORIZATION_FAILED = 29,
  /**
   * When the client may not use a group.
   */
  KFETCH_STATUS_GROUP_AUTHORIZATION_FAILED = 30,
  /**
   * When another member has taken this one's `group.instance.id`.
   */
  KFETCH_STATUS_FENCED_INSTANCE_ID = 82,
  /**
   * When a panic was caught: a defect of kfetch. The handle is poisoned.
   */
  KFETCH_STATUS_PANIC = -100,
  /**
   * When an argument is NULL where that is not allowed, or outside of what the call takes.
   */
  KFETCH_STATUS_INVALID_ARGUMENT = -101,
  /**
   * When a property is unknown, malformed, out of range or not built yet.
   */
  KFETCH_STATUS_CONFIG = -102,
  /**
   * When the call does not fit the state: a partition that is not assigned, or a call from
   * inside of a callback that may not make it.
   */
  KFETCH_STATUS_STATE = -103,
  /**
   * When the handle has been closed.
   */
  KFETCH_STATUS_CLOSED = -104,
  /**
   * When another thread is inside of a call on the same handle.
   */
  KFETCH_STATUS_CONCURRENT = -105,
  /**
   * When `kfetch_consumer_wakeup` ended the call.
   */
  KFETCH_STATUS_WAKEUP = -106,
  /**
   * When the process is a fork's child and the handle belongs to the parent.
   */
  KFETCH_STATUS_FORKED = -107,
  /**
   * When the records that the program still holds take up `kfetch.memory.max.bytes`: free some.
   */
  KFETCH_STATUS_BUDGET_HELD = -108,
  /**
   * When the time of the call ran out.
   */
  KFETCH_STATUS_TIMEOUT = -109,
  /**
   * When the handle or its engine met a defect earlier; only close and free still work.
   */
  KFETCH_STATUS_POISONED = -110,
  /**
   * When descriptors, threads or memory could not be had.
   */
  KFETCH_STATUS_RESOURCE = -111,
  /**
   * When there is no connection, a reset, or a name that does not resolve.
   */
  KFETCH_STATUS_NETWORK = -112,
  /**
   * When a peer's bytes are not the protocol.
   */
  KFETCH_STATUS_PROTOCOL = -113,
  /**
   * When the broker speaks no version of an API that kfetch speaks.
   */
  KFETCH_STATUS_UNSUPPORTED_VERSION = -114,
  /**
   * When no offset is known for a partition and `auto.offset.reset` is `none`.
   */
  KFETCH_STATUS_NO_OFFSET = -115,
  /**
   * When a batch or a record is damaged: checksum, lengths, counts, compressed data.
   */
  KFETCH_STATUS_CORRUPT = -116,
  /**
   * When a batch is of a format or a compression that kfetch does not read.
   */
  KFETCH_STATUS_UNSUPPORTED = -117,
  /**
   * When a batch inflates past `kfetch.batch.inflated.max.bytes`.
   */
  KFETCH_STATUS_BATCH_TOO_LARGE = -118,
  /**
   * When a file or a directory could not be read or written.
   */
  KFETCH_STATUS_IO = -119,
  /**
   * When a partition is locked by another writer.
   */
  KFETCH_STATUS_LOCKED = -120,
  /**
   * When the caller's buffer does not hold what it should take.
   */
  KFETCH_STATUS_BUFFER_TOO_SMALL = -121,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum kfetch_status kfetch_status;
#else
typedef int32_t kfetch_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Whose clock the time stamps of a run's records are of.
 */
enum kfetch_timestamp_type
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * When the producer set each record's.
   */
  KFETCH_TIMESTAMP_TYPE_CREATE_TIME = 0,
  /**
   * When the broker set one for each batch as it appended it.
   */
  KFETCH_TIMESTAMP_TYPE_LOG_APPEND_TIME = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum kfetch_timestamp_type kfetch_timestamp_type;
#else
typedef int32_t kfetch_timestamp_type;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What happened to a partition.
 */
enum kfetch_event_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * When everything up to the high watermark has been read (`enable.partition.eof`).
   */
  KFETCH_EVENT_KIND_END = 1,
  /**
   * When the position was outside of the partition and has been reset (`auto.offset.reset`).
   */
  KFETCH_EVENT_KIND_RESET = 2,
  /**
   * When the partition failed.
   */
  KFETCH_EVENT_KIND_FAILED = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum kfetch_event_kind kfetch_event_kind;
#else
typedef int32_t kfetch_event_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What becomes of partitions in a rebalance.
 */
enum kfetch_rebalance_event
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * When they are new, at the end of a rebalance, also when there are none. They begin where the
   * group has committed, unless the callback seeks.
   */
  KFETCH_REBALANCE_EVENT_ASSIGNED = 1,
  /**
   * When they go to others: nothing of them is delivered any more, and a commit is the last
   * chance to say how far they were processed.
   */
  KFETCH_REBALANCE_EVENT_REVOKED = 2,
  /**
   * When they may be others' already: nothing can be committed for them.
   */
  KFETCH_REBALANCE_EVENT_LOST = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum kfetch_rebalance_event kfetch_rebalance_event;
#else
typedef int32_t kfetch_rebalance_event;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How much a message of the log callback matters.
 */
enum kfetch_log_level
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * When something failed for good.
   */
  KFETCH_LOG_LEVEL_ERROR = 1,
  /**
   * When something failed and goes on, or a setting has no effect.
   */
  KFETCH_LOG_LEVEL_WARN = 2,
  /**
   * When it is worth to be known.
   */
  KFETCH_LOG_LEVEL_INFO = 3,
  /**
   * When it helps to follow what the engine does.
   */
  KFETCH_LOG_LEVEL_DEBUG = 4,
  /**
   * When it is about single requests.
   */
  KFETCH_LOG_LEVEL_TRACE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum kfetch_log_level kfetch_log_level;
#else
typedef int32_t kfetch_log_level;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Numbers that stand where an offset is asked for and none is known; other negative numbers are
 * `KFETCH_STATUS_INVALID_ARGUMENT`.
 */
enum kfetch_offset
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int64_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * When it is the end: the next record that is written.
   */
  KFETCH_OFFSET_END = -1,
  /**
   * When it is the first record that there is.
   */
  KFETCH_OFFSET_BEGINNING = -2,
  /**
   * When `auto.offset.reset` decides.
   */
  KFETCH_OFFSET_DEFAULT = -3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum kfetch_offset kfetch_offset;
#else
typedef int64_t kfetch_offset;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A part of the records as a column.
 */
enum kfetch_column
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * When it is their keys.
   */
  KFETCH_COLUMN_KEY = 0,
  /**
   * When it is their values.
   */
  KFETCH_COLUMN_VALUE = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum kfetch_column kfetch_column;
#else
typedef int32_t kfetch_column;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How batches are compressed, as Kafka numbers it.
 */
enum kfetch_codec
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * When they are not.
   */
  KFETCH_CODEC_NONE = 0,
  /**
   * When it is gzip.
   */
  KFETCH_CODEC_GZIP = 1,
  /**
   * When it is snappy.
   */
  KFETCH_CODEC_SNAPPY = 2,
  /**
   * When it is LZ4.
   */
  KFETCH_CODEC_LZ4 = 3,
  /**
   * When it is Zstandard.
   */
  KFETCH_CODEC_ZSTD = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum kfetch_codec kfetch_codec;
#else
typedef int32_t kfetch_codec;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a close does about the group.
 */
enum kfetch_group_membership_operation
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * When a dynamic member leaves, and the place of one with a `group.instance.id` waits for it.
   */
  KFETCH_GROUP_MEMBERSHIP_OPERATION_DEFAULT = 0,
  /**
   * When the member leaves in any case, so that its partitions go to others at once.
   */
  KFETCH_GROUP_MEMBERSHIP_OPERATION_LEAVE_GROUP = 1,
  /**
   * When the member does not leave, and its place waits up to `session.timeout.ms`.
   */
  KFETCH_GROUP_MEMBERSHIP_OPERATION_REMAIN_IN_GROUP = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum kfetch_group_membership_operation kfetch_group_membership_operation;
#else
typedef int32_t kfetch_group_membership_operation;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A list of what a group has committed.
 */
typedef struct kfetch_committed_offsets kfetch_committed_offsets;

/**
 * Settings by Kafka's property names, such as `bootstrap.servers` or `fetch.min.bytes`; names
 * that only librdkafka has are understood too. A consumer copies what it needs: the settings can
 * be changed, used again and freed after it has been made.
 */
typedef struct kfetch_config kfetch_config;

/**
 * Reads partitions of Kafka topics, from brokers (`bootstrap.servers`) or from log directories
 * (`log.dirs`).
 *
 * The flow of calls is: set properties, make the consumer, assign partitions, then poll, look at
 * the records in bulk and free the handle, over and over; in the end close and free. Without the
 * checks of the statuses, which a program has:
 *
 * ```c
 * kfetch_config *config = kfetch_config_new();
 * kfetch_config_set(config, "bootstrap.servers", "localhost:9092", NULL);
 * kfetch_config_set(config, "auto.offset.reset", "earliest", NULL);
 * kfetch_consumer *consumer = NULL;
 * kfetch_status status = kfetch_consumer_new(config, &consumer, NULL);
 * kfetch_config_free(config);
 * kfetch_topic_partition orders = {"orders", 0};
 * kfetch_consumer_assign(consumer, &orders, 1, NULL);
 * kfetch_records *records = NULL;
 * while (status == KFETCH_STATUS_OK &&
 *        (status = kfetch_consumer_poll(consumer, 5000, &records, NULL)) == KFETCH_STATUS_OK &&
 *        records != NULL) { // NULL: nothing came within 5 s
 *     kfetch_record batch[256];
 *     size_t count = 0;
 *     for (size_t at = 0; at < kfetch_records_count(records); at += count) {
 *         kfetch_records_fill(records, at, batch, 256, sizeof *batch, &count);
 *         for (size_t i = 0; i < count; i++)
 *             fwrite(batch[i].value.data, 1, batch[i].value.len, stdout);
 *     }
 *     kfetch_records_free(records);
 * }
 * kfetch_consumer_close(consumer, 1000, NULL);
 * kfetch_consumer_free(consumer);
 * ```
 *
 * A member of a group subscribes where the example assigns (`kfetch_consumer_subscribe`), may be
 * told what it is given (`kfetch_consumer_set_rebalance_callback`), and commits what it has
 * processed (`kfetch_consumer_commit_records`) unless `enable.auto.commit` does.
 *
 * Of several `log.dirs` the first has the groups' offsets, unless another of them has them
 * already, so that their order does not matter to a group. Where more than one has some, no
 * consumer with a `group.id` can be made: `KFETCH_STATUS_CONFIG`.
 *
 * The status of a poll concerns the whole consumer. What happens to one partition (a failure, its
 * end, a reset of its position) is an event of the handle, see `kfetch_records_events`.
 */
typedef struct kfetch_consumer kfetch_consumer;

/**
 * A thread that serves any number of consumers, and what they share. Consumers that were not
 * given one share the process's default engine; one of its own isolates a consumer from those of
 * other parts of a program, and has a log callback.
 */
typedef struct kfetch_engine kfetch_engine;

/**
 * What a failed call has to say beyond its status: whether to try again, where it happened, and a
 * text for people.
 *
 * Functions that take a `kfetch_error **error_out` write NULL there when they succeed and a new
 * error when they fail, which the caller frees. Whoever needs the status alone passes NULL.
 */
typedef struct kfetch_error kfetch_error;

/**
 * A consumer's place in its group, for a producer that commits the group's offsets in its
 * transactions.
 */
typedef struct kfetch_group_metadata kfetch_group_metadata;

/**
 * Appends to one partition of a log directory, in segments that a broker serves as its own. A
 * partition has one writer at a time, in any process; readers in any process follow it.
 */
typedef struct kfetch_log_writer kfetch_log_writer;

/**
 * A list of partitions that the library made.
 */
typedef struct kfetch_partitions kfetch_partitions;

/**
 * The records and events that one poll returned. The records are numbered from 0, each
 * partition's in a run. They lie where the network or a file brought them: what the handle lends
 * (runs, events, keys, values, headers) is valid until its last free, over later polls and seeks,
 * and after the consumer has been closed and freed. The memory counts against the consumer's
 * `kfetch.memory.max.bytes` until then.
 */
typedef struct kfetch_records kfetch_records;

/**
 * A list of topics' names that the library made.
 */
typedef struct kfetch_topic_names kfetch_topic_names;

/**
 * Descriptions of topics.
 */
typedef struct kfetch_topics kfetch_topics;

/**
 * Takes a message of an engine: its level (a `kfetch_log_level`), the part of the library that
 * speaks, the text, and `log_opaque` of the options. The strings end with the call. It must not
 * throw, and calls of kfetch inside of it fail with `KFETCH_STATUS_STATE`.
 *
 * # Threads
 *
 * Called by any thread; must return quickly and must not call kfetch functions.
 */
typedef void (*kfetch_log_callback)(int32_t level,
                                    const char *target,
                                    const char *text,
                                    void *opaque);

/**
 * Options of an engine. Set all of it to zero, then `size` to `sizeof(kfetch_engine_options)`,
 * then what is wanted.
 */
typedef struct {
  /**
   * `sizeof(kfetch_engine_options)`.
   */
  size_t size;
  /**
   * Takes the messages; without it warnings and errors go to stderr.
   */
  kfetch_log_callback log;
  /**
   * Is passed to `log` and not touched.
   */
  void *log_opaque;
  /**
   * The least important level that `log` takes, a `kfetch_log_level`; 0 is
   * `KFETCH_LOG_LEVEL_INFO`.
   */
  int32_t log_level_max;
  /**
   * Zero.
   */
  uint32_t reserved[11];
} kfetch_engine_options;

/**
 * A partition of a topic. Arrays of them are inputs of the calls on many partitions; those calls
 * borrow the names until they return.
 */
typedef struct {
  /**
   * The topic's name, NUL-terminated.
   */
  const char *topic;
  /**
   * The partition's number, from 0.
   */
  int32_t partition;
} kfetch_topic_partition;

/**
 * An offset that was found by time.
 */
typedef struct {
  /**
   * The offset, −1 where there is no such record.
   */
  int64_t offset;
  /**
   * The record's time stamp in ms, −1 where there is no such record.
   */
  int64_t timestamp_ms;
  /**
   * The record's leader epoch, −1 where it is not known.
   */
  int32_t leader_epoch;
  /**
   * Zero.
   */
  uint32_t reserved;
} kfetch_offset_and_timestamp;

/**
 * A partition's ends, as the last answer told them: they may be stale.
 */
typedef struct {
  /**
   * The first offset, −1 where it is not known.
   */
  int64_t log_start_offset;
  /**
   * The offset behind the last record that is on all in-sync replicas, −1 where not known.
   */
  int64_t high_watermark;
  /**
   * The offset behind the last record of no open transaction, −1 where it is not known.
   */
  int64_t last_stable_offset;
} kfetch_watermarks;

/**
 * A partition as the cluster describes it, lent by a `kfetch_topics`.
 */
typedef struct {
  /**
   * Node ids of all replicas.
   */
  const int32_t *replicas;
  /**
   * How many replicas there are.
   */
  size_t replica_count;
  /**
   * Node ids of the replicas that are in sync.
   */
  const int32_t *in_sync_replicas;
  /**
   * How many of them there are.
   */
  size_t in_sync_replica_count;
  /**
   * The partition's number.
   */
  int32_t partition;
  /**
   * The leader's node id, −1 while there is none.
   */
  int32_t leader;
  /**
   * The leader's epoch, −1 where it is not known.
   */
  int32_t leader_epoch;
  /**
   * Zero.
   */
  uint32_t reserved;
} kfetch_partition_info;

/**
 * A topic as the cluster describes it, lent by a `kfetch_topics`.
 */
typedef struct {
  /**
   * The name, NUL-terminated.
   */
  const char *name;
  /**
   * Its partitions by number.
   */
  const kfetch_partition_info *partitions;
  /**
   * How many partitions there are, 0 where the status is an error.
   */
  size_t partition_count;
  /**
   * The topic's id, all zero where the cluster has none.
   */
  uint8_t topic_id[16];
  /**
   * Why its partitions cannot be told, else `KFETCH_STATUS_OK`.
   */
  kfetch_status status;
  /**
   * Whether it is Kafka's own, such as `__consumer_offsets`.
   */
  bool is_internal;
  /**
   * Zero.
   */
  uint8_t reserved[3];
} kfetch_topic;

/**
 * Records of one partition that follow one another in a handle, in offset order. Lent by the
 * handle and valid until it is freed.
 */
typedef struct {
  /**
   * The topic's name, NUL-terminated.
   */
  const char *topic;
  /**
   * The place of the first record in the handle.
   */
  size_t first;
  /**
   * How many records there are, at least one.
   */
  size_t count;
  /**
   * The offset to commit when all of them have been processed. It may be above the last
   * record's offset + 1: what compaction left out is stepped over with it.
   */
  int64_t next_offset;
  /**
   * The partition's high watermark when they were read, −1 if it is not known.
   */
  int64_t high_watermark;
  /**
   * The partition's number.
   */
  int32_t partition;
  /**
   * The leader epoch of the records, to commit with the offset; −1 where there is none.
   */
  int32_t leader_epoch;
  /**
   * Whose clock their time stamps are of.
   */
  kfetch_timestamp_type timestamp_type;
  /**
   * The id of the broker that sent them, −1 where a file had them.
   */
  int32_t broker;
  /**
   * Zero.
   */
  uint64_t reserved[2];
} kfetch_run;

/**
 * Something that happened to a partition, behind its last record of the same handle. Lent by the
 * handle and valid until it is freed.
 */
typedef struct {
  /**
   * The topic's name, NUL-terminated.
   */
  const char *topic;
  /**
   * What to tell people, NUL-terminated, with topic, partition and offset; never NULL.
   */
  const char *text;
  /**
   * At an end the high watermark, at a reset the position now, at a failure the offset that
   * failed or −1.
   */
  int64_t offset;
  /**
   * At a reset the position before, else −1.
   */
  int64_t offset_before;
  /**
   * The partition's number.
   */
  int32_t partition;
  /**
   * What happened.
   */
  kfetch_event_kind kind;
  /**
   * Why it failed, `KFETCH_STATUS_OK` for other kinds.
   */
  kfetch_status status;
  /**
   * Whether a failed partition gives no more records until a seek; else the engine goes on
   * trying. Such a failure is told once; `kfetch_consumer_partition_error` tells it again.
   */
  bool is_sticky;
  /**
   * Whether the same may succeed later without any change.
   */
  bool is_retriable;
  /**
   * Zero.
   */
  uint8_t reserved[18];
} kfetch_event;

/**
 * Bytes of a key, a value or a header, borrowed from the handle of their record. `data` is NULL
 * for null; empty bytes have a `data` that is not NULL and a `len` of 0.
 */
typedef struct {
  /**
   * The bytes, not NUL-terminated.
   */
  const uint8_t *data;
  /**
   * How many there are.
   */
  size_t len;
} kfetch_bytes;

/**
 * One record, valid until its handle is freed. A program may embed it as the first member of a
 * larger struct of its own and give that one's size to `kfetch_records_fill`.
 */
typedef struct {
  /**
   * The offset in its partition.
   */
  int64_t offset;
  /**
   * The time stamp in ms since the epoch, −1 for none.
   */
  int64_t timestamp_ms;
  /**
   * The key.
   */
  kfetch_bytes key;
  /**
   * The value; null is a tombstone.
   */
  kfetch_bytes value;
  /**
   * The index of its run in `kfetch_records_runs`, which names topic and partition.
   */
  uint32_t run;
  /**
   * How many headers it has; see `kfetch_records_headers`.
   */
  uint32_t header_count;
} kfetch_record;

/**
 * One header of a record, valid until the handle is freed.
 */
typedef struct {
  /**
   * The key, never null; UTF-8 by convention, which nobody checks.
   */
  kfetch_bytes key;
  /**
   * The value; it may be null.
   */
  kfetch_bytes value;
} kfetch_header;

/**
 * Takes what becomes of partitions, which end with the call as their names do, and `opaque` as it
 * was set. The group waits for it, up to `max.poll.interval.ms`; heartbeats go on meanwhile.
 *
 * Inside of it, calls on the same handle may commit, ask for committed offsets and positions,
 * seek, pause and resume; poll, subscribe, unsubscribe, assign and close are
 * `KFETCH_STATUS_STATE`, and free does nothing. It must not throw.
 *
 * # Threads
 *
 * Called on the application's thread inside poll, close or a synchronous commit; poll, subscribe
 * and close answer with a status there.
 */
typedef void (*kfetch_rebalance_callback)(kfetch_consumer *consumer,
                                          kfetch_rebalance_event event,
                                          const kfetch_topic_partition *partitions,
                                          size_t count,
                                          void *opaque);

/**
 * How far a partition has been processed. Arrays of them are inputs of commits, which borrow the
 * strings until they return.
 */
typedef struct {
  /**
   * The topic's name, NUL-terminated.
   */
  const char *topic;
  /**
   * The application's own words to keep with the offset, NUL-terminated; NULL is `""`.
   */
  const char *metadata;
  /**
   * The offset of the next record to process, such as `next_offset` of a `kfetch_run`.
   */
  int64_t offset;
  /**
   * The partition's number.
   */
  int32_t partition;
  /**
   * The leader epoch of the last record that was processed, −1 where it is not known. It helps
   * to notice that a log was cut; 0 is an epoch.
   */
  int32_t leader_epoch;
  /**
   * Zero.
   */
  uint64_t reserved;
} kfetch_partition_offset;

/**
 * Takes the outcome of an asynchronous commit: its status, the error that has the text (NULL where
 * there is none), the offsets, and `opaque` of the call. All of it ends with the callback.
 *
 * Callbacks run in the order of their commits. Inside of one the same calls on the handle work as
 * inside of a `kfetch_rebalance_callback`. It must not throw.
 *
 * # Threads
 *
 * Called on the application's thread inside poll, close or a synchronous commit; poll, subscribe
 * and close answer with a status there.
 */
typedef void (*kfetch_commit_callback)(kfetch_consumer *consumer,
                                       kfetch_status status,
                                       const kfetch_error *error,
                                       const kfetch_partition_offset *offsets,
                                       size_t count,
                                       void *opaque);

/**
 * What a group has committed for a partition, lent by a `kfetch_committed_offsets`.
 */
typedef struct {
  /**
   * The topic's name, NUL-terminated.
   */
  const char *topic;
  /**
   * The words that were committed with the offset, NUL-terminated; `""` where there are none.
   */
  const char *metadata;
  /**
   * The offset of the next record to process, −1 where nothing is committed or it cannot be
   * told.
   */
  int64_t offset;
  /**
   * The partition's number.
   */
  int32_t partition;
  /**
   * The leader epoch that was committed with the offset, −1 where there is none.
   */
  int32_t leader_epoch;
  /**
   * Why it cannot be told, else `KFETCH_STATUS_OK`.
   */
  kfetch_status status;
  /**
   * Zero.
   */
  uint32_t reserved;
} kfetch_committed_offset;

/**
 * A topic that members of a group have subscribed to, lent to a `kfetch_assign_callback`.
 */
typedef struct {
  /**
   * The name, NUL-terminated.
   */
  const char *name;
  /**
   * How many partitions it has.
   */
  size_t partition_count;
  /**
   * Zero.
   */
  uint64_t reserved;
} kfetch_group_topic;

/**
 * A member of a group, lent to a `kfetch_assign_callback`.
 */
typedef struct {
  /**
   * The id that the coordinator gave it, NUL-terminated.
   */
  const char *member_id;
  /**
   * Its `group.instance.id`, NULL where there is none.
   */
  const char *instance_id;
  /**
   * Its `client.rack`, NULL where there is none.
   */
  const char *rack;
  /**
   * The topics that it has subscribed to; they need not exist.
   */
  const char *const *topics;
  /**
   * How many they are.
   */
  size_t topic_count;
  /**
   * The partitions that it says it owns; an eager member owns none.
   */
  const kfetch_topic_partition *owned;
  /**
   * How many they are.
   */
  size_t owned_count;
  /**
   * What its own assignor has added to its subscription; `data` NULL where that is nothing.
   */
  kfetch_bytes user_data;
  /**
   * The generation in which it was assigned what it owns, −1 where it does not tell.
   */
  int32_t generation;
  /**
   * Zero.
   */
  uint32_t reserved[3];
} kfetch_group_member;

/**
 * Divides partitions among the members of a group. `owners` has an element for each partition of
 * the first topic, then of the second, and so on: all are −1, and the callback writes the place of
 * the member (from 0) that is to get the partition. A status other than `KFETCH_STATUS_OK` makes
 * the rebalance fail, which is tried again.
 *
 * No call on the consumer works inside of it: each is `KFETCH_STATUS_STATE`. It must not throw.
 *
 * # Threads
 *
 * Called on the application's thread inside poll, close or a synchronous commit; poll, subscribe
 * and close answer with a status there.
 */
typedef kfetch_status (*kfetch_assign_callback)(const kfetch_group_topic *topics,
                                                size_t topic_count,
                                                const kfetch_group_member *members,
                                                size_t member_count,
                                                int32_t *owners,
                                                void *opaque);

/**
 * An assignor: one of the application's own, or one that comes with kfetch. Set all of it to zero,
 * then `size` to `sizeof(kfetch_assignor)`, then what is wanted.
 */
typedef struct {
  /**
   * `sizeof(kfetch_assignor)`.
   */
  size_t size;
  /**
   * The name by which the members of a group agree on it, NUL-terminated. Without `assign` one
   * that `partition.assignment.strategy` takes.
   */
  const char *name;
  /**
   * Divides the partitions where this member leads; NULL asks for the assignor of this name that
   * comes with kfetch.
   */
  kfetch_assign_callback assign;
  /**
   * Is passed to `assign` and not touched.
   */
  void *opaque;
  /**
   * What this member's subscription carries to the leader's assignor; copied.
   */
  kfetch_bytes user_data;
  /**
   * Whether members keep their partitions during a rebalance: then a partition may go to
   * another only in the generation after the one in which its owner gave it up.
   */
  bool is_cooperative;
  /**
   * Zero.
   */
  uint8_t reserved[23];
} kfetch_assignor;

/**
 * What a consumer has done since it was made, and what it holds now. The numbers are read one
 * after the other while other threads go on, so that they need not fit together to the last byte.
 */
typedef struct {
  /**
   * Polls begun.
   */
  uint64_t polls;
  /**
   * Records returned by them.
   */
  uint64_t records;
  /**
   * Events returned by them.
   */
  uint64_t events;
  /**
   * Fetch requests sent, or reads of segment files.
   */
  uint64_t fetches;
  /**
   * Bytes received in answers to Fetch, or taken from segment files.
   */
  uint64_t received_bytes;
  /**
   * Bytes of whole batches, verified and handed over to the polls.
   */
  uint64_t delivered_bytes;
  /**
   * Runs of batches handed over to the polls; a run is what lies together in memory.
   */
  uint64_t delivered_runs;
  /**
   * Batches that were damaged when they came, whether or not another read mended them.
   */
  uint64_t damaged_batches;
  /**
   * Connections opened for fetching.
   */
  uint64_t connections_opened;
  /**
   * Connections for fetching that were lost or given up.
   */
  uint64_t connections_lost;
  /**
   * How often reading stopped because the memory budget had no room.
   */
  uint64_t credit_waits;
  /**
   * Partitions that are assigned now.
   */
  uint64_t assigned_partitions;
  /**
   * Partitions that are paused now.
   */
  uint64_t paused_partitions;
  /**
   * The memory budget (`kfetch.memory.max.bytes`).
   */
  uint64_t memory_limit_bytes;
  /**
   * How much of it is in use.
   */
  uint64_t memory_used_bytes;
  /**
   * How much of that is pinned by records that the program has not freed.
   */
  uint64_t memory_held_bytes;
} kfetch_stats;

/**
 * Options of a log writer. Set all of it to zero, then `size` to
 * `sizeof(kfetch_log_writer_options)`, then what is wanted: a field that is 0 stands for its
 * default, which is Kafka's where Kafka has the property.
 */
typedef struct {
  /**
   * `sizeof(kfetch_log_writer_options)`.
   */
  size_t size;
  /**
   * How batches are compressed: a `kfetch_codec`.
   */
  int32_t codec;
  /**
   * The codec's level; 0 is its default.
   */
  int32_t compression_level;
  /**
   * The bytes before compression that a batch does not exceed unless one record does
   * (`batch.size`).
   */
  size_t batch_bytes;
  /**
   * The bytes that a segment does not exceed unless one batch does (`segment.bytes`).
   */
  uint64_t segment_bytes;
  /**
   * After how many bytes of finished batches readers are shown them, if nobody flushes before.
   */
  uint64_t flush_bytes;
  /**
   * How long a finished batch waits for that at most, in ms, as long as further ones follow.
   */
  uint64_t flush_ms;
  /**
   * More bytes than this lie between two entries of an index (`index.interval.bytes`).
   */
  uint32_t index_interval_bytes;
  /**
   * Zero.
   */
  uint32_t reserved[9];
} kfetch_log_writer_options;

/**
 * A record to append, valid for the call alone.
 */
typedef struct {
  /**
   * The time stamp in ms since the epoch; −1 stands for the time of the call.
   */
  int64_t timestamp_ms;
  /**
   * The key; `data` NULL is null.
   */
  kfetch_bytes key;
  /**
   * The value; `data` NULL is null, a tombstone.
   */
  kfetch_bytes value;
  /**
   * The headers, in the order in which they are to be read; NULL where there are none.
   */
  const kfetch_header *headers;
  /**
   * How many headers there are.
   */
  size_t header_count;
  /**
   * Zero.
   */
  uint64_t reserved;
} kfetch_new_record;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Returns the name of a status, such as `"TIMEOUT"` or Kafka's `"LEADER_NOT_AVAILABLE"`; `"OK"`
 * for 0 and `"UNKNOWN"` for a number that is none. The string is static.
 *
 * # Threads
 *
 * Any thread.
 */
const char *kfetch_status_name(kfetch_status status);

/**
 * Frees an error. NULL is allowed.
 *
 * # Safety
 *
 * The error is not used any more, nor what it lent.
 *
 * # Threads
 *
 * Any thread.
 */
void kfetch_error_free(kfetch_error *error);

/**
 * Returns the status that came with the error; `KFETCH_STATUS_OK` for NULL.
 *
 * # Safety
 *
 * `error` is NULL or an error that has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
kfetch_status kfetch_error_status(const kfetch_error *error);

/**
 * Tells whether the same call may succeed later without any change.
 *
 * # Safety
 *
 * `error` is NULL or an error that has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
bool kfetch_error_is_retriable(const kfetch_error *error);

/**
 * Tells whether only close and free work after it.
 *
 * # Safety
 *
 * `error` is NULL or an error that has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
bool kfetch_error_is_fatal(const kfetch_error *error);

/**
 * Returns the topic that it concerns, NULL where there is none; valid until the error is freed.
 *
 * # Safety
 *
 * `error` is NULL or an error that has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
const char *kfetch_error_topic(const kfetch_error *error);

/**
 * Returns the partition that it concerns, −1 where there is none.
 *
 * # Safety
 *
 * `error` is NULL or an error that has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
int32_t kfetch_error_partition(const kfetch_error *error);

/**
 * Returns the offset at which it happened, −1 where none is known.
 *
 * # Safety
 *
 * `error` is NULL or an error that has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
int64_t kfetch_error_offset(const kfetch_error *error);

/**
 * Returns the whole text for people in UTF-8, with topic, partition and offset where they are
 * known; never NULL, `""` for a NULL error. Valid until the error is freed.
 *
 * # Safety
 *
 * `error` is NULL or an error that has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
const char *kfetch_error_message(const kfetch_error *error);

/**
 * Makes an empty set of settings. It is never NULL.
 *
 * # Threads
 *
 * Any thread.
 */
kfetch_config *kfetch_config_new(void);

/**
 * Frees the settings. NULL is allowed.
 *
 * # Safety
 *
 * No call on the handle runs, and none follows.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
void kfetch_config_free(kfetch_config *config);

/**
 * Sets a property. A later setting of the same name takes its place; an unknown name is
 * `KFETCH_STATUS_CONFIG` with a text that names the nearest known one.
 *
 * # Safety
 *
 * `name` and `value` are NUL-terminated, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_config_set(kfetch_config *config,
                                const char *name,
                                const char *value,
                                kfetch_error **error_out);

/**
 * Sets all properties of a `.properties` file in UTF-8, later lines over earlier ones. Where one
 * of them fails nothing is set, and the text names file, line and property.
 *
 * # Safety
 *
 * `path` is NUL-terminated, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_config_load_file(kfetch_config *config,
                                      const char *path,
                                      kfetch_error **error_out);

/**
 * Sets all properties of a text in the `.properties` format, as `kfetch_config_load_file` does.
 *
 * # Safety
 *
 * `text` is NUL-terminated, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_config_parse(kfetch_config *config,
                                  const char *text,
                                  kfetch_error **error_out);

/**
 * Copies the value of a property with a NUL behind it into `buffer`: what was set, else the
 * default, else `""`. `length_out` (NULL is allowed) is the value's length without the NUL, also
 * where the status is `KFETCH_STATUS_BUFFER_TOO_SMALL` and nothing was copied.
 *
 * # Safety
 *
 * `name` is NUL-terminated, `capacity` bytes can be written at `buffer`, `length_out` and
 * `error_out` are NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_config_get(const kfetch_config *config,
                                const char *name,
                                char *buffer,
                                size_t capacity,
                                size_t *length_out,
                                kfetch_error **error_out);

/**
 * Starts an engine. `options` may be NULL.
 *
 * # Safety
 *
 * `options` is NULL or valid, `engine_out` can be written, `error_out` is NULL or can be written.
 * The callback and what `log_opaque` points to stay valid until `kfetch_engine_free` has returned
 * and the last consumer of the engine has been freed.
 *
 * # Threads
 *
 * Any thread.
 */
kfetch_status kfetch_engine_new(const kfetch_engine_options *options,
                                kfetch_engine **engine_out,
                                kfetch_error **error_out);

/**
 * Frees the handle; the engine itself ends with its last consumer. NULL is allowed, and in a
 * fork's child nothing happens.
 *
 * # Safety
 *
 * No call on the handle runs, and none follows.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
void kfetch_engine_free(kfetch_engine *engine);

/**
 * Returns the partitions of a list; they are valid until it is freed. NULL is an empty list.
 *
 * # Safety
 *
 * `partitions` is NULL or a list that has not been freed, `count_out` is NULL or can be written.
 *
 * # Threads
 *
 * Any thread.
 */
const kfetch_topic_partition *kfetch_partitions_items(const kfetch_partitions *partitions,
                                                      size_t *count_out);

/**
 * Frees a list. NULL is allowed.
 *
 * # Safety
 *
 * The list is not used any more, nor what it lent.
 *
 * # Threads
 *
 * Any thread.
 */
void kfetch_partitions_free(kfetch_partitions *partitions);

/**
 * Makes a consumer on the process's default engine, which is started for its first consumer.
 *
 * # Safety
 *
 * `consumer_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * Any thread.
 */
kfetch_status kfetch_consumer_new(const kfetch_config *config,
                                  kfetch_consumer **consumer_out,
                                  kfetch_error **error_out);

/**
 * Makes a consumer on an engine, whose handle may be freed before the consumer.
 *
 * # Safety
 *
 * `consumer_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * Any thread.
 */
kfetch_status kfetch_consumer_new_with_engine(const kfetch_engine *engine,
                                              const kfetch_config *config,
                                              kfetch_consumer **consumer_out,
                                              kfetch_error **error_out);

/**
 * Closes the consumer: lets its partitions and connections go and waits up to `timeout_ms` until
 * the engine has done so. A call that another thread is inside of ends with
 * `KFETCH_STATUS_CLOSED`, as does every later one but free, and but another close, which is
 * `KFETCH_STATUS_OK` and does nothing. Handles of records stay valid. On `KFETCH_STATUS_TIMEOUT`
 * the consumer is closed as well. A member of a group commits its positions where
 * `enable.auto.commit` says so, has its partitions revoked, with the rebalance callback called,
 * and leaves, unless it has a `group.instance.id`. From inside of a callback it is
 * `KFETCH_STATUS_STATE`, and nothing has changed.
 *
 * # Safety
 *
 * `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * Any thread.
 */
kfetch_status kfetch_consumer_close(kfetch_consumer *consumer,
                                    uint32_t timeout_ms,
                                    kfetch_error **error_out);

/**
 * Closes the consumer as `kfetch_consumer_close` does, and says what becomes of its place in the
 * group: `operation` is a `kfetch_group_membership_operation`.
 *
 * # Safety
 *
 * `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * Any thread.
 */
kfetch_status kfetch_consumer_close_with(kfetch_consumer *consumer,
                                         int32_t operation,
                                         uint32_t timeout_ms,
                                         kfetch_error **error_out);

/**
 * Frees the consumer, closing it without a wait if that has not been done: nothing is committed
 * then and no callback is called; a member of a group that is no static one leaves, if its
 * connection takes that at once. NULL is allowed. In a fork's child, inside of a callback, and
 * while a call of another thread is inside, nothing happens.
 *
 * # Safety
 *
 * No call on the handle follows.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
void kfetch_consumer_free(kfetch_consumer *consumer);

/**
 * Returns the records that have come, at most `max.poll.records`, after waiting up to
 * `timeout_ms` for the first. The status is `KFETCH_STATUS_OK` with a handle in `records_out`, to
 * be freed with `kfetch_records_free`; or with NULL there when the time has passed or a signal
 * handler ran; or it concerns the whole consumer (closed, concurrent, wake-up, forked, budget
 * held, poisoned) and nothing is written there. Of a member of a group these are also the statuses
 * that end its membership, for which `kfetch_error_is_fatal` is true:
 * `KFETCH_STATUS_FENCED_INSTANCE_ID`, `KFETCH_STATUS_GROUP_AUTHORIZATION_FAILED`,
 * `KFETCH_STATUS_UNSUPPORTED_VERSION`; and from the broker 23 (`INCONSISTENT_GROUP_PROTOCOL`), 24
 * (`INVALID_GROUP_ID`), 26 (`INVALID_SESSION_TIMEOUT`), 35 (`UNSUPPORTED_VERSION`) and 81
 * (`GROUP_MAX_SIZE_REACHED`); and `KFETCH_STATUS_INVALID_ARGUMENT` for a subscription that cannot
 * be sent. Other errors of its group are told once, and later polls go on.
 *
 * # Safety
 *
 * `records_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_poll(kfetch_consumer *consumer,
                                   uint32_t timeout_ms,
                                   kfetch_records **records_out,
                                   kfetch_error **error_out);

/**
 * Polls with limits of its own: most records, and most bytes that they take in their batches (the
 * first record may take more). 0 stands for `max.poll.records`, and for no limit in bytes.
 *
 * # Safety
 *
 * `records_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_poll_limited(kfetch_consumer *consumer,
                                           uint32_t timeout_ms,
                                           size_t max_records,
                                           size_t max_bytes,
                                           kfetch_records **records_out,
                                           kfetch_error **error_out);

/**
 * Ends the running blocking call, or the next one, with `KFETCH_STATUS_WAKEUP`. On NULL and in a
 * fork's child nothing happens.
 *
 * # Safety
 *
 * `consumer` is NULL or has not been freed.
 *
 * # Threads
 *
 * Any thread. A signal handler may call it too.
 */
void kfetch_consumer_wakeup(const kfetch_consumer *consumer);

/**
 * Returns a descriptor for the program's own `poll` or `epoll`, readable when a poll with timeout
 * 0 would give something. Poll until nothing comes before waiting for it, never read it and never
 * close it: it belongs to the consumer until that is freed. It is −1 for NULL, a closed consumer
 * and a fork's child.
 *
 * # Safety
 *
 * `consumer` is NULL or has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
int kfetch_consumer_fd(const kfetch_consumer *consumer);

/**
 * Reads these partitions and no others. Those that are read already go on where they are, new
 * ones begin where `auto.offset.reset` says.
 *
 * # Safety
 *
 * `partitions` is to `count` partitions, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_assign(kfetch_consumer *consumer,
                                     const kfetch_topic_partition *partitions,
                                     size_t count,
                                     kfetch_error **error_out);

/**
 * Reads these partitions and no others, each from its offset: `offsets[i]` is one, or a
 * `kfetch_offset`.
 *
 * # Safety
 *
 * `partitions` is to `count` partitions, `offsets` to as many offsets, `error_out` is NULL or can
 * be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_assign_at(kfetch_consumer *consumer,
                                        const kfetch_topic_partition *partitions,
                                        const int64_t *offsets,
                                        size_t count,
                                        kfetch_error **error_out);

/**
 * Reads these partitions as well, each from its offset: `offsets[i]` is one, or a
 * `kfetch_offset`. One that is read already is `KFETCH_STATUS_STATE`, and nothing has changed.
 *
 * # Safety
 *
 * `partitions` is to `count` partitions, `offsets` to as many offsets, `error_out` is NULL or can
 * be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_incremental_assign(kfetch_consumer *consumer,
                                                 const kfetch_topic_partition *partitions,
                                                 const int64_t *offsets,
                                                 size_t count,
                                                 kfetch_error **error_out);

/**
 * Reads these partitions no more. One that is not assigned is `KFETCH_STATUS_STATE`, and nothing
 * has changed.
 *
 * # Safety
 *
 * `partitions` is to `count` partitions, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_incremental_unassign(kfetch_consumer *consumer,
                                                   const kfetch_topic_partition *partitions,
                                                   size_t count,
                                                   kfetch_error **error_out);

/**
 * Reads nothing any more.
 *
 * # Safety
 *
 * `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_unassign(kfetch_consumer *consumer, kfetch_error **error_out);

/**
 * Lists the partitions that are read, in no order; the list is freed with
 * `kfetch_partitions_free`.
 *
 * # Safety
 *
 * `partitions_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_assignment(const kfetch_consumer *consumer,
                                         kfetch_partitions **partitions_out,
                                         kfetch_error **error_out);

/**
 * Holds partitions back; what has been fetched of them is kept.
 *
 * # Safety
 *
 * `partitions` is to `count` partitions, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_pause(kfetch_consumer *consumer,
                                    const kfetch_topic_partition *partitions,
                                    size_t count,
                                    kfetch_error **error_out);

/**
 * Goes on with partitions that were held back.
 *
 * # Safety
 *
 * `partitions` is to `count` partitions, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_resume(kfetch_consumer *consumer,
                                     const kfetch_topic_partition *partitions,
                                     size_t count,
                                     kfetch_error **error_out);

/**
 * Lists the partitions that are held back, in no order; the list is freed with
 * `kfetch_partitions_free`.
 *
 * # Safety
 *
 * `partitions_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_paused(const kfetch_consumer *consumer,
                                     kfetch_partitions **partitions_out,
                                     kfetch_error **error_out);

/**
 * Gives the error that stopped a partition, which poll told once as an event: an error to be
 * freed in `partition_error_out` until a seek ends it, NULL where the partition is well.
 *
 * # Safety
 *
 * `topic` is NUL-terminated, `partition_error_out` can be written, `error_out` is NULL or can be
 * written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_partition_error(const kfetch_consumer *consumer,
                                              const char *topic,
                                              int32_t partition_number,
                                              kfetch_error **partition_error_out,
                                              kfetch_error **error_out);

/**
 * Moves the position of an assigned partition to an offset, or a `kfetch_offset`. What has been
 * fetched of it is dropped, and its error ends.
 *
 * # Safety
 *
 * `topic` is NUL-terminated, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_seek(kfetch_consumer *consumer,
                                   const char *topic,
                                   int32_t partition_number,
                                   int64_t new_offset,
                                   kfetch_error **error_out);

/**
 * Moves the positions of many assigned partitions: `offsets[i]` is an offset, or a
 * `kfetch_offset`. Where one of them fails nothing has changed.
 *
 * # Safety
 *
 * `partitions` is to `count` partitions, `offsets` to as many offsets, `error_out` is NULL or can
 * be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_seek_many(kfetch_consumer *consumer,
                                        const kfetch_topic_partition *partitions,
                                        const int64_t *offsets,
                                        size_t count,
                                        kfetch_error **error_out);

/**
 * Moves each position to the first record with `timestamps_ms[i]` or a later time stamp, to the
 * end where there is none.
 *
 * # Safety
 *
 * `partitions` is to `count` partitions, `timestamps_ms` to as many times, `error_out` is NULL or
 * can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_seek_to_times(kfetch_consumer *consumer,
                                            const kfetch_topic_partition *partitions,
                                            const int64_t *timestamps_ms,
                                            size_t count,
                                            kfetch_error **error_out);

/**
 * Gives the offset of the next record that a poll will return of an assigned partition, after
 * waiting up to `timeout_ms` for it to be looked up.
 *
 * # Safety
 *
 * `topic` is NUL-terminated, `offset_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_position(kfetch_consumer *consumer,
                                       const char *topic,
                                       int32_t partition_number,
                                       uint32_t timeout_ms,
                                       int64_t *offset_out,
                                       kfetch_error **error_out);

/**
 * Gives the positions of many assigned partitions, as `kfetch_consumer_position` does, within
 * `timeout_ms` for all. With `statuses_out` each partition has a status, and its offset is −1
 * where that is an error; without it the first partition's error is that of the call.
 *
 * # Safety
 *
 * `partitions` is to `count` partitions; `offsets_out`, and `statuses_out` unless it is NULL,
 * have room for as many; `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_positions(kfetch_consumer *consumer,
                                        const kfetch_topic_partition *topic_partitions,
                                        size_t count,
                                        uint32_t timeout_ms,
                                        int64_t *offsets_out,
                                        kfetch_status *statuses_out,
                                        kfetch_error **error_out);

/**
 * Finds for each partition the first record with `timestamps_ms[i]` or a later time stamp. The
 * partitions need not be assigned; those of one broker are one request. With `statuses_out` each
 * partition has a status; without it the first partition's error is that of the call.
 *
 * # Safety
 *
 * `partitions` is to `count` partitions, `timestamps_ms` to as many times; `offsets_out`, and
 * `statuses_out` unless it is NULL, have room for as many; `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_offsets_for_times(kfetch_consumer *consumer,
                                                const kfetch_topic_partition *partitions,
                                                const int64_t *timestamps_ms,
                                                size_t count,
                                                uint32_t timeout_ms,
                                                kfetch_offset_and_timestamp *offsets_out,
                                                kfetch_status *statuses_out,
                                                kfetch_error **error_out);

/**
 * Finds the first offset of each partition, which need not be assigned. With `statuses_out` each
 * partition has a status, and its offset is −1 where that is an error; without it the first
 * partition's error is that of the call.
 *
 * # Safety
 *
 * `partitions` is to `count` partitions; `offsets_out`, and `statuses_out` unless it is NULL,
 * have room for as many; `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_beginning_offsets(kfetch_consumer *consumer,
                                                const kfetch_topic_partition *partitions,
                                                size_t count,
                                                uint32_t timeout_ms,
                                                int64_t *offsets_out,
                                                kfetch_status *statuses_out,
                                                kfetch_error **error_out);

/**
 * Finds the end of each partition: its high watermark, where the next record will be read. The
 * arguments are those of `kfetch_consumer_beginning_offsets`.
 *
 * # Safety
 *
 * As for `kfetch_consumer_beginning_offsets`.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_end_offsets(kfetch_consumer *consumer,
                                          const kfetch_topic_partition *partitions,
                                          size_t count,
                                          uint32_t timeout_ms,
                                          int64_t *offsets_out,
                                          kfetch_status *statuses_out,
                                          kfetch_error **error_out);

/**
 * Gives the ends of assigned partitions as the last answer told them, without a request: −1 in
 * all fields of one that is not assigned or has had no answer yet.
 *
 * # Safety
 *
 * `topic_partitions` is to `count` partitions, `watermarks_out` has room for as many, `error_out`
 * is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_watermarks(const kfetch_consumer *consumer,
                                         const kfetch_topic_partition *topic_partitions,
                                         size_t count,
                                         kfetch_watermarks *watermarks_out,
                                         kfetch_error **error_out);

/**
 * Gives how many offsets lie between the position and the high watermark of assigned partitions,
 * without a request: −1 while either is not known.
 *
 * # Safety
 *
 * `topic_partitions` is to `count` partitions, `lags_out` has room for as many, `error_out` is
 * NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_lag(const kfetch_consumer *consumer,
                                  const kfetch_topic_partition *topic_partitions,
                                  size_t count,
                                  int64_t *lags_out,
                                  kfetch_error **error_out);

/**
 * Describes a topic: one item, to be freed with `kfetch_topics_free`. A topic that does not exist
 * is `KFETCH_STATUS_UNKNOWN_TOPIC_OR_PARTITION`.
 *
 * # Safety
 *
 * `topic` is NUL-terminated, `topics_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_partitions_for(kfetch_consumer *consumer,
                                             const char *topic,
                                             uint32_t timeout_ms,
                                             kfetch_topics **topics_out,
                                             kfetch_error **error_out);

/**
 * Describes all topics that this client may see, by name; to be freed with `kfetch_topics_free`.
 *
 * # Safety
 *
 * `topics_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_list_topics(kfetch_consumer *consumer,
                                          uint32_t timeout_ms,
                                          kfetch_topics **topics_out,
                                          kfetch_error **error_out);

/**
 * Returns the topics; they are valid until they are freed. NULL has none.
 *
 * # Safety
 *
 * `topics` is NULL or has not been freed, `count_out` is NULL or can be written.
 *
 * # Threads
 *
 * Any thread.
 */
const kfetch_topic *kfetch_topics_items(const kfetch_topics *topics, size_t *count_out);

/**
 * Frees descriptions of topics. NULL is allowed.
 *
 * # Safety
 *
 * They are not used any more, nor what they lent.
 *
 * # Threads
 *
 * Any thread.
 */
void kfetch_topics_free(kfetch_topics *topics);

/**
 * Returns how many records there are; 0 for NULL. A handle may have events alone.
 *
 * # Safety
 *
 * `records` is NULL or a handle that has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
size_t kfetch_records_count(const kfetch_records *records);

/**
 * Returns the runs of the handle, one for each partition and leader epoch or so; they cover all
 * records in order. NULL has none.
 *
 * # Safety
 *
 * `records` is NULL or a handle that has not been freed, `count_out` is NULL or can be written.
 *
 * # Threads
 *
 * Any thread.
 */
const kfetch_run *kfetch_records_runs(const kfetch_records *records, size_t *count_out);

/**
 * Returns the events of the handle: what happened to partitions, each behind the last record of
 * its partition. NULL has none.
 *
 * # Safety
 *
 * `records` is NULL or a handle that has not been freed, `count_out` is NULL or can be written.
 *
 * # Threads
 *
 * Any thread.
 */
const kfetch_event *kfetch_records_events(const kfetch_records *records, size_t *count_out);

/**
 * Adds an owner: the handle has to be freed once more. NULL is allowed.
 *
 * # Safety
 *
 * `records` is NULL or a handle that has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
void kfetch_records_retain(kfetch_records *records);

/**
 * Gives a handle up; the last owner's free gives the memory back to the consumer's budget. NULL
 * is allowed, and in a fork's child nothing happens.
 *
 * # Safety
 *
 * This owner does not use the handle any more, nor what it lent.
 *
 * # Threads
 *
 * Any thread.
 */
void kfetch_records_free(kfetch_records *records);

/**
 * Fills the caller's array with the records from number `first` on, as many as there are and fit.
 * `record_size` is the distance between the elements, `sizeof(kfetch_record)` or more: bytes
 * behind a record are left alone. `count_out` is how many were filled, 0 behind the last.
 *
 * # Safety
 *
 * `capacity` times `record_size` bytes can be written at `records_out`, `count_out` can be
 * written.
 *
 * # Threads
 *
 * Any thread.
 */
kfetch_status kfetch_records_fill(const kfetch_records *records,
                                  size_t first,
                                  kfetch_record *records_out,
                                  size_t capacity,
                                  size_t record_size,
                                  size_t *count_out);

/**
 * Fills the caller's array with the headers of record number `record`, in the producer's order
 * and with its repetitions, as many as fit. `count_out` is how many were filled;
 * `kfetch_record.header_count` says how many there are.
 *
 * # Safety
 *
 * `capacity` headers can be written at `headers_out`, `count_out` can be written.
 *
 * # Threads
 *
 * Any thread.
 */
kfetch_status kfetch_records_headers(const kfetch_records *records,
                                     size_t record,
                                     kfetch_header *headers_out,
                                     size_t capacity,
                                     size_t *count_out);

/**
 * Gives how many bytes the keys or values (`column` is a `kfetch_column`) of up to `count`
 * records from number `first` on have together.
 *
 * # Safety
 *
 * `bytes_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * Any thread.
 */
kfetch_status kfetch_records_column_bytes(const kfetch_records *records,
                                          int32_t column,
                                          size_t first,
                                          size_t count,
                                          size_t *bytes_out,
                                          kfetch_error **error_out);

/**
 * Copies the keys or values (`column` is a `kfetch_column`) of up to `count` records from number
 * `first` on into one buffer, for callers that cannot follow pointers. Cell `i` is the bytes from
 * `offsets_out[i]` to `offsets_out[i + 1]` of `data_out`; `valid_out[i]` is 0 where it is null,
 * else 1. `count_out` is how many records were copied: those that there are and whose bytes fit.
 * Where not even the first fits the status is `KFETCH_STATUS_BUFFER_TOO_SMALL`.
 *
 * # Safety
 *
 * `offsets_out` has room for `count` + 1 numbers, `valid_out` for `count` bytes unless it is
 * NULL, `data_out` for `data_capacity` bytes; `count_out` can be written, `error_out` is NULL or
 * can be written.
 *
 * # Threads
 *
 * Any thread.
 */
kfetch_status kfetch_records_copy_column(const kfetch_records *records,
                                         int32_t column,
                                         size_t first,
                                         size_t count,
                                         int64_t *offsets_out,
                                         uint8_t *valid_out,
                                         uint8_t *data_out,
                                         size_t data_capacity,
                                         size_t *count_out,
                                         kfetch_error **error_out);

/**
 * Joins the group (`group.id`) for these topics, or changes what was subscribed to. Partitions
 * come and go inside of later polls, see `kfetch_consumer_set_rebalance_callback`. No topics at
 * all is the same as `kfetch_consumer_unsubscribe`.
 *
 * Poll at least every `max.poll.interval.ms`; heartbeats are the engine's.
 *
 * # Safety
 *
 * `topics` is to `count` NUL-terminated names, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_subscribe(kfetch_consumer *consumer,
                                        const char *const *topics,
                                        size_t count,
                                        kfetch_error **error_out);

/**
 * Joins the group for all topics whose whole name matches a regular expression, also those that
 * are made later, which are found after `metadata.max.age.ms` at the latest.
 *
 * # Safety
 *
 * `pattern` is NUL-terminated, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_subscribe_pattern(kfetch_consumer *consumer,
                                                const char *pattern,
                                                kfetch_error **error_out);

/**
 * Leaves the group: before this returns the partitions are revoked, with the rebalance callback
 * called. Partitions that were assigned by hand are let go as well.
 *
 * # Safety
 *
 * `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_unsubscribe(kfetch_consumer *consumer, kfetch_error **error_out);

/**
 * Lists the topics that are subscribed to, as far as a pattern has been resolved; the list is
 * freed with `kfetch_topic_names_free`.
 *
 * # Safety
 *
 * `names_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_subscription(const kfetch_consumer *consumer,
                                           kfetch_topic_names **names_out,
                                           kfetch_error **error_out);

/**
 * Returns the names of a list; they are NUL-terminated and valid until it is freed. NULL is an
 * empty list.
 *
 * # Safety
 *
 * `names` is NULL or a list that has not been freed, `count_out` is NULL or can be written.
 *
 * # Threads
 *
 * Any thread.
 */
const char *const *kfetch_topic_names_items(const kfetch_topic_names *names, size_t *count_out);

/**
 * Frees a list. NULL is allowed.
 *
 * # Safety
 *
 * The list is not used any more, nor what it lent.
 *
 * # Threads
 *
 * Any thread.
 */
void kfetch_topic_names_free(kfetch_topic_names *names);

/**
 * Makes the group assign its partitions anew, with the next polls. `reason` goes to the broker's
 * log; NULL is none.
 *
 * # Safety
 *
 * `reason` is NULL or NUL-terminated, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_enforce_rebalance(kfetch_consumer *consumer,
                                                const char *reason,
                                                kfetch_error **error_out);

/**
 * Gives the consumer's place in its group, to be freed with `kfetch_group_metadata_free`.
 *
 * # Safety
 *
 * `metadata_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_group_metadata(const kfetch_consumer *consumer,
                                             kfetch_group_metadata **metadata_out,
                                             kfetch_error **error_out);

/**
 * Returns `group.id`, `""` for NULL; valid until the metadata is freed.
 *
 * # Safety
 *
 * `metadata` is NULL or has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
const char *kfetch_group_metadata_group_id(const kfetch_group_metadata *metadata);

/**
 * Returns the generation, −1 outside of one and for NULL.
 *
 * # Safety
 *
 * `metadata` is NULL or has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
int32_t kfetch_group_metadata_generation(const kfetch_group_metadata *metadata);

/**
 * Returns the id that the coordinator gave the member, `""` outside of a generation and for NULL;
 * valid until the metadata is freed.
 *
 * # Safety
 *
 * `metadata` is NULL or has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
const char *kfetch_group_metadata_member_id(const kfetch_group_metadata *metadata);

/**
 * Returns `group.instance.id`, NULL where there is none; valid until the metadata is freed.
 *
 * # Safety
 *
 * `metadata` is NULL or has not been freed.
 *
 * # Threads
 *
 * Any thread.
 */
const char *kfetch_group_metadata_instance_id(const kfetch_group_metadata *metadata);

/**
 * Frees the metadata. NULL is allowed.
 *
 * # Safety
 *
 * It is not used any more, nor what it lent.
 *
 * # Threads
 *
 * Any thread.
 */
void kfetch_group_metadata_free(kfetch_group_metadata *metadata);

/**
 * Puts a callback in the place of the one before; NULL takes it away. `opaque` is passed to it
 * and not touched. From inside of a callback it is `KFETCH_STATUS_STATE`.
 *
 * # Safety
 *
 * The callback and what `opaque` points to stay valid until another is set or the consumer has
 * been freed; `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_set_rebalance_callback(kfetch_consumer *consumer,
                                                     kfetch_rebalance_callback callback,
                                                     void *opaque,
                                                     kfetch_error **error_out);

/**
 * Commits for every assigned partition how far polls have returned its records, or with
 * `enable.auto.offset.store=false` what was stored, and waits up to `timeout_ms`.
 *
 * The status is `KFETCH_STATUS_REBALANCE_IN_PROGRESS` when the same may succeed after the next
 * polls, `KFETCH_STATUS_UNKNOWN_MEMBER_ID`, `KFETCH_STATUS_ILLEGAL_GENERATION` or
 * `KFETCH_STATUS_FENCED_INSTANCE_ID` when the partitions may be another member's by now.
 *
 * # Safety
 *
 * `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_commit(kfetch_consumer *consumer,
                                     uint32_t timeout_ms,
                                     kfetch_error **error_out);

/**
 * Commits these offsets and waits up to `timeout_ms`. For a member of a group the partitions have
 * to be assigned, else the status is `KFETCH_STATUS_STATE` and nothing is committed.
 *
 * # Safety
 *
 * `offsets` is to `count` offsets with valid strings, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_commit_offsets(kfetch_consumer *consumer,
                                             const kfetch_partition_offset *offsets,
                                             size_t count,
                                             uint32_t timeout_ms,
                                             kfetch_error **error_out);

/**
 * Commits that all records of a handle have been processed, and waits up to `timeout_ms`: for
 * each partition `next_offset` and the leader epoch of its last `kfetch_run`. Otherwise as
 * `kfetch_consumer_commit_offsets`.
 *
 * # Safety
 *
 * `records` is a handle that has not been freed, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_commit_records(kfetch_consumer *consumer,
                                             const kfetch_records *records,
                                             uint32_t timeout_ms,
                                             kfetch_error **error_out);

/**
 * Commits as `kfetch_consumer_commit`, without waiting and without trying again. The outcome goes
 * to `callback`, which may be NULL; where the status is an error it is not called.
 *
 * # Safety
 *
 * The callback and what `opaque` points to stay valid until it was called or the consumer has
 * been freed; `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_commit_async(kfetch_consumer *consumer,
                                           kfetch_commit_callback callback,
                                           void *opaque,
                                           kfetch_error **error_out);

/**
 * Commits these offsets, without waiting and without trying again. The outcome goes to
 * `callback`, which may be NULL; where the status is an error it is not called.
 *
 * # Safety
 *
 * `offsets` is to `count` offsets with valid strings. The callback and what `opaque` points to
 * stay valid until it was called or the consumer has been freed; `error_out` is NULL or can be
 * written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_commit_offsets_async(kfetch_consumer *consumer,
                                                   const kfetch_partition_offset *offsets,
                                                   size_t count,
                                                   kfetch_commit_callback callback,
                                                   void *opaque,
                                                   kfetch_error **error_out);

/**
 * Marks how far partitions have been processed, for the next commit that names no offsets, the
 * automatic one included. It needs `enable.auto.offset.store=false` and assigned partitions, else
 * the status is `KFETCH_STATUS_STATE` and nothing is marked.
 *
 * # Safety
 *
 * `offsets` is to `count` offsets with valid strings, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_store_offsets(kfetch_consumer *consumer,
                                            const kfetch_partition_offset *offsets,
                                            size_t count,
                                            kfetch_error **error_out);

/**
 * Marks that all records of a handle have been processed, as `kfetch_consumer_store_offsets` does.
 *
 * # Safety
 *
 * `records` is a handle that has not been freed, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_store_records(kfetch_consumer *consumer,
                                            const kfetch_records *records,
                                            kfetch_error **error_out);

/**
 * Asks what the group has committed for each of the partitions, which need not be assigned: an
 * item for each in their order. The list is freed with `kfetch_committed_offsets_free`.
 *
 * # Safety
 *
 * `partitions` is to `count` partitions, `offsets_out` can be written, `error_out` is NULL or can
 * be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_committed(kfetch_consumer *consumer,
                                        const kfetch_topic_partition *topic_partitions,
                                        size_t count,
                                        uint32_t timeout_ms,
                                        kfetch_committed_offsets **offsets_out,
                                        kfetch_error **error_out);

/**
 * Asks for all that the group has committed; the list is freed with
 * `kfetch_committed_offsets_free`.
 *
 * # Safety
 *
 * `offsets_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_all_committed(kfetch_consumer *consumer,
                                            uint32_t timeout_ms,
                                            kfetch_committed_offsets **offsets_out,
                                            kfetch_error **error_out);

/**
 * Returns the items of a list; they are valid until it is freed. NULL is an empty list.
 *
 * # Safety
 *
 * `offsets` is NULL or a list that has not been freed, `count_out` is NULL or can be written.
 *
 * # Threads
 *
 * Any thread.
 */
const kfetch_committed_offset *kfetch_committed_offsets_items(const kfetch_committed_offsets *offsets,
                                                              size_t *count_out);

/**
 * Frees a list. NULL is allowed.
 *
 * # Safety
 *
 * The list is not used any more, nor what it lent.
 *
 * # Threads
 *
 * Any thread.
 */
void kfetch_committed_offsets_free(kfetch_committed_offsets *offsets);

/**
 * Puts assignors in the place of `partition.assignment.strategy`, the one that is liked best
 * first. While something is subscribed to it is `KFETCH_STATUS_STATE`.
 *
 * # Safety
 *
 * `assignors` is to `count` assignors with valid names and user data. The callbacks and what
 * `opaque` points to stay valid until others are set or the consumer has been freed; `error_out`
 * is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_set_assignors(kfetch_consumer *consumer,
                                            const kfetch_assignor *assignors,
                                            size_t count,
                                            kfetch_error **error_out);

/**
 * Gives the statistics. `stats_size` is `sizeof(kfetch_stats)`: a program gets as many fields as
 * its header has, and zeros for those that an older library lacks.
 *
 * # Safety
 *
 * `stats_size` bytes can be written at `stats_out`, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_consumer_stats(const kfetch_consumer *consumer,
                                    kfetch_stats *stats_out,
                                    size_t stats_size,
                                    kfetch_error **error_out);

/**
 * Opens a partition of a log directory for appending and makes what is not there. What a writer
 * that was killed has left is put right first: the log ends with its last whole batch. A
 * partition that has a writer is `KFETCH_STATUS_LOCKED`; the directory of a broker is refused.
 * `options` may be NULL.
 *
 * # Safety
 *
 * `log_dir` and `topic` are NUL-terminated, `options` is NULL or valid, `writer_out` can be
 * written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * Any thread.
 */
kfetch_status kfetch_log_writer_open(const char *log_dir,
                                     const char *topic,
                                     int32_t partition,
                                     const kfetch_log_writer_options *options,
                                     kfetch_log_writer **writer_out,
                                     kfetch_error **error_out);

/**
 * Appends records; `base_offset_out` (NULL is allowed) is the offset of the first, and those of
 * the others follow it. They can be read when they have been published, see
 * `kfetch_log_writer_flush`. Where the status is `KFETCH_STATUS_INVALID_ARGUMENT` none has been
 * appended and the writer goes on; after other errors it fails every call.
 *
 * # Safety
 *
 * `records` is to `count` records whose bytes and headers are valid, `base_offset_out` and
 * `error_out` are NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_log_writer_append(kfetch_log_writer *writer,
                                       const kfetch_new_record *records,
                                       size_t count,
                                       int64_t *base_offset_out,
                                       kfetch_error **error_out);

/**
 * Writes everything that was appended and publishes it to readers. With `sync` it is on the disk
 * when this returns and survives a loss of power; without, it survives the end of the process.
 *
 * # Safety
 *
 * `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_log_writer_flush(kfetch_log_writer *writer,
                                      bool sync,
                                      kfetch_error **error_out);

/**
 * Gives the offset that the next record will have.
 *
 * # Safety
 *
 * `offset_out` can be written, `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_log_writer_next_offset(const kfetch_log_writer *writer,
                                            int64_t *offset_out,
                                            kfetch_error **error_out);

/**
 * Flushes without sync, gives the partition back and frees the handle, whatever the status is;
 * only in a fork's child, inside of the log callback, and while a call of another thread is
 * inside, nothing happens. NULL is allowed.
 *
 * # Safety
 *
 * No call on the handle follows; `error_out` is NULL or can be written.
 *
 * # Threads
 *
 * One thread at a time per handle.
 */
kfetch_status kfetch_log_writer_close(kfetch_log_writer *writer, kfetch_error **error_out);

/**
 * Returns the version of the library that is linked, such as `"1.2.3"`; the string is static.
 * `KFETCH_VERSION` is that of the header.
 *
 * # Threads
 *
 * Any thread.
 */
const char *kfetch_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* KFETCH_H */
