import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/**
 * Administers Kafka and produces to it with its own client, for the tests: <code>Driver SOCKET SCRATCH</code>.
 *
 * <p>Each connection to the Unix socket is a {@link Session} of its own, so that what one test waits
 * for holds up no other. SCRATCH is deleted when the process that started the driver has ended.
 */
final class Driver {
    public static void main(String[] args) throws IOException {
        Lifeline.hold(Path.of(args[1]));

        var clients = new Clients();
        try (var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(args[0]));
            while (true) {
                SocketChannel channel = server.accept();
                new Thread(new Session(channel, clients), "session").start();
            }
        }
    }
}
