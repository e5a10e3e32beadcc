// Package driver is the interface between the engine and a Kafka client.
//
// A Driver opens Consumers; a Consumer is one member of a consumer group. The interface works in batches: Poll returns
// runs of records, each of one partition, together with everything else the client reports. Only the append that
// creates a record costs anything per record.
//
// # The contract
//
// Every driver passes the suite in package drivertest. In words:
//
//   - A partition that the group assigns to this member is held: it delivers nothing until Start names the offset to
//     begin at. The client itself never commits or stores offsets, and never applies a reset policy: if a position does
//     not exist, an *Error of KindOffsetOutOfRange reports it, once.
//   - Listener calls are made one at a time, and only while Poll or Close runs (on any goroutine): none before the
//     first Poll, none between a Poll that returned something and the next. While one runs, Poll does not return
//     anything. Assigned is also called, with no partitions, when the group's first assignment gives this member none.
//     After Revoked or Lost returns, no later Poll returns a run of those partitions until they are assigned and
//     started again.
//   - Poll and Close are called from one goroutine (the poll goroutine), never at the same time. Start, Pause and
//     Resume may be called from any goroutine, including from inside a Listener call; they never wait for the network.
//     Commit, Committed, ListOffsets and Topics wait for the network, at most until their context ends. They may be
//     called from any goroutine, concurrently, and while Poll or a Listener call runs.
//   - Poll returns nothing and no error when its context ends; after Close it returns an error. Any other call whose
//     context ends returns an error that matches the context's with errors.Is. A commit by a member that the group
//     dropped is refused whole, with KindStaleMember.
//   - No call panics or blocks forever after Close.
package driver

import (
	"context"
	"errors"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/event"
)

// Driver opens consumers with one Kafka client library. A Driver is immutable and safe for concurrent use.
type Driver interface {
	// Name is short and stable, for logs and Status: "confluent", "franz", "memory".
	Name() string
	// Features returns what this driver can do beyond the contract.
	Features() Features
	// Open creates a group member and starts to connect in the background. It does not wait: an unreachable broker or a
	// wrong password is reported by Poll. The error is for a Config that the client refuses.
	Open(Config, Listener) (Consumer, error)
}

// Features lists what a driver can do beyond the contract. A test that needs a missing feature says so.
type Features struct {
	// TopicIDs: Topics returns topic IDs, so that a recreated topic is noticed.
	TopicIDs bool
	// ReplaceCredentials: the consumers are CredentialsReplacers. Credentials change on a running member without a
	// rebalance.
	ReplaceCredentials bool
	// VirtualNetwork: the client uses Config.Dialer and runs in a testing/synctest bubble.
	VirtualNetwork bool
	// SharedMemory: keys and values are slices of the fetched data, so a record keeps the whole fetch in memory until it
	// is copied.
	SharedMemory bool
	// Network: a real client of a real broker (false for the in-memory one).
	Network bool
}

// TopicPartition names a partition.
type TopicPartition = event.TopicPartition

// Listener is told of changes of the assignment. The engine implements it; the package comment says when its methods
// are called. With both the eager and the cooperative protocol, a driver calls Assigned with the added partitions only,
// and Revoked and Lost with the removed ones.
type Listener interface {
	// Assigned names partitions that this member now owns. They are held until they are started. A member that joins, or
	// rejoins after a loss, gets this call even when the group assigns nothing to it: it tells the engine that the member
	// is in the group.
	Assigned([]TopicPartition)
	// Revoked names partitions that the group is about to take away. It returns when their work is drained and committed,
	// or after the engine's own time limit. The member still owns them while it runs.
	Revoked([]TopicPartition)
	// Lost names partitions that this member no longer owns: nothing of theirs may be committed.
	Lost([]TopicPartition)
}

// Start tells a consumer where to begin reading a held (or running) partition.
type Start struct {
	TopicPartition
	// Offset is the first offset to read, ≥ 0.
	Offset int64
	// LeaderEpoch is the leader epoch of the record before Offset, -1 if it is not known.
	LeaderEpoch int32
	// Epoch marks the runs that follow, so that the reader can tell them from earlier runs still in flight. It has no
	// meaning to the driver.
	Epoch uint64
}

// Run is a run of records of one partition, in offset order, all of one leader epoch.
type Run struct {
	TopicPartition
	// Epoch is the Epoch of the Start that the run follows.
	Epoch uint64
	// LeaderEpoch is the leader epoch of the records, -1 if it is not known.
	LeaderEpoch int32
	// Records may be empty, if the position moved past offsets without records: transaction markers, aborted or compacted
	// records. They belong to the receiver: the driver neither reads nor writes them again.
	Records []event.KafkaRecord
	// Bytes is the memory that the run keeps alive, as far as the client knows.
	Bytes int
	// Next is the offset at which reading continues: greater than the last record's.
	Next int64
	// End is the end of the log as last seen by the client's own fetches: the last stable offset under read_committed,
	// else the high watermark; -1 if it is not known.
	End int64
}

// Commit is one position to commit.
type Commit struct {
	TopicPartition
	// Offset is the next offset to read.
	Offset int64
	// LeaderEpoch is the leader epoch of the record before Offset, -1 if it is not known.
	LeaderEpoch int32
	// Metadata is stored by the broker with the commit.
	Metadata string
	// Assignment is the value of Member.Rebalances during the Listener.Assigned call for the partition: it identifies the
	// assignment that Offset belongs to. A commit for an assignment that has ended is refused with KindStaleMember, even
	// if the partition has since been assigned to this consumer again. 0 means the current assignment.
	Assignment int64
}

// Committed is a group's committed offset of one partition.
type Committed struct {
	TopicPartition
	// Offset is -1 if the group has none.
	Offset      int64
	LeaderEpoch int32
	Metadata    string
	// Err is this partition's error. If it is set, the other fields mean nothing.
	Err error
}

// OffsetAt selects the offset that ListOffsets looks up.
type OffsetAt int64

const (
	// AtEarliest is the log start offset.
	AtEarliest OffsetAt = -2
	// AtEnd is the end of the log: the last stable offset under read_committed, else the high watermark.
	AtEnd OffsetAt = -1
)

// OffsetQuery asks for one offset of one partition. At ≥ 0 is a time in milliseconds since the Unix epoch. It selects
// the first offset whose record's timestamp is at or after it, or the end of the log if there is none.
type OffsetQuery struct {
	TopicPartition
	At OffsetAt
}

// OffsetAnswer answers one OffsetQuery.
type OffsetAnswer struct {
	TopicPartition
	At     OffsetAt
	Offset int64
	// LeaderEpoch is -1 if it is not known.
	LeaderEpoch int32
	Err         error
}

// Topic describes a topic that exists.
type Topic struct {
	Name string
	// ID is the topic's ID, zero if the driver or the broker has none.
	ID [16]byte
	// Partitions is the number of partitions; they are numbered from 0.
	Partitions int32
	// Err is this topic's error (unknown topic, no authorization). If it is set, the other fields but Name mean nothing.
	Err error
}

// Member describes a consumer's state in its group.
type Member struct {
	// ID is the member ID that the group assigned, empty until then.
	ID string
	// Generation is the group generation, -1 if it is not known.
	Generation int32
	// Rebalances counts the rebalances that this member saw. It is above 0 and differs in each Listener.Assigned call: see
	// Commit.Assignment.
	Rebalances int64
}

// Describer is implemented by Drivers that can name their client, for the log and Status.
type Describer interface {
	Describe() Description
}

// Description names the Kafka client that a driver uses.
type Description struct {
	// Client and Version are the client library's, such as "librdkafka" and "2.11.1". Version is empty if the program does
	// not know it, as in a test binary.
	Client, Version string
	// Reading says how records are read from it: "Poll", or another way that the driver has.
	Reading string
}

// Prober is implemented by Drivers that can test a Config's credentials.
type Prober interface {
	// Probe opens a new connection, authenticates and asks for metadata, outside any group. It returns nil if a broker
	// answered, else an *Error. It returns no later than when ctx ends.
	Probe(ctx context.Context, config Config) error
}

// CredentialsReplacer is implemented by Consumers whose credentials can change without a rebalance.
type CredentialsReplacer interface {
	// ReplaceCredentials makes every later authentication use other credentials; open connections stay. It does not wait
	// for the network, and may be called from any goroutine. The error wraps ErrNotInPlace if this client needs a new
	// member for the change.
	ReplaceCredentials(*auth.Credentials) error
}

// ErrReplace is wrapped by the errors of a Producer that can write nothing more, and by the Poll error of a consumer
// whose client cannot reconnect to brokers that others reach. A new one with the same Config, opened in its place, can.
// By then the consumer's partitions are lost, and Close is quick.
var ErrReplace = errors.New("the client does not recover: open another in its place")

// ErrNotInPlace is wrapped by ReplaceCredentials for a change that only a new member can make.
var ErrNotInPlace = errors.New("these credentials cannot be changed on a running client")

// Consumer is one member of a consumer group.
type Consumer interface {
	// Poll resets into, then waits until there is something to report, ctx ends, or a second has passed, and fills it. An
	// error means that the consumer can no longer be used (it wraps an *Error, and ErrReplace if a new consumer would
	// work). Conditions that may pass are in Fetch.Errors, each reported once until it changes.
	Poll(ctx context.Context, into *Fetch) error
	// Start begins or moves partitions. Unassigned partitions are ignored.
	Start([]Start)
	// Pause stops fetching partitions; Resume continues where the last returned run ended. A partition's pause ends with
	// its assignment; a Start does not end it. Unassigned partitions are ignored.
	Pause([]TopicPartition)
	Resume([]TopicPartition)
	// Commit commits positions for the group. A nil error means that all were accepted; a *CommitError names those that
	// were not.
	Commit(ctx context.Context, commits []Commit) error
	// Committed returns the group's committed offsets, in the order of the partitions.
	Committed(ctx context.Context, partitions []TopicPartition) ([]Committed, error)
	// ListOffsets returns one OffsetAnswer per query, in order. It sends at most one request per broker for each distinct
	// At (one in all if the protocol allows it), or for each thousand partitions if the client is slow with more.
	ListOffsets(ctx context.Context, queries []OffsetQuery) ([]OffsetAnswer, error)
	// Topics describes topics: those named or, if none is named, every topic that the subscription matches.
	Topics(ctx context.Context, names ...string) ([]Topic, error)
	// Member returns the consumer's state in its group. It does not wait.
	Member() Member
	// Close leaves the group and frees the client. It calls Listener.Revoked for what is still assigned. It returns no
	// later than when ctx ends, with an error if something had to be left behind.
	Close(ctx context.Context) error
}
