package kfetch;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.generated.OffsetCommitKey;
import org.apache.kafka.coordinator.group.generated.OffsetCommitValue;
import org.apache.kafka.server.common.ApiMessageAndVersion;

/**
 * Committed offsets: of a broker's groups, and as the bytes of their records. An offset's row is
 * topic, partition, offset, leader epoch or -1, metadata.
 */
final class GroupOffsets {
    private static final long LIMIT_NANOS = Duration.ofSeconds(60).toNanos();

    private GroupOffsets() {}

    static void register(Map<String, Helper.Command> commands) {
        commands.put("set_group_offsets", GroupOffsets::set);
        commands.put("group_offsets", GroupOffsets::list);
        commands.put("delete_group_offsets", GroupOffsets::delete);
        commands.put("commit_as_member", GroupOffsets::commitAsMember);
        commands.put("commit_in_transaction", GroupOffsets::commitInTransaction);
        commands.put("offset_record_bytes", GroupOffsets::recordBytes);
        commands.put("offset_record", GroupOffsets::record);
    }

    private static Admin admin(List<String> arguments) {
        return Admin.create(Map.of("bootstrap.servers", arguments.get(0)));
    }

    private static Map<TopicPartition, OffsetAndMetadata> offsets(List<List<String>> rows) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (List<String> row : rows) {
            int epoch = Integer.parseInt(row.get(3));
            offsets.put(partition(row), new OffsetAndMetadata(Long.parseLong(row.get(2)),
                epoch < 0 ? Optional.empty() : Optional.of(epoch), row.get(4)));
        }
        return offsets;
    }

    private static TopicPartition partition(List<String> row) {
        return new TopicPartition(row.get(0), Integer.parseInt(row.get(1)));
    }

    /** Arguments: bootstrap, group; offsets. */
    private static List<List<String>> set(List<String> arguments, List<List<String>> rows)
            throws Exception {
        try (Admin admin = admin(arguments)) {
            admin.alterConsumerGroupOffsets(arguments.get(1), offsets(rows)).all().get();
        }
        return List.of();
    }

    /** Arguments: bootstrap, group. Rows: offsets. */
    private static List<List<String>> list(List<String> arguments, List<List<String>> unused)
            throws Exception {
        List<List<String>> found = new ArrayList<>();
        try (Admin admin = admin(arguments)) {
            admin.listConsumerGroupOffsets(arguments.get(1)).partitionsToOffsetAndMetadata().get()
                .forEach((partition, offset) -> {
                    if (offset != null) {
                        found.add(List.of(partition.topic(),
                            Integer.toString(partition.partition()),
                            Long.toString(offset.offset()),
                            Integer.toString(offset.leaderEpoch().orElse(-1)),
                            offset.metadata()));
                    }
                });
        }
        return found;
    }

    /** Arguments: bootstrap, group; rows: topic, partition. */
    private static List<List<String>> delete(List<String> arguments, List<List<String>> rows)
            throws Exception {
        try (Admin admin = admin(arguments)) {
            for (List<String> row : rows) {
                Set<TopicPartition> one = Set.of(partition(row));
                admin.deleteConsumerGroupOffsets(arguments.get(1), one).all().get();
            }
        }
        return List.of();
    }

    /** Arguments: bootstrap, group, topic that the member subscribes to; offsets. */
    private static List<List<String>> commitAsMember(
            List<String> arguments, List<List<String>> rows) throws TimeoutException {
        Map<String, Object> properties = Map.of(
            "bootstrap.servers", arguments.get(0),
            "group.id", arguments.get(1),
            "enable.auto.commit", "false");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(arguments.get(2)));
            long deadline = System.nanoTime() + LIMIT_NANOS;
            while (consumer.assignment().isEmpty()) {
                if (System.nanoTime() > deadline) {
                    throw new TimeoutException("no assignment in " + arguments.get(1));
                }
                consumer.poll(Duration.ofMillis(100));
            }
            consumer.commitSync(offsets(rows));
        }
        return List.of();
    }

    /** Arguments: bootstrap, group, transactional id, commit | abort; offsets. */
    private static List<List<String>> commitInTransaction(
            List<String> arguments, List<List<String>> rows) {
        Map<String, Object> properties = Map.of(
            "bootstrap.servers", arguments.get(0),
            "transactional.id", arguments.get(2));
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
                properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(
                offsets(rows), new ConsumerGroupMetadata(arguments.get(1)));
            if (arguments.get(3).equals("commit")) {
                producer.commitTransaction();
            } else {
                producer.abortTransaction();
            }
        }
        return List.of();
    }

    /**
     * Arguments: group, topic, partition, version of the value, offset, leader epoch, metadata,
     * commit timestamp, expire timestamp. Row: key, value.
     */
    private static List<List<String>> recordBytes(
            List<String> arguments, List<List<String>> unused) {
        short version = Short.parseShort(arguments.get(3));
        OffsetCommitKey key = new OffsetCommitKey()
            .setGroup(arguments.get(0))
            .setTopic(arguments.get(1))
            .setPartition(Integer.parseInt(arguments.get(2)));
        OffsetCommitValue value = new OffsetCommitValue()
            .setOffset(Long.parseLong(arguments.get(4)))
            .setMetadata(arguments.get(6))
            .setCommitTimestamp(Long.parseLong(arguments.get(7)));
        if (version >= 3) {
            value.setLeaderEpoch(Integer.parseInt(arguments.get(5)));
        }
        if (version == 1) {
            value.setExpireTimestamp(Long.parseLong(arguments.get(8)));
        }
        if (version >= 4) {
            value.setTopicId(new Uuid(1, 2));
        }
        CoordinatorRecord record =
            CoordinatorRecord.record(key, new ApiMessageAndVersion(value, version));
        GroupCoordinatorRecordSerde serde = new GroupCoordinatorRecordSerde();
        return List.of(List.of(
            Fields.hex(serde.serializeKey(record)), Fields.hex(serde.serializeValue(record))));
    }

    /** Arguments: key, value as hex. Row: group, topic, partition, and what the value holds. */
    private static List<List<String>> record(List<String> arguments, List<List<String>> unused) {
        CoordinatorRecord record = new GroupCoordinatorRecordSerde().deserialize(
            bytes(arguments.get(0)), bytes(arguments.get(1)));
        OffsetCommitKey key = (OffsetCommitKey) record.key();
        OffsetCommitValue value = (OffsetCommitValue) record.value().message();
        return List.of(List.of(key.group(), key.topic(), Integer.toString(key.partition()),
            Short.toString(record.value().version()),
            Long.toString(value.offset()), Integer.toString(value.leaderEpoch()),
            value.metadata(), Long.toString(value.commitTimestamp())));
    }

    private static ByteBuffer bytes(String hex) {
        return ByteBuffer.wrap(HexFormat.of().parseHex(hex));
    }
}
