package esmtest

import (
	"testing"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest/membroker"
)

// The broker and its types.
type (
	// Broker is an Apache Kafka broker in memory. Its methods are safe for concurrent use. A call that names
	// something that does not exist fails the test with Errorf and has no other effect.
	//
	// Topics: CreateTopic, DeleteTopic, RecreateTopic, Load. Records: Produce, Begin (a transaction), DeleteRecords,
	// Truncate, Corrupt, Repair, Gap, Compact, MoveLeader, End. Groups: Committed, SetCommitted, Lag, Members,
	// Rebalance, Revoke, Lose.
	// Faults: Fail, Hang, Delay, Stop, Start, Heal, Report, Calls. Driver returns the driver for the broker.
	Broker = membroker.Broker
	// BrokerOption changes how a Broker behaves.
	BrokerOption = membroker.BrokerOption
	// Record is a record to produce.
	Record = membroker.Record
	// Tx is a transaction: Produce, then Commit or Abort.
	Tx = membroker.Tx
	// CommitInfo describes one accepted commit of one partition.
	CommitInfo = membroker.CommitInfo
	// MemberInfo describes a member of a group.
	MemberInfo = membroker.MemberInfo
	// Op names a call of a consumer, for fault injection.
	Op = membroker.Op
)

// The calls of a consumer that wait for the network.
const (
	OpPoll        = membroker.OpPoll
	OpCommit      = membroker.OpCommit
	OpCommitted   = membroker.OpCommitted
	OpListOffsets = membroker.OpListOffsets
	OpTopics      = membroker.OpTopics
	OpClose       = membroker.OpClose
)

// NewBroker returns an empty broker that lives as long as the test. tb may be nil, in examples and programs:
// whatever would fail the test then panics.
func NewBroker(tb testing.TB, opts ...BrokerOption) *Broker { return membroker.NewBroker(tb, opts...) }

// FetchRecords limits the records in one run that a Poll returns. Default 500, at least 1.
func FetchRecords(n int) BrokerOption { return membroker.FetchRecords(n) }

// FetchRuns limits the runs (partitions) that one Poll returns; partitions take turns. Default 0: as many as
// have something to return.
func FetchRuns(n int) BrokerOption { return membroker.FetchRuns(n) }

// ReuseLoad lets each partition of a Load topic return the same slices again after that many runs, for
// benchmarks. A receiver must never hold that many. Default 0: every run is fresh.
func ReuseLoad(runs int) BrokerOption { return membroker.ReuseLoad(runs) }

// OnCommit calls f for every accepted commit of every partition, in the order in which the broker accepts them. f
// must not call the Broker.
func OnCommit(f func(CommitInfo)) BrokerOption { return membroker.OnCommit(f) }

// Values returns a record without a key for each value, all for partition 0.
func Values(values ...string) []Record { return membroker.Values(values...) }

// Option connects a mapping to the broker: esm.WithDriver with its driver.
func Option(b *Broker) esm.Option { return esm.WithDriver(b.Driver()) }
