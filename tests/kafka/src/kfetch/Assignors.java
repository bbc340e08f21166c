package kfetch;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractStickyAssignor;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.utils.Utils;

/** Kafka's own assignors, and the bytes that its consumers exchange through the group. */
final class Assignors {
    private Assignors() {}

    static void register(Map<String, Helper.Command> commands) {
        // Members with contradictory claims are part of the tests, and a line for each no help.
        System.setProperty("org.slf4j.simpleLogger.log." + AbstractStickyAssignor.class.getName(),
            "off");
        commands.put("assign", Assignors::assign);
        commands.put("assignor_user_data", Assignors::userData);
        commands.put("subscription_again", Assignors::subscriptionAgain);
        commands.put("assignment_again", Assignors::assignmentAgain);
    }

    private static ConsumerPartitionAssignor create(String name) {
        return switch (name) {
            case "range" -> new RangeAssignor();
            case "roundrobin" -> new RoundRobinAssignor();
            case "sticky" -> new StickyAssignor();
            case "cooperative-sticky" -> new CooperativeStickyAssignor();
            default -> throw new IllegalArgumentException(name);
        };
    }

    /**
     * Argument: the assignor's name. Rows: {@code topic}, its name, for each partition the racks of
     * its replicas between commas, which may be empty; {@code member}, its id, its instance's id or
     * {@code -}, the bytes of its subscription; {@code end} at the end of a round. One instance of
     * the assignor runs all rounds, as in a consumer that goes on leading.
     *
     * <p>Answers for each round with {@code member}, id and the bytes of the assignment, or with
     * {@code failed} and the exception; then {@code end}.
     */
    private static List<List<String>> assign(List<String> arguments, List<List<String>> rows) {
        ConsumerPartitionAssignor assignor = create(arguments.get(0));
        List<PartitionInfo> partitions = new ArrayList<>();
        // As in ConsumerCoordinator: the members' order in the map is a part of the input.
        Map<String, Subscription> subscriptions = new HashMap<>();
        List<List<String>> answer = new ArrayList<>();
        for (List<String> row : rows) {
            switch (row.get(0)) {
                case "topic" -> addPartitions(partitions, row);
                case "member" -> {
                    Subscription subscription = ConsumerProtocol.deserializeSubscription(
                        ByteBuffer.wrap(Fields.bytes(row.get(3))));
                    String instance = row.get(2);
                    subscription.setGroupInstanceId(
                        instance.equals("-") ? Optional.empty() : Optional.of(instance));
                    subscriptions.put(row.get(1), subscription);
                }
                default -> {
                    addRound(answer, assignor, partitions, subscriptions);
                    partitions = new ArrayList<>();
                    subscriptions = new HashMap<>();
                }
            }
        }
        return answer;
    }

    private static void addRound(List<List<String>> answer, ConsumerPartitionAssignor assignor,
            List<PartitionInfo> partitions, Map<String, Subscription> subscriptions) {
        Cluster cluster = new Cluster("cluster", List.of(), partitions, Set.of(), Set.of());
        try {
            Map<String, Assignment> assignments =
                assignor.assign(cluster, new GroupSubscription(subscriptions)).groupAssignment();
            assignments.forEach((id, assignment) -> answer.add(List.of("member", id,
                Fields.hex(Utils.toArray(ConsumerProtocol.serializeAssignment(assignment))))));
        } catch (RuntimeException thrown) {
            answer.add(List.of("failed", thrown.toString()));
        }
        answer.add(List.of("end"));
    }

    private static void addPartitions(List<PartitionInfo> partitions, List<String> row) {
        for (int at = 2; at < row.size(); at++) {
            String[] racks = row.get(at).isEmpty() ? new String[0] : row.get(at).split(",");
            Node[] replicas = new Node[Math.max(1, racks.length)];
            Arrays.setAll(replicas, replica ->
                new Node(replica, "host", 9092, racks.length == 0 ? null : racks[replica]));
            partitions.add(new PartitionInfo(row.get(1), at - 2, null, replicas, replicas));
        }
    }

    /**
     * Arguments: the assignor's name, the generation. Rows: topic and partition of what it was
     * assigned; none if it was not. Answers with the user data of its next subscription.
     */
    private static List<List<String>> userData(List<String> arguments, List<List<String>> rows) {
        ConsumerPartitionAssignor assignor = create(arguments.get(0));
        if (!rows.isEmpty()) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (List<String> row : rows) {
                partitions.add(new TopicPartition(row.get(0), Integer.parseInt(row.get(1))));
            }
            int generation = Integer.parseInt(arguments.get(1));
            assignor.onAssignment(new Assignment(partitions),
                new ConsumerGroupMetadata("group", generation, "member", Optional.empty()));
        }
        ByteBuffer data = assignor.subscriptionUserData(Set.of("topic"));
        return List.of(List.of(Fields.hex(data == null ? null : Utils.toArray(data))));
    }

    /** Arguments: a subscription's bytes, a version. Reads it and writes it in the version. */
    private static List<List<String>> subscriptionAgain(List<String> arguments,
            List<List<String>> rows) {
        Subscription read = ConsumerProtocol.deserializeSubscription(
            ByteBuffer.wrap(Fields.bytes(arguments.get(0))));
        short version = Short.parseShort(arguments.get(1));
        ByteBuffer written = ConsumerProtocol.serializeSubscription(read, version);
        return List.of(List.of(Fields.hex(Utils.toArray(written))));
    }

    /** Arguments: an assignment's bytes, a version. Reads it and writes it in the version. */
    private static List<List<String>> assignmentAgain(List<String> arguments,
            List<List<String>> rows) {
        Assignment read = ConsumerProtocol.deserializeAssignment(
            ByteBuffer.wrap(Fields.bytes(arguments.get(0))));
        short version = Short.parseShort(arguments.get(1));
        ByteBuffer written = ConsumerProtocol.serializeAssignment(read, version);
        return List.of(List.of(Fields.hex(Utils.toArray(written))));
    }
}
