package kfetch;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Kafka's producer under a name, so that a transaction can stay open from command to command. */
final class Producers {
    private static final Map<String, KafkaProducer<byte[], byte[]>> OPEN = new HashMap<>();

    private Producers() {}

    static void register(Map<String, Helper.Command> commands) {
        commands.put("producer_open", Producers::open);
        commands.put("producer_send", Producers::send);
        commands.put("producer_transaction", Producers::transaction);
        commands.put("producer_close", (arguments, rows) -> {
            // Without a limit it waits forever for a broker that is gone.
            named(arguments).close(Duration.ofSeconds(30));
            OPEN.remove(arguments.get(0));
            return List.of();
        });
    }

    private static KafkaProducer<byte[], byte[]> named(List<String> arguments) {
        KafkaProducer<byte[], byte[]> producer = OPEN.get(arguments.get(0));
        if (producer == null) {
            throw new IllegalArgumentException("no producer " + arguments.get(0));
        }
        return producer;
    }

    /** Arguments: a new name, then name=value of the configuration. */
    private static List<List<String>> open(List<String> arguments, List<List<String>> rows) {
        Map<String, Object> properties = new HashMap<>();
        properties.put("acks", "all");
        properties.put("max.block.ms", "30000");
        properties.put("request.timeout.ms", "15000");
        properties.put("delivery.timeout.ms", "30000");
        properties.putAll(Fields.properties(arguments.subList(1, arguments.size())));
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
        if (properties.containsKey("transactional.id")) {
            producer.initTransactions();
        }
        OPEN.put(arguments.get(0), producer);
        return List.of();
    }

    /**
     * Arguments: name, topic, records between two flushes or 0. Rows: partition, timestamp or -,
     * key, value, headers. Answers with each record's offset.
     */
    private static List<List<String>> send(List<String> arguments, List<List<String>> rows)
            throws Exception {
        KafkaProducer<byte[], byte[]> producer = named(arguments);
        int flushEvery = Integer.parseInt(arguments.get(2));
        List<Future<RecordMetadata>> sent = new ArrayList<>(rows.size());
        for (List<String> row : rows) {
            sent.add(producer.send(record(arguments.get(1), row)));
            if (flushEvery > 0 && sent.size() % flushEvery == 0) {
                producer.flush();
            }
        }
        producer.flush();
        List<List<String>> answer = new ArrayList<>(sent.size());
        for (Future<RecordMetadata> one : sent) {
            answer.add(List.of(Long.toString(one.get(60, TimeUnit.SECONDS).offset())));
        }
        return answer;
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, List<String> row) {
        Long timestamp = row.get(1).equals("-") ? null : Long.valueOf(row.get(1));
        return new ProducerRecord<>(topic, Integer.valueOf(row.get(0)), timestamp,
            Fields.bytes(row.get(2)), Fields.bytes(row.get(3)), List.of(Fields.headers(row, 4)));
    }

    /** Arguments: name, begin or commit or abort. */
    private static List<List<String>> transaction(List<String> arguments, List<List<String>> rows) {
        KafkaProducer<byte[], byte[]> producer = named(arguments);
        switch (arguments.get(1)) {
            case "begin" -> producer.beginTransaction();
            case "commit" -> producer.commitTransaction();
            case "abort" -> producer.abortTransaction();
            default -> throw new IllegalArgumentException(arguments.get(1));
        }
        return List.of();
    }
}
