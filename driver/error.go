package driver

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind classifies a client's error by what the engine does about it.
type Kind uint8

const (
	// KindOther is logged and nothing else.
	KindOther Kind = iota
	// KindUnavailable: no broker, or not the one needed, can be reached. The client keeps trying.
	KindUnavailable
	// KindAuthentication: TLS or SASL failed, on either side.
	KindAuthentication
	// KindAuthorization: this principal has no access to the cluster, group or topic.
	KindAuthorization
	// KindOffsetOutOfRange: Error.TopicPartition has no record at Error.Offset. The partition is held until it is started
	// again.
	KindOffsetOutOfRange
	// KindUnknownTopic: Error.TopicPartition.Topic does not exist, or no longer does.
	KindUnknownTopic
	// KindTopicRecreated: the topic was deleted and recreated, so its offsets start over. Its partitions are held until
	// they are started again.
	KindTopicRecreated
	// KindMaxPollExceeded: the client was not polled for MaxPollInterval and left the group.
	KindMaxPollExceeded
	// KindFenced: another member with the same group.instance.id took this one's place.
	KindFenced
	// KindGroupProtocol: the group's other members speak another rebalance protocol, or none in common.
	KindGroupProtocol
	// KindStaleMember: the group moved on (illegal generation, unknown member, rebalance in progress), and a commit came
	// too late.
	KindStaleMember
	// KindInvalidConfig: the broker or the client refuses a setting.
	KindInvalidConfig
	// KindTruncated: the log of Error.TopicPartition was truncated below Error.Offset, the position, and has grown again
	// since. The logs diverge at Error.To, and reading continues there. The partition is held until it is started again.
	KindTruncated
	// KindCorrupt: the record batch at Error.Offset of Error.TopicPartition cannot be read: its checksum is wrong, or it
	// does not parse. Nothing after it is delivered, and the driver keeps asking for it. The condition is reported when it
	// begins, and ends with the partition's next run.
	KindCorrupt
	// KindTooLarge: the broker does not accept records of this size.
	KindTooLarge
)

var kindNames = [...]string{
	"other", "unavailable", "authentication", "authorization", "offset out of range", "unknown topic", "topic recreated",
	"max poll interval exceeded", "fenced", "group protocol", "stale member", "invalid configuration", "log truncated",
	"corrupt batch", "too large",
}

// String returns the kind in words.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Error is an error of the client, classified.
type Error struct {
	Kind Kind
	// TopicPartition is set if the error is about one; Partition is -1 if it is about a whole topic.
	TopicPartition TopicPartition
	// Broker is the host:port of the broker that the error is about, empty if the client does not say.
	Broker string
	// Offset is the requested offset for KindOffsetOutOfRange, KindTruncated and KindCorrupt, else -1.
	Offset int64
	// To is where to continue, for KindTruncated; otherwise it has no meaning.
	To int64
	// Err is the client's own error.
	Err error
}

// Error names the kind and the partition, and quotes the client's error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Kind.String())
	if e.TopicPartition.Topic != "" {
		if e.TopicPartition.Partition < 0 {
			fmt.Fprintf(&b, " on %s", e.TopicPartition.Topic)
		} else {
			fmt.Fprintf(&b, " on %s", e.TopicPartition)
		}
	}
	if e.Kind == KindOffsetOutOfRange || e.Kind == KindTruncated || e.Kind == KindCorrupt {
		fmt.Fprintf(&b, " at offset %d", e.Offset)
	}
	if e.Kind == KindTruncated {
		fmt.Fprintf(&b, ", continue at %d", e.To)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns the client's own error.
func (e *Error) Unwrap() error { return e.Err }

// CommitError names the partitions of a commit that the broker did not accept. It accepted the others.
type CommitError struct {
	// Partitions holds an error for each refused partition.
	Partitions map[TopicPartition]*Error
}

// commitErrorPartitions is the number of partitions that the text of a CommitError names.
const commitErrorPartitions = 5

// Error names the first partitions, by topic and number, each with its error, and counts the rest.
func (e *CommitError) Error() string {
	refused := slices.SortedFunc(maps.Keys(e.Partitions), func(a, b TopicPartition) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	var b strings.Builder
	b.WriteString("commit refused")
	for _, tp := range refused[:min(len(refused), commitErrorPartitions)] {
		fmt.Fprintf(&b, "; %s: %v", tp, e.Partitions[tp])
	}
	if more := len(refused) - commitErrorPartitions; more > 0 {
		fmt.Fprintf(&b, "; and %d partitions more", more)
	}
	return b.String()
}

// Unwrap returns the partitions' errors.
func (e *CommitError) Unwrap() []error {
	errs := make([]error, 0, len(e.Partitions))
	for _, err := range e.Partitions {
		errs = append(errs, err)
	}
	return errs
}

// RecreatedError is the Err of the Errors of KindTopicRecreated that driver/franz reports from Poll.
type RecreatedError struct {
	Topic string
	// Was is the ID of the topic that the client read, Is the ID of the topic that has its name now.
	Was, Is [16]byte
}

// Error names the topic and both IDs.
func (e *RecreatedError) Error() string {
	return fmt.Sprintf("topic %s was deleted and recreated: its id was %x and is %x", e.Topic, e.Was, e.Is)
}
