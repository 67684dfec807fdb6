import java.time.Duration;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Kafka's clients, which sessions share where they want the same. Safe for concurrent use. */
final class Clients {
    private static final String BOOTSTRAP = "bootstrap.servers";

    private final Map<Map<String, Object>, AutoCloseable> open = new ConcurrentHashMap<>();

    Admin admin(Map<String, Object> client) {
        var properties = new HashMap<>(client);
        properties.put("request.timeout.ms", 5_000);
        properties.put("default.api.timeout.ms", 15_000);
        return (Admin) shared(properties, Admin::create);
    }

    @SuppressWarnings("unchecked")
    Producer<byte[], byte[]> producer(Map<String, Object> client, String compression) {
        var properties = producing(client);
        properties.put("compression.type", compression);
        return (Producer<byte[], byte[]>) shared(properties, KafkaProducer::new);
    }

    /** Returns a new producer, which whoever asks for it closes. */
    Producer<byte[], byte[]> transactional(Map<String, Object> client, String id, int timeoutMs) {
        var properties = producing(client);
        properties.put("transactional.id", id);
        properties.put("transaction.timeout.ms", timeoutMs);
        return new KafkaProducer<>(properties);
    }

    /** Closes what is shared of the cluster. */
    void forget(Map<String, Object> client) {
        for (Iterator<Map.Entry<Map<String, Object>, AutoCloseable>> i = open.entrySet().iterator(); i.hasNext();) {
            var entry = i.next();
            if (!Objects.equals(entry.getKey().get(BOOTSTRAP), client.get(BOOTSTRAP))) {
                continue;
            }
            i.remove();
            if (entry.getValue() instanceof Admin admin) {
                admin.close(Duration.ZERO);
            } else if (entry.getValue() instanceof Producer<?, ?> producer) {
                producer.close(Duration.ZERO);
            }
        }
    }

    private AutoCloseable shared(Map<String, Object> properties, Function<Map<String, Object>, AutoCloseable> create) {
        return open.computeIfAbsent(properties, create);
    }

    /** Returns properties with which a record that is acknowledged is there once and stays. */
    private static Map<String, Object> producing(Map<String, Object> client) {
        var properties = new HashMap<>(client);
        properties.put("acks", "all");
        properties.put("enable.idempotence", true);
        properties.put("request.timeout.ms", 5_000);
        properties.put("delivery.timeout.ms", 60_000); // beyond any outage of a test
        properties.put("max.block.ms", 15_000);
        properties.put("max.request.size", 32 << 20);
        properties.put("key.serializer", ByteArraySerializer.class.getName());
        properties.put("value.serializer", ByteArraySerializer.class.getName());
        return properties;
    }
}
