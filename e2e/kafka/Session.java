import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.Producer;

import com.fasterxml.jackson.databind.ObjectMapper;

/**
 * A connection to the driver. Requests are lines of JSON, done one after the other; each is answered
 * by a line {"done": answer} or {"error": text}, before which there may be lines {"ack": answer}.
 */
final class Session implements Runnable {
    /**
     * @param client the properties of the client that does it; its bootstrap.servers say on which cluster
     * @param op     what is to be done
     */
    record Request(Map<String, Object> client, Operation op) {}

    private static final ObjectMapper JSON = new ObjectMapper();

    private final SocketChannel channel;
    private final Clients clients;
    private final Deque<Runnable> closers = new ArrayDeque<>();
    private Request request;
    private Producer<byte[], byte[]> transaction;

    Session(SocketChannel channel, Clients clients) {
        this.channel = channel;
        this.clients = clients;
    }

    @Override
    public void run() {
        // Writes don't go through Channels, whose streams let nobody write while somebody reads.
        try (channel; var lines = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8))) {
            try {
                for (String line; (line = lines.readLine()) != null;) {
                    serve(line);
                }
            } finally {
                closers.forEach(Runnable::run);
            }
        } catch (IOException e) {
            // The test has gone away; there is nobody to tell.
        }
    }

    private void serve(String line) throws IOException {
        try {
            request = JSON.readValue(line, Request.class);
            Object answer = request.op().run(this);
            if (answer != Operation.LATER) {
                done(answer);
            }
        } catch (ExecutionException | CompletionException e) {
            failed(e.getCause());
        } catch (Exception e) {
            failed(e);
        }
    }

    /** Returns an administrator of the request's cluster. */
    Admin admin() {
        return clients.admin(request.client());
    }

    /** Returns the producer of this session's transactions, or one that others use too. */
    Producer<byte[], byte[]> producer(String compression) {
        return transaction != null ? transaction : clients.producer(request.client(), compression);
    }

    /** Returns a producer for transactions, which sends all that this session sends from here on. */
    Producer<byte[], byte[]> transactions(String id, int timeoutMs) {
        if (transaction == null) {
            Producer<byte[], byte[]> opened = clients.transactional(request.client(), id, timeoutMs);
            // At once, which leaves an open transaction open, as a crash does.
            atEnd(() -> opened.close(Duration.ZERO));
            opened.initTransactions();
            transaction = opened;
        }
        return transaction;
    }

    /** Returns the producer of this session's transactions. */
    Producer<byte[], byte[]> transaction() {
        if (transaction == null) {
            throw new IllegalStateException("no transaction was begun in this session");
        }
        return transaction;
    }

    /** Closes all clients of the request's cluster, which is about to end. */
    void forget() {
        clients.forget(request.client());
    }

    /** Has closer run when the other side says no more. */
    void atEnd(Runnable closer) {
        closers.push(closer);
    }

    /** Sends a part of an answer. */
    void ack(Object part) throws IOException {
        write(Map.of("ack", part));
    }

    void done(Object answer) throws IOException {
        write(Map.of("done", answer == null ? Map.of() : answer));
    }

    void failed(Throwable e) throws IOException {
        write(Map.of("error", e.getClass().getSimpleName() + ": " + e.getMessage()));
    }

    private synchronized void write(Object message) throws IOException {
        var line = ByteBuffer.wrap((JSON.writeValueAsString(message) + "\n").getBytes(StandardCharsets.UTF_8));
        while (line.hasRemaining()) {
            channel.write(line);
        }
    }
}
