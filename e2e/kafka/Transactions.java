/**
 * Transactions: one at a time in a session, and as many at once as there are sessions. What a session
 * produces after it has begun one belongs to it. A session that ends leaves its transaction open.
 */
final class Transactions {
    private Transactions() {}

    /**
     * Begins a transaction. A second one of a session goes on with the id of the first.
     *
     * @param timeoutMs after which Kafka aborts a transaction that nobody ends
     */
    record Begin(String id, int timeoutMs) implements Operation {
        @Override
        public Object run(Session session) {
            session.transactions(id, timeoutMs).beginTransaction();
            return null;
        }
    }

    record Commit() implements Operation {
        @Override
        public Object run(Session session) {
            session.transaction().commitTransaction();
            return null;
        }
    }

    record Abort() implements Operation {
        @Override
        public Object run(Session session) {
            session.transaction().abortTransaction();
            return null;
        }
    }
}
