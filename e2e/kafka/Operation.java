import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonSubTypes.Type;
import com.fasterxml.jackson.annotation.JsonTypeInfo;

/** What a session may be asked to do. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "op")
@JsonSubTypes({
    @Type(name = "create", value = Topics.Create.class),
    @Type(name = "delete", value = Topics.Delete.class),
    @Type(name = "configure", value = Topics.Configure.class),
    @Type(name = "addPartitions", value = Topics.AddPartitions.class),
    @Type(name = "deleteRecords", value = Topics.DeleteRecords.class),
    @Type(name = "describe", value = Topics.Describe.class),
    @Type(name = "offsets", value = Topics.Offsets.class),
    @Type(name = "reassign", value = Topics.Reassign.class),
    @Type(name = "produce", value = Producing.Produce.class),
    @Type(name = "bulk", value = Producing.Bulk.class),
    @Type(name = "begin", value = Transactions.Begin.class),
    @Type(name = "commit", value = Transactions.Commit.class),
    @Type(name = "abort", value = Transactions.Abort.class),
    @Type(name = "forget", value = Operation.Forget.class),
})
interface Operation {
    /** Says that the operation goes on, and will answer by itself. */
    Object LATER = new Object();

    /** Does it, and returns the answer; null for none. */
    Object run(Session session) throws Exception;

    /** Closes all clients of a cluster. */
    record Forget() implements Operation {
        @Override
        public Object run(Session session) {
            session.forget();
            return null;
        }
    }
}
