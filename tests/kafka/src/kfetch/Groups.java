package kfetch;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.common.KafkaFuture;

/** What an administrator sees of groups: the first argument of each command is the bootstrap. */
final class Groups {
    private static final long LIMIT_SECONDS = 60;

    private Groups() {}

    static void register(Map<String, Helper.Command> commands) {
        commands.put("group_describe", Groups::describe);
        commands.put("create_partitions", Groups::createPartitions);
    }

    private static Admin admin(List<String> arguments) {
        return Admin.create(Map.of("bootstrap.servers", arguments.get(0)));
    }

    private static <T> T get(KafkaFuture<T> future) throws Exception {
        return future.get(LIMIT_SECONDS, TimeUnit.SECONDS);
    }

    /**
     * Arguments: group. Answers with the coordinator's id, the state and the assignor, then a row
     * for each member: its id, its instance id, its partitions.
     */
    private static List<List<String>> describe(List<String> arguments, List<List<String>> rows)
            throws Exception {
        String group = arguments.get(1);
        try (Admin admin = admin(arguments)) {
            ConsumerGroupDescription found =
                get(admin.describeConsumerGroups(List.of(group)).describedGroups().get(group));
            List<List<String>> answer = new ArrayList<>();
            answer.add(List.of(found.coordinator().idString(), found.groupState().toString(),
                found.partitionAssignor()));
            for (MemberDescription member : found.members()) {
                List<String> row = new ArrayList<>();
                row.add(member.consumerId());
                row.add(member.groupInstanceId().orElse(""));
                member.assignment().topicPartitions().forEach(one -> row.add(one.toString()));
                answer.add(row);
            }
            return answer;
        }
    }

    /** Arguments: topic, how many partitions it is to have. */
    private static List<List<String>> createPartitions(List<String> arguments,
            List<List<String>> rows) throws Exception {
        NewPartitions wanted = NewPartitions.increaseTo(Integer.parseInt(arguments.get(2)));
        try (Admin admin = admin(arguments)) {
            get(admin.createPartitions(Map.of(arguments.get(1), wanted)).all());
        }
        return List.of();
    }
}
