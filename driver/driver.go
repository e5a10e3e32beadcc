// Package driver is the seam between the engine and a Kafka client.
//
// A Driver opens Consumers; a Consumer is one member of a consumer group. The seam carries batches: Poll
// answers runs of records, each of one partition, with what else the client has to say beside them, so that
// nothing on the path of a record is per record but the append that makes it.
//
// # The contract
//
// Every driver passes the suite in package drivertest. In words:
//
//   - A partition that the group assigned to this member is held: it delivers nothing until Start names the
//     offset to begin at. Nothing is ever committed or stored by the client itself, and no reset policy of the
//     client's applies: where a position does not exist, an *Error of KindOffsetOutOfRange says so, once.
//   - Listener calls come one at a time, and only while Poll or Close runs (on whichever goroutine): none before the
//     first Poll, none between a Poll that answered something and the next. While one runs, Poll returns nothing. Assigned
//     is also called, with no partitions, when the group's first answer gives this member none.
//     When Revoked or Lost returns, no later Poll answers a run of those partitions until they are assigned and
//     started again.
//   - Poll and Close are called from one goroutine (the poll goroutine), never at the same time. Start, Pause and
//     Resume may be called from any goroutine, also from inside a Listener call; they never wait for the network.
//     Commit, Committed, ListOffsets and Topics wait for the network, at most until their context ends; they may be
//     called from any goroutine, several at a time, also while Poll or a Listener call runs.
//   - Poll answers nothing and no error when its context ends; after Close it answers an error. A call whose context ends
//     returns an error that is the context's, by errors.Is. A commit by a member that the group dropped is refused whole,
//     with KindStaleMember.
//   - No call panics or blocks for ever after Close.
package driver

import (
	"context"
	"errors"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/event"
)

// Driver makes consumers over one Kafka client library. A Driver is immutable and safe for concurrent use.
type Driver interface {
	// Name is short and stable, for logs and Status: "confluent", "franz", "memory".
	Name() string
	// Features says what this driver can do beyond the contract.
	Features() Features
	// Open makes a group member and begins to connect in the background. It does no waiting: an unreachable broker
	// or a wrong password shows in Poll. The error is for a Config that the client refuses.
	Open(Config, Listener) (Consumer, error)
}

// Features says what a driver can do beyond the contract; a test that needs one that is missing says so.
type Features struct {
	// TopicIDs: Topics answers topic ids, so that a topic deleted and made again is noticed.
	TopicIDs bool
	// ReplaceCredentials: its consumers are CredentialsReplacers: credentials change on the living member with no rebalance.
	ReplaceCredentials bool
	// VirtualNetwork: the client takes Config.Dialer, and runs in a testing/synctest bubble.
	VirtualNetwork bool
	// SharedMemory: keys and values are pieces of what the client fetched, so that a record keeps all of that in memory
	// until it is copied.
	SharedMemory bool
	// Network: a real client of a real broker (false for the in-memory one).
	Network bool
}

// TopicPartition names a partition.
type TopicPartition = event.TopicPartition

// Listener is told of changes of the assignment. The engine implements it; see the package comment for when its
// methods are called. A driver calls Assigned with the partitions that are new, Revoked and Lost with those that go,
// for the eager and the cooperative protocol alike.
type Listener interface {
	// Assigned names partitions that this member now owns. They are held until they are started. A member that joins,
	// or comes back after a loss, is told even when the group gives it nothing: it is in the group then.
	Assigned([]TopicPartition)
	// Revoked names partitions that the group is about to give away. It returns when their work is drained and
	// committed, or after the engine's own bound. The member still owns them while it runs.
	Revoked([]TopicPartition)
	// Lost names partitions that this member owns no longer: nothing of theirs may be committed.
	Lost([]TopicPartition)
}

// Start tells a consumer where a held (or running) partition begins.
type Start struct {
	TopicPartition
	// Offset is the first offset to read, ≥ 0.
	Offset int64
	// LeaderEpoch is the epoch of the record before Offset where it is known, else -1.
	LeaderEpoch int32
	// Epoch marks the runs that follow, so that a reader can tell them from what was under way before. It has no
	// meaning to the driver.
	Epoch uint64
}

// Run is a run of records of one partition, in offset order, all of one leader epoch.
type Run struct {
	TopicPartition
	// Epoch is that of the Start that the run follows from.
	Epoch uint64
	// LeaderEpoch is the leader epoch of the records, -1 where it is not known.
	LeaderEpoch int32
	// Records may be empty, when the position moved without any: transaction markers, aborted or compacted records.
	// They belong to the receiver: the driver neither reads nor writes them again.
	Records []event.KafkaRecord
	// Bytes is the memory that the run keeps alive, as far as the client knows it.
	Bytes int
	// Next is the offset at which reading goes on: at least one more than the last record's.
	Next int64
	// End is the end of the log as last seen by the client's own fetches: the last stable offset under
	// read_committed, else the high watermark; -1 where it is not known.
	End int64
}

// Commit is one position to commit.
type Commit struct {
	TopicPartition
	// Offset is the next offset to read.
	Offset int64
	// LeaderEpoch is the epoch of the record before Offset, -1 where it is not known.
	LeaderEpoch int32
	// Metadata is kept with the commit by the broker.
	Metadata string
	// Assignment is Member.Rebalances as it was while Listener.Assigned told of the partition: the assignment that Offset
	// belongs to. A commit of an assignment that has ended is refused, with KindStaleMember, also where the partition has
	// been assigned to this consumer again since. 0 stands for the assignment of now.
	Assignment int64
}

// Committed is a group's commit of one partition.
type Committed struct {
	TopicPartition
	// Offset is -1 where the group has none.
	Offset      int64
	LeaderEpoch int32
	Metadata    string
	// Err is this partition's error; the other fields mean nothing then.
	Err error
}

// OffsetAt says which offset ListOffsets looks up.
type OffsetAt int64

const (
	// AtEarliest is the log's start.
	AtEarliest OffsetAt = -2
	// AtEnd is the log's end: the last stable offset under read_committed, else the high watermark.
	AtEnd OffsetAt = -1
)

// OffsetQuery asks for one offset of one partition. At ≥ 0 is a time in milliseconds since the Unix epoch: the first
// offset whose record's timestamp is at or after it, the end of the log where there is none.
type OffsetQuery struct {
	TopicPartition
	At OffsetAt
}

// OffsetAnswer answers one OffsetQuery.
type OffsetAnswer struct {
	TopicPartition
	At     OffsetAt
	Offset int64
	// LeaderEpoch is -1 where it is not known.
	LeaderEpoch int32
	Err         error
}

// Topic describes a topic that exists.
type Topic struct {
	Name string
	// ID is the topic's id, zero where the driver or the broker knows none.
	ID [16]byte
	// Partitions is the number of partitions; they are numbered from 0.
	Partitions int32
	// Err is this topic's error (unknown topic, no authorization); the other fields mean nothing then.
	Err error
}

// Member says how a consumer stands in its group.
type Member struct {
	// ID is the member id that the group gave, empty before it did.
	ID string
	// Generation is the group generation, -1 where it is not known.
	Generation int32
	// Rebalances counts the rebalances that this member saw. It is another number in each Listener.Assigned, above 0: see
	// Commit.Assignment.
	Rebalances int64
}

// Describer is implemented by Drivers that can say which client they drive, for the log and Status.
type Describer interface {
	Describe() Description
}

// Description says which Kafka client a driver drives.
type Description struct {
	// Client and Version are the client library's, such as "librdkafka" and "2.11.1". Version is empty where the program does
	// not know it, as in a test binary.
	Client, Version string
	// Reading says how records are taken from it: "Poll", or in another way that the driver has.
	Reading string
}

// Prober is implemented by Drivers that can try a Config's credentials.
type Prober interface {
	// Probe connects anew, authenticates and asks for metadata, outside of any group. It returns nil when a broker
	// answered, else an *Error, by the end of ctx at the latest.
	Probe(ctx context.Context, config Config) error
}

// CredentialsReplacer is implemented by Consumers whose credentials can change with no rebalance.
type CredentialsReplacer interface {
	// ReplaceCredentials has every authentication from now on use other credentials; living connections stay. It does not
	// wait for the network, and may be called from any goroutine. The error wraps ErrNotInPlace when this client needs a
	// new member for this change.
	ReplaceCredentials(*auth.Credentials) error
}

// ErrReplace is wrapped by what a Producer answers that writes no more, and by the error of a Poll of a consumer whose
// client will not find its way back to brokers that others reach: another with the same Config, opened in its place, would.
// A consumer's partitions are lost by then, and Close is short.
var ErrReplace = errors.New("the client does not recover: open another in its place")

// ErrNotInPlace is wrapped by ReplaceCredentials for a change that only a new member can make.
var ErrNotInPlace = errors.New("these credentials cannot change on a living client")

// Consumer is one member of a consumer group.
type Consumer interface {
	// Poll waits until there is something to report, ctx ends, or a second has passed, and fills into, which it resets
	// first. Its error means that the consumer is of no further use (it wraps an *Error, and ErrReplace where another
	// consumer would fare better); everything that may heal is in Fetch.Errors, each condition once until it changes.
	Poll(ctx context.Context, into *Fetch) error
	// Start begins or moves partitions. Partitions that are not assigned are passed over.
	Start([]Start)
	// Pause stops fetching of partitions, Resume goes on where the last returned run ended. Pauses of a partition
	// end with its assignment; a Start keeps them. Unassigned partitions are passed over.
	Pause([]TopicPartition)
	Resume([]TopicPartition)
	// Commit commits positions for the group. A nil error means that every one was accepted; a *CommitError names
	// those that were not.
	Commit(ctx context.Context, commits []Commit) error
	// Committed answers the group's commits, in the order of the partitions asked for.
	Committed(ctx context.Context, partitions []TopicPartition) ([]Committed, error)
	// ListOffsets answers one OffsetAnswer a query, in order, with at most one request a broker for each distinct At
	// (one in all where the protocol allows it), or for each thousand partitions where the client is slow with more.
	ListOffsets(ctx context.Context, queries []OffsetQuery) ([]OffsetAnswer, error)
	// Topics describes topics: those named, or with none named, every topic that the subscription matches.
	Topics(ctx context.Context, names ...string) ([]Topic, error)
	// Member says how the consumer stands in its group. It does not wait.
	Member() Member
	// Close leaves the group and frees the client. Listener.Revoked is called for what is still assigned. It returns
	// by the end of ctx at the latest, with an error when something had to be left behind.
	Close(ctx context.Context) error
}
