import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Operations on topics. Those that change something return when the cluster says that it is so. */
final class Topics {
    private static final long POLL_MS = 20;
    private static final long PATIENCE_MS = 15_000;

    private Topics() {}

    record Create(String topic, int partitions, short replication, Map<String, String> configs) implements Operation {
        @Override
        public Object run(Session session) throws Exception {
            Admin admin = session.admin();
            admin.createTopics(List.of(new NewTopic(topic, partitions, replication).configs(configs))).all().get();
            await("a leader for each partition of " + topic, () -> led(admin, topic, partitions));
            return null;
        }
    }

    record Delete(String topic) implements Operation {
        @Override
        public Object run(Session session) throws Exception {
            Admin admin = session.admin();
            admin.deleteTopics(List.of(topic)).all().get();
            await("no topic " + topic, () -> describe(admin, topic).isEmpty());
            return null;
        }
    }

    record Configure(String topic, Map<String, String> configs) implements Operation {
        @Override
        public Object run(Session session) throws Exception {
            List<AlterConfigOp> changes = new ArrayList<>();
            configs.forEach((name, value) ->
                changes.add(new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET)));
            var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            session.admin().incrementalAlterConfigs(Map.of(resource, changes)).all().get();
            return null;
        }
    }

    /** @param total how many partitions there are then */
    record AddPartitions(String topic, int total) implements Operation {
        @Override
        public Object run(Session session) throws Exception {
            Admin admin = session.admin();
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(total))).all().get();
            await(total + " partitions with leaders of " + topic, () -> led(admin, topic, total));
            return null;
        }
    }

    record DeleteRecords(String topic, int partition, long before) implements Operation {
        @Override
        public Object run(Session session) throws Exception {
            var at = new TopicPartition(topic, partition);
            session.admin().deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(before))).all().get();
            return null;
        }
    }

    record Describe(String topic) implements Operation {
        record Partition(int partition, int leader, List<Integer> replicas, List<Integer> isr) {}

        record Topic(String id, List<Partition> partitions) {}

        @Override
        public Object run(Session session) throws Exception {
            TopicDescription found = describe(session.admin(), topic)
                .orElseThrow(() -> new UnknownTopicOrPartitionException(topic));
            List<Partition> partitions = new ArrayList<>();
            for (TopicPartitionInfo p : found.partitions()) {
                partitions.add(new Partition(p.partition(), leader(p), ids(p.replicas()), ids(p.isr())));
            }
            return new Topic(found.topicId().toString(), partitions);
        }
    }

    /** Answers with the offsets of the first record and behind the last, committed or not, of each partition. */
    record Offsets(String topic) implements Operation {
        record Range(long earliest, long latest) {}

        @Override
        public Object run(Session session) throws Exception {
            Admin admin = session.admin();
            Map<TopicPartition, OffsetSpec> earliest = new HashMap<>();
            Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
            int partitions = describe(admin, topic)
                .orElseThrow(() -> new UnknownTopicOrPartitionException(topic)).partitions().size();
            for (int p = 0; p < partitions; p++) {
                earliest.put(new TopicPartition(topic, p), OffsetSpec.earliest());
                latest.put(new TopicPartition(topic, p), OffsetSpec.latest());
            }
            var first = admin.listOffsets(earliest).all().get();
            var last = admin.listOffsets(latest).all().get();
            List<Range> ranges = new ArrayList<>();
            for (int p = 0; p < partitions; p++) {
                var at = new TopicPartition(topic, p);
                ranges.add(new Range(first.get(at).offset(), last.get(at).offset()));
            }
            return ranges;
        }
    }

    /** Has the partition on these nodes and no others, led by the first of them. */
    record Reassign(String topic, int partition, List<Integer> replicas) implements Operation {
        @Override
        public Object run(Session session) throws Exception {
            Admin admin = session.admin();
            var at = new TopicPartition(topic, partition);
            admin.alterPartitionReassignments(Map.of(at, Optional.of(new NewPartitionReassignment(replicas)))).all().get();
            await("an end of the reassignment of " + at,
                () -> admin.listPartitionReassignments(Set.of(at)).reassignments().get().isEmpty());
            try {
                admin.electLeaders(ElectionType.PREFERRED, Set.of(at)).all().get();
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof ElectionNotNeededException)) {
                    throw e;
                }
            }
            await("leader " + replicas.get(0) + " of " + at, () -> describe(admin, topic)
                .map(t -> leader(t.partitions().get(partition)) == replicas.get(0)).orElse(false));
            return null;
        }
    }

    private static Optional<TopicDescription> describe(Admin admin, String topic) throws Exception {
        try {
            return Optional.of(admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic));
        } catch (ExecutionException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private static boolean led(Admin admin, String topic, int partitions) throws Exception {
        return describe(admin, topic).map(TopicDescription::partitions)
            .map(all -> all.size() == partitions && all.stream().allMatch(p -> leader(p) >= 0)).orElse(false);
    }

    private static int leader(TopicPartitionInfo p) {
        return p.leader() == null ? -1 : p.leader().id();
    }

    private static List<Integer> ids(List<Node> nodes) {
        return nodes.stream().map(Node::id).toList();
    }

    private interface Condition {
        boolean holds() throws Exception;
    }

    private static void await(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + PATIENCE_MS * 1_000_000;
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("after " + PATIENCE_MS + " ms there is not " + what);
            }
            Thread.sleep(POLL_MS);
        }
    }
}
