package kafka

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sidestream/adapters/secret"
)

// describe shows how the brokers are reached, secrets masked, a line for each
// fact.
func (o *Connection) describe() string {
	lines := []string{"brokers: " + strings.Join(o.addresses(), ", ")}
	if o.TLS.on() {
		lines = append(lines, o.TLS.Files.Describe())
	}
	if o.SASL.Mechanism != "" {
		lines = append(lines, o.SASL.describe())
	}
	if o.Rack != "" {
		lines = append(lines, "replicas in the rack "+o.Rack+" are read from, where the cluster offers that")
	}
	return strings.Join(append(lines,
		fmt.Sprintf("as the client %q; what is known of the cluster, and idle connections, are shared by all routes with these options", o.ClientID),
		fmt.Sprintf("%s for a connection, %s for an answer", o.ConnectTimeout, o.RequestTimeout),
		fmt.Sprintf("up to %d idle connections are kept for %s", o.Idle.Connections, o.Idle.Timeout),
	), "\n")
}

// describe shows the kind of credentials, masked.
func (o *SASL) describe() string {
	text := "SASL " + strings.ToUpper(string(o.Mechanism)) + ": "
	switch {
	case o.Mechanism != mechanismOAuthBearer:
		text += "user " + o.User.String() + " and password " + masked(o.Password)
	case o.OAuth2.on():
		text += "tokens from " + withoutQuery(o.OAuth2.OAuth2.TokenURL) + " for the client " + o.OAuth2.OAuth2.ClientID
	default:
		text += "token " + o.Token.String()
	}
	if len(o.Extensions) > 0 {
		text += ", with extensions: " + strings.Join(slices.Sorted(maps.Keys(o.Extensions)), ", ")
	}
	return text
}

// withoutQuery returns a URL without its query, which may hold a key.
func withoutQuery(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url
}

// masked shows where a secret is, or that there is one.
func masked(v secret.Value) string {
	if v.File != "" {
		return v.String()
	}
	return secret.Mask
}

// describe shows what is read of topics, a line for each fact. The key is that
// of the records that are read, or nil if all are. The options must have been
// settled.
func (o *Options) describe(topics []string, key []byte) string {
	lines := []string{"topics: " + strings.Join(topics, ", ")}
	switch {
	case key != nil && o.Partitioner == partitionerAny:
		lines = append(lines, fmt.Sprintf("records with the key %q, of all partitions", key))
	case key != nil:
		lines = append(lines, fmt.Sprintf("records with the key %q, of the partition that %s gives", key, o.Partitioner))
	case len(o.Partitions) > 0:
		lines = append(lines, "partitions "+joinNumbers(o.Partitions))
	default:
		lines = append(lines, "all partitions; those that are added are found within "+o.MetadataAge.String())
	}
	if o.Compacted {
		lines = append(lines, "each record is the state of its key; one without a value takes the key away")
	}
	lines = append(lines, "a client without a position starts at: "+o.Start.String())
	if o.Isolation == isolationCommitted {
		lines = append(lines, "records of transactions are read once these are committed")
	} else {
		lines = append(lines, "records of all transactions are read, those that are aborted included")
	}
	if text := o.SchemaRegistry.Describe(); text != "" {
		lines = append(lines, text)
	}
	f := o.Fetch
	return strings.Join(append(lines,
		fmt.Sprintf("an answer should have up to %s, %s of one partition, and comes after %s at the latest", f.MaxBytes, f.MaxPartitionBytes, f.MaxWait),
		fmt.Sprintf("a batch of more than %s is left out, and an answer of more than %s is refused", f.MaxBatch, f.MaxResponse),
	), "\n")
}

// maxShown is how many partitions an explanation names.
const maxShown = 20

func joinNumbers(list []int32) string {
	texts := make([]string, 0, maxShown)
	for _, n := range list[:min(len(list), maxShown)] {
		texts = append(texts, strconv.Itoa(int(n)))
	}
	text := strings.Join(texts, ", ")
	if more := len(list) - maxShown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
