import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;

/**
 * Ends this process when the one that started it has ended, in whatever way:
 * a test binary that panics or is killed leaves no servers behind.
 */
final class Lifeline implements Runnable {
    private static final long INTERVAL_MS = 100;

    private final Optional<ProcessHandle> parent = ProcessHandle.current().parent();
    private final Path scratch;

    private Lifeline(Path scratch) {
        this.scratch = scratch;
    }

    /** Starts to watch. What is under scratch, unless that is null, is deleted at the end. */
    static void hold(Path scratch) {
        Thread watch = new Thread(new Lifeline(scratch), "lifeline");
        watch.setDaemon(true);
        watch.start();
    }

    @Override
    public void run() {
        // A process whose parent has ended gets another one.
        while (parent.isPresent() && parent.equals(ProcessHandle.current().parent())) {
            try {
                Thread.sleep(INTERVAL_MS);
            } catch (InterruptedException e) {
                return; // nobody does that
            }
        }
        try {
            if (scratch != null) {
                delete(scratch);
            }
        } finally {
            Runtime.getRuntime().halt(1);
        }
    }

    private static void delete(Path root) {
        try (var paths = Files.walk(root)) {
            for (Path path : (Iterable<Path>) paths.sorted(Comparator.reverseOrder())::iterator) {
                Files.deleteIfExists(path);
            }
        } catch (IOException | UncheckedIOException e) {
            System.err.println("delete " + root + ": " + e);
        }
    }
}
