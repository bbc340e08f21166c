package kfetch;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** How long Java's consumers take to share a topic with one more member. */
final class Rebalances {
    private static final long LIMIT_NANOS = Duration.ofSeconds(60).toNanos();

    private Rebalances() {}

    static void register(Map<String, Helper.Command> commands) {
        commands.put("time_rebalance", Rebalances::time);
    }

    /** A member that polls on a thread of its own until it is told to close. */
    private static final class Member extends Thread {
        private final KafkaConsumer<byte[], byte[]> consumer;
        private final String topic;
        private volatile int owned;
        private volatile boolean closes;

        Member(Properties properties, String topic) {
            this.consumer = new KafkaConsumer<>(
                properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            this.topic = topic;
            setDaemon(true);
        }

        @Override
        public void run() {
            consumer.subscribe(List.of(topic));
            while (!closes) {
                consumer.poll(Duration.ofMillis(5));
                owned = consumer.assignment().size();
            }
            consumer.close();
        }
    }

    /**
     * Arguments: topic, how many partitions it has. Rows: properties. Returns the nanoseconds from
     * the third member's subscription until each of the three owns its third.
     */
    private static List<List<String>> time(List<String> arguments, List<List<String>> rows)
            throws Exception {
        Properties properties = new Properties();
        rows.forEach(row -> properties.put(row.get(0), row.get(1)));
        String topic = arguments.get(0);
        int partitions = Integer.parseInt(arguments.get(1));
        List<Member> members = new ArrayList<>();
        try {
            for (int count = 1; count <= 2; count++) {
                members.add(new Member(properties, topic));
                members.get(count - 1).start();
                waitUntilEachOwns(members, partitions / count);
            }
            Member third = new Member(properties, topic);
            members.add(third);
            long began = System.nanoTime();
            third.start();
            waitUntilEachOwns(members, partitions / 3);
            return List.of(List.of(Long.toString(System.nanoTime() - began)));
        } finally {
            for (Member member : members) {
                member.closes = true;
                member.join();
            }
        }
    }

    private static void waitUntilEachOwns(List<Member> members, int count) throws Exception {
        long end = System.nanoTime() + LIMIT_NANOS;
        while (!members.stream().allMatch(member -> member.owned == count)) {
            if (System.nanoTime() > end) {
                throw new TimeoutException("the members do not share in time");
            }
            Thread.sleep(0, 200_000);
        }
    }
}
