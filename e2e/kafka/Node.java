import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

import kafka.Kafka;
import kafka.tools.StorageTool;

/**
 * Runs a node of Apache Kafka: <code>Node PROPERTIES SCRATCH CLUSTER-ID [FORMAT-OPTION ...]</code>.
 *
 * <p>Storage that is new is formatted first, in the same process, which saves the start of another.
 * SCRATCH, unless it is empty, is deleted when the process that started the node has ended.
 */
final class Node {
    public static void main(String[] args) throws Exception {
        Lifeline.hold(args[1].isEmpty() ? null : Path.of(args[1]));

        var properties = new Properties();
        try (var in = Files.newBufferedReader(Path.of(args[0]))) {
            properties.load(in);
        }
        if (!Files.exists(Path.of(properties.getProperty("log.dirs"), "meta.properties"))) {
            List<String> format = new ArrayList<>(List.of("format", "--config", args[0], "--cluster-id", args[2]));
            format.addAll(List.of(args).subList(3, args.length));
            int code = StorageTool.execute(format.toArray(String[]::new), System.err);
            if (code != 0) {
                System.exit(code);
            }
        }
        Kafka.main(new String[] {args[0]});
    }
}
