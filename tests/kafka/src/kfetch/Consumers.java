package kfetch;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Kafka's own consumer as the oracle of what a partition holds. */
final class Consumers {
    private static final long LIMIT_SECONDS = 60;

    private Consumers() {}

    static void register(Map<String, Helper.Command> commands) {
        commands.put("consume", Consumers::consume);
    }

    /**
     * Arguments: bootstrap, topic, partition, first offset, isolation level. Reads to the end that
     * stood when it began. Rows: offset, timestamp, timestamp type, leader epoch, key, value,
     * headers.
     */
    private static List<List<String>> consume(List<String> arguments, List<List<String>> rows)
            throws TimeoutException {
        TopicPartition partition =
            new TopicPartition(arguments.get(1), Integer.parseInt(arguments.get(2)));
        Map<String, Object> properties = Map.of(
            "bootstrap.servers", arguments.get(0),
            "isolation.level", arguments.get(4),
            "auto.offset.reset", "none",
            "enable.auto.commit", "false");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, Long.parseLong(arguments.get(3)));
            return read(consumer, partition);
        }
    }

    private static List<List<String>> read(KafkaConsumer<byte[], byte[]> consumer,
            TopicPartition partition) throws TimeoutException {
        long end = consumer.endOffsets(List.of(partition)).get(partition);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
        List<List<String>> found = new ArrayList<>();
        while (consumer.position(partition) < end) {
            if (System.nanoTime() > deadline) {
                throw new TimeoutException("position " + consumer.position(partition)
                    + " of " + partition + " before its end " + end);
            }
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                if (record.offset() < end) {
                    found.add(row(record));
                }
            }
        }
        return found;
    }

    private static List<String> row(ConsumerRecord<byte[], byte[]> record) {
        List<String> row = new ArrayList<>();
        row.add(Long.toString(record.offset()));
        row.add(Long.toString(record.timestamp()));
        row.add(record.timestampType().name);
        row.add(Integer.toString(record.leaderEpoch().orElse(-1)));
        row.add(Fields.hex(record.key()));
        row.add(Fields.hex(record.value()));
        Fields.addHeaders(row, record.headers());
        return row;
    }
}
