import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.internals.RecordHeader;

/** Operations that send records. */
final class Producing {
    private Producing() {}

    /** @param value null for none, as that of a header */
    record Header(String key, byte[] value) {}

    /**
     * @param partition null to have it chosen by the key
     * @param value     null for a tombstone
     * @param time      milliseconds since 1970, or null for now
     */
    record Message(Integer partition, byte[] key, byte[] value, List<Header> headers, Long time) {
        ProducerRecord<byte[], byte[]> to(String topic) {
            var record = new ProducerRecord<>(topic, partition, time, key, value);
            if (headers != null) {
                headers.forEach(h -> record.headers().add(new RecordHeader(h.key(), h.value())));
            }
            return record;
        }
    }

    /** @param error null if the record is stored; otherwise the place means nothing */
    record Ack(int partition, long offset, String error) {}

    /** Sends records in this order, and answers with an {@link Ack} for each. */
    record Produce(String topic, List<Message> records, String compression) implements Operation {
        @Override
        public Object run(Session session) throws Exception {
            Producer<byte[], byte[]> producer = session.producer(compression);
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (Message record : records) {
                sent.add(producer.send(record.to(topic)));
            }
            producer.flush();
            List<Ack> acks = new ArrayList<>();
            for (Future<RecordMetadata> f : sent) {
                try {
                    acks.add(new Ack(f.get().partition(), f.get().offset(), null));
                } catch (ExecutionException e) {
                    acks.add(new Ack(-1, -1, e.getCause().toString()));
                }
            }
            return acks;
        }
    }

    /**
     * Sends many records, until they are enough or the other side says no more. Record n (from 0) has
     * the key "k" + n % keys, and a value {"n":n,"pad":"..."} of size bytes, or of more if that is not
     * enough for the number. Each is acknowledged by {"n","partition","offset","error"}, in any order, unless
     * quiet. Answers with how many were stored and how many were not.
     *
     * @param count 0 for no end
     * @param rate  records a second; 0 for as fast as they are taken
     * @param quiet to have no line for each record
     */
    record Bulk(String topic, long count, int keys, int size, int rate, String compression, boolean quiet)
        implements Operation {
        private static final int IN_FLIGHT = 10_000;

        record Numbered(long n, int partition, long offset, String error) {}

        record Sum(long stored, long failed) {}

        @Override
        public Object run(Session session) {
            Producer<byte[], byte[]> producer = session.producer(compression);
            var stop = new Semaphore(0);
            var sender = new Thread(() -> send(session, producer, stop), "bulk");
            session.atEnd(() -> {
                stop.release();
                try {
                    sender.join();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            sender.start();
            return LATER;
        }

        private void send(Session session, Producer<byte[], byte[]> producer, Semaphore stop) {
            try {
                try {
                    session.done(sendAll(session, producer, stop));
                } catch (InterruptedException | RuntimeException e) {
                    session.failed(e);
                }
            } catch (IOException e) {
                // The test has gone away; there is nobody to tell.
            }
        }

        private Sum sendAll(Session session, Producer<byte[], byte[]> producer, Semaphore stop) throws InterruptedException {
            var stored = new AtomicLong();
            var failed = new AtomicLong();
            var room = new Semaphore(IN_FLIGHT);
            long began = System.nanoTime();
            for (long n = 0; count == 0 || n < count; n++) {
                long due = rate == 0 ? 0 : began + n * TimeUnit.SECONDS.toNanos(1) / rate - System.nanoTime();
                if (due > 0 ? stop.tryAcquire(due, TimeUnit.NANOSECONDS) : stop.tryAcquire()) {
                    break;
                }
                room.acquire();
                long number = n;
                producer.send(record(n), (at, e) -> {
                    (e == null ? stored : failed).incrementAndGet();
                    try {
                        if (!quiet) {
                            session.ack(e == null
                                ? new Numbered(number, at.partition(), at.offset(), null)
                                : new Numbered(number, -1, -1, e.toString()));
                        }
                    } catch (IOException gone) {
                        stop.release();
                    } finally {
                        room.release(); // what is counted in the end is told then
                    }
                });
            }
            room.acquire(IN_FLIGHT);
            return new Sum(stored.get(), failed.get());
        }

        private ProducerRecord<byte[], byte[]> record(long n) {
            String start = "{\"n\":" + n + ",\"pad\":\"";
            String value = start + "x".repeat(Math.max(0, size - start.length() - 2)) + "\"}";
            return new ProducerRecord<>(topic,
                ("k" + n % keys).getBytes(StandardCharsets.UTF_8), value.getBytes(StandardCharsets.UTF_8));
        }
    }
}
