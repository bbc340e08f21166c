package kfetch;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Kafka's own consumer as a member of a group that says what it does.
 *
 * <p>Settings and events are those of the members in {@code tests/group_processes}: settings a line
 * each in {@code KFETCH_TEST_MEMBER}, events a JSON object a line. SIGTERM ends it with a close.
 */
public final class GroupMember implements ConsumerRebalanceListener {
    private static final Map<String, String> STRATEGIES = Map.of(
        "range", "org.apache.kafka.clients.consumer.RangeAssignor",
        "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

    private static volatile boolean isOver;

    private final KafkaConsumer<byte[], byte[]> consumer;
    /** What was read and is not committed yet. */
    private final Map<TopicPartition, OffsetAndMetadata> progress = new HashMap<>();

    private GroupMember(Properties properties) {
        consumer = new KafkaConsumer<>(
            properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    public static void main(String[] unused) throws InterruptedException {
        Properties properties = new Properties();
        List<String> topics = new ArrayList<>();
        for (String line : System.getenv("KFETCH_TEST_MEMBER").split("\n")) {
            String name = line.substring(0, line.indexOf('='));
            String value = line.substring(line.indexOf('=') + 1);
            if (name.equals("test.topics")) {
                topics.addAll(List.of(value.split(",")));
            } else if (!name.startsWith("test.")) {
                properties.put(name, STRATEGIES.getOrDefault(value, value));
            }
        }
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            isOver = true;
            try {
                main.join();
            } catch (InterruptedException thrown) {
                main.interrupt();
            }
        }));
        new GroupMember(properties).run(topics);
    }

    private void run(List<String> topics) {
        consumer.subscribe(topics, this);
        print("started", "", "");
        while (!isOver) {
            ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
            take(records);
            commit(List.copyOf(progress.keySet()));
        }
        consumer.close();
        write("stopped", System.nanoTime(), -1, "", "");
    }

    private void take(ConsumerRecords<byte[], byte[]> records) {
        StringBuilder spans = new StringBuilder();
        for (TopicPartition partition : records.partitions()) {
            long first = -1;
            long last = -1;
            for (ConsumerRecord<byte[], byte[]> record : records.records(partition)) {
                String value = new String(record.value(), StandardCharsets.UTF_8);
                if (!value.equals(Long.toString(record.offset()))) {
                    print("wrong", "", partition + " at " + record.offset() + " has " + value);
                }
                if (first >= 0 && record.offset() != last + 1) {
                    spans.append(span(partition, first, last));
                    first = -1;
                }
                first = first < 0 ? record.offset() : first;
                last = record.offset();
            }
            spans.append(span(partition, first, last));
            progress.put(partition, new OffsetAndMetadata(last + 1));
        }
        if (spans.length() > 0) {
            print("delivered", spans.toString(), "");
        }
    }

    private void commit(Collection<TopicPartition> partitions) {
        Map<TopicPartition, OffsetAndMetadata> meant = new HashMap<>(progress);
        meant.keySet().retainAll(partitions);
        if (meant.isEmpty()) {
            return;
        }
        StringBuilder spans = new StringBuilder();
        meant.forEach((partition, offset) ->
            spans.append(span(partition, offset.offset(), offset.offset())));
        print("commit_sent", spans.toString(), "");
        try {
            consumer.commitSync(meant);
            print("commit_done", spans.toString(), "");
            meant.forEach(progress::remove);
        } catch (KafkaException thrown) {
            print("commit_failed", spans.toString(), thrown.toString());
        }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        long begun = System.nanoTime();
        StringBuilder spans = new StringBuilder();
        for (TopicPartition partition : partitions) {
            spans.append(span(partition, consumer.position(partition), -1));
        }
        print("assigned", begun, spans.toString(), "");
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        commit(partitions);
        letGo("revoked", partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        letGo("lost", partitions);
    }

    private void letGo(String event, Collection<TopicPartition> partitions) {
        progress.keySet().removeAll(partitions);
        StringBuilder spans = new StringBuilder();
        partitions.forEach(partition -> spans.append(span(partition, -1, -1)));
        print(event, spans.toString(), "");
    }

    private static String span(TopicPartition partition, long first, long last) {
        return partition + ":" + first + ":" + last + " ";
    }

    private void print(String event, String spans, String text) {
        print(event, System.nanoTime(), spans, text);
    }

    private void print(String event, long nanos, String spans, String text) {
        write(event, nanos, consumer.groupMetadata().generationId(), spans, text);
    }

    private static void write(String event, long nanos, int generation, String spans,
            String text) {
        String plain = text.replaceAll("[\"\\\\\\p{Cntrl}]", " ");
        // One write, so that lines of the log do not get into it.
        byte[] line = String.format(
            "{\"event\":\"%s\",\"t\":%d,\"generation\":%d,\"partitions\":\"%s\",\"text\":\"%s\"}%n",
            event, nanos / 1000, generation, spans.trim(), plain)
            .getBytes(StandardCharsets.UTF_8);
        System.out.write(line, 0, line.length);
        System.out.flush();
    }
}
