package kfetch;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** What an administrator does to topics: the first argument of each command is the bootstrap. */
final class Topics {
    private static final long LIMIT_SECONDS = 60;

    private Topics() {}

    /** A condition of the cluster that takes a moment to come true. */
    private interface Condition {
        boolean holds() throws Exception;
    }

    static void register(Map<String, Helper.Command> commands) {
        commands.put("create_topic", Topics::create);
        commands.put("delete_topic", Topics::delete);
        commands.put("alter_topic", Topics::alter);
        commands.put("describe_topic", Topics::describe);
        commands.put("delete_records", Topics::deleteRecords);
        commands.put("list_offset", Topics::listOffset);
        commands.put("move_leader", Topics::moveLeader);
    }

    private static Admin admin(List<String> arguments) {
        return Admin.create(Map.of("bootstrap.servers", arguments.get(0)));
    }

    private static <T> T get(KafkaFuture<T> future) throws Exception {
        return future.get(LIMIT_SECONDS, TimeUnit.SECONDS);
    }

    private static void await(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) {
                throw new TimeoutException(what);
            }
            Thread.sleep(20);
        }
    }

    /**
     * Arguments: topic, then name=value of its configuration. Each row has the replicas of one
     * partition. Returns when every partition has a leader that every listed broker knows.
     */
    private static List<List<String>> create(List<String> arguments, List<List<String>> rows)
            throws Exception {
        String topic = arguments.get(1);
        Map<Integer, List<Integer>> assignments = new HashMap<>();
        for (List<String> row : rows) {
            List<Integer> replicas = row.stream().map(Integer::valueOf).toList();
            assignments.put(assignments.size(), replicas);
        }
        NewTopic wanted = new NewTopic(topic, assignments)
            .configs(Fields.properties(arguments.subList(2, arguments.size())));
        try (Admin admin = admin(arguments)) {
            get(admin.createTopics(List.of(wanted)).all());
            for (String server : arguments.get(0).split(",")) {
                try (Admin one = admin(List.of(server))) {
                    await("leaders of " + topic + " at " + server, () -> led(one, topic));
                }
            }
        }
        return List.of();
    }

    private static boolean led(Admin admin, String topic) throws Exception {
        return description(admin, topic)
            .map(found -> found.partitions().stream().allMatch(Topics::hasLeader))
            .orElse(false);
    }

    private static boolean hasLeader(TopicPartitionInfo partition) {
        return partition.leader() != null && !partition.leader().isEmpty();
    }

    private static Optional<TopicDescription> description(Admin admin, String topic)
            throws Exception {
        try {
            var all = get(admin.describeTopics(List.of(topic)).allTopicNames());
            return Optional.of(all.get(topic));
        } catch (java.util.concurrent.ExecutionException thrown) {
            if (thrown.getCause() instanceof UnknownTopicOrPartitionException) {
                return Optional.empty();
            }
            throw thrown;
        }
    }

    /** Arguments: topic. Returns when the brokers no longer name it. */
    private static List<List<String>> delete(List<String> arguments, List<List<String>> rows)
            throws Exception {
        String topic = arguments.get(1);
        try (Admin admin = admin(arguments)) {
            get(admin.deleteTopics(List.of(topic)).all());
            await("deletion of " + topic, () -> description(admin, topic).isEmpty());
        }
        return List.of();
    }

    /** Arguments: topic, then name=value of its configuration. */
    private static List<List<String>> alter(List<String> arguments, List<List<String>> rows)
            throws Exception {
        Collection<AlterConfigOp> changes =
            Fields.properties(arguments.subList(2, arguments.size())).entrySet().stream()
                .map(entry -> new ConfigEntry(entry.getKey(), entry.getValue()))
                .map(entry -> new AlterConfigOp(entry, AlterConfigOp.OpType.SET))
                .toList();
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, arguments.get(1));
        try (Admin admin = admin(arguments)) {
            get(admin.incrementalAlterConfigs(Map.of(topic, changes)).all());
        }
        return List.of();
    }

    /**
     * Arguments: topic. Answers with the topic's id, then a row for each partition: number, leader
     * or -1, replicas, in-sync replicas.
     */
    private static List<List<String>> describe(List<String> arguments, List<List<String>> rows)
            throws Exception {
        List<List<String>> answer = new ArrayList<>();
        try (Admin admin = admin(arguments)) {
            TopicDescription found = description(admin, arguments.get(1)).orElseThrow(() ->
                new UnknownTopicOrPartitionException("no topic " + arguments.get(1)));
            answer.add(List.of(found.topicId().toString()));
            for (TopicPartitionInfo partition : found.partitions()) {
                answer.add(List.of(
                    Integer.toString(partition.partition()),
                    Integer.toString(hasLeader(partition) ? partition.leader().id() : -1),
                    ids(partition.replicas()),
                    ids(partition.isr())));
            }
        }
        return answer;
    }

    private static String ids(List<Node> nodes) {
        return nodes.stream().map(Node::idString).collect(Collectors.joining(","));
    }

    private static TopicPartition partition(List<String> arguments) {
        return new TopicPartition(arguments.get(1), Integer.parseInt(arguments.get(2)));
    }

    /** Arguments: topic, partition, first offset to keep. Answers with the log start offset. */
    private static List<List<String>> deleteRecords(List<String> arguments, List<List<String>> rows)
            throws Exception {
        TopicPartition partition = partition(arguments);
        RecordsToDelete before = RecordsToDelete.beforeOffset(Long.parseLong(arguments.get(3)));
        try (Admin admin = admin(arguments)) {
            var deleted = admin.deleteRecords(Map.of(partition, before)).lowWatermarks();
            return List.of(List.of(Long.toString(get(deleted.get(partition)).lowWatermark())));
        }
    }

    /**
     * Arguments: topic, partition, earliest or latest or max_timestamp or a time in ms. Answers
     * with offset, timestamp, leader epoch or -1.
     */
    private static List<List<String>> listOffset(List<String> arguments, List<List<String>> rows)
            throws Exception {
        TopicPartition partition = partition(arguments);
        OffsetSpec spec = switch (arguments.get(3)) {
            case "earliest" -> OffsetSpec.earliest();
            case "latest" -> OffsetSpec.latest();
            case "max_timestamp" -> OffsetSpec.maxTimestamp();
            default -> OffsetSpec.forTimestamp(Long.parseLong(arguments.get(3)));
        };
        try (Admin admin = admin(arguments)) {
            ListOffsetsResultInfo found =
                get(admin.listOffsets(Map.of(partition, spec)).partitionResult(partition));
            return List.of(List.of(Long.toString(found.offset()), Long.toString(found.timestamp()),
                Integer.toString(found.leaderEpoch().orElse(-1))));
        }
    }

    /**
     * Arguments: topic, partition, broker. Makes the broker the first replica and elects it;
     * returns when every broker of the bootstrap list names it as the leader.
     */
    private static List<List<String>> moveLeader(List<String> arguments, List<List<String>> rows)
            throws Exception {
        TopicPartition partition = partition(arguments);
        int leader = Integer.parseInt(arguments.get(3));
        try (Admin admin = admin(arguments)) {
            List<Integer> others = state(admin, partition).replicas().stream()
                .map(Node::id).filter(id -> id != leader).toList();
            int kept = Math.max(state(admin, partition).replicas().size() - 1, 0);
            List<Integer> wanted = Stream.concat(Stream.of(leader), others.stream().limit(kept))
                .toList();
            get(admin.alterPartitionReassignments(
                Map.of(partition, Optional.of(new NewPartitionReassignment(wanted)))).all());
            await("replicas " + wanted, () -> inSync(state(admin, partition), wanted));
            elect(admin, partition);
            for (String server : arguments.get(0).split(",")) {
                try (Admin one = admin(List.of(server))) {
                    await("leader " + leader + " at " + server,
                        () -> hasLeader(state(one, partition))
                            && state(one, partition).leader().id() == leader);
                }
            }
        }
        return List.of();
    }

    private static TopicPartitionInfo state(Admin admin, TopicPartition partition)
            throws Exception {
        return description(admin, partition.topic()).orElseThrow()
            .partitions().get(partition.partition());
    }

    private static boolean inSync(TopicPartitionInfo partition, List<Integer> wanted) {
        List<Integer> replicas = partition.replicas().stream().map(Node::id).toList();
        Set<Integer> isr = partition.isr().stream().map(Node::id).collect(Collectors.toSet());
        return replicas.equals(wanted) && isr.containsAll(wanted);
    }

    private static void elect(Admin admin, TopicPartition partition) throws Exception {
        try {
            get(admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).all());
        } catch (java.util.concurrent.ExecutionException thrown) {
            // A replica that was taken away took its leadership with it.
            if (!(thrown.getCause() instanceof ElectionNotNeededException)) {
                throw thrown;
            }
        }
    }
}
