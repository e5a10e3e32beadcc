package esmtest

import (
	"testing"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest/membroker"
)

// The broker and what belongs to it.
type (
	// Broker is an Apache Kafka broker in memory. Its methods are safe for concurrent use. A method that is asked for
	// what is not there fails the test with Errorf and goes on as if it had not been called.
	//
	// Topics: CreateTopic, DeleteTopic, RecreateTopic, Load. Records: Produce, Begin (a transaction), DeleteRecords,
	// Truncate, Corrupt, Repair, Gap, Compact, MoveLeader, End. Groups: Committed, SetCommitted, Lag, Members, Rebalance, Revoke, Lose.
	// Faults: Fail, Hang, Delay, Stop, Start, Heal, Report, Calls. Driver is the client that reaches it.
	Broker = membroker.Broker
	// BrokerOption changes how a Broker behaves.
	BrokerOption = membroker.BrokerOption
	// Record is a record to produce.
	Record = membroker.Record
	// Tx is a transaction: Produce, then Commit or Abort.
	Tx = membroker.Tx
	// CommitInfo tells of one accepted commit of one partition.
	CommitInfo = membroker.CommitInfo
	// MemberInfo describes a member of a group.
	MemberInfo = membroker.MemberInfo
	// Op names a call of a consumer, for faults on demand.
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

// NewBroker returns an empty broker that lives as long as the test. A nil tb is allowed, for examples and programs:
// what would fail the test panics then.
func NewBroker(tb testing.TB, opts ...BrokerOption) *Broker { return membroker.NewBroker(tb, opts...) }

// FetchRecords bounds the records of one run that a Poll hands out. Default 500, at least 1.
func FetchRecords(n int) BrokerOption { return membroker.FetchRecords(n) }

// FetchRuns bounds the runs (partitions) that one Poll hands out; partitions take turns. Default 0: as many as have
// something to hand out.
func FetchRuns(n int) BrokerOption { return membroker.FetchRuns(n) }

// ReuseLoad lets each partition of a Load topic hand out the same slices again after that many runs, for benchmarks;
// a receiver must never hold as many. Default 0: every run is fresh.
func ReuseLoad(runs int) BrokerOption { return membroker.ReuseLoad(runs) }

// OnCommit calls f for every accepted commit of every partition, in the order in which the broker accepts them. f
// must not call the Broker.
func OnCommit(f func(CommitInfo)) BrokerOption { return membroker.OnCommit(f) }

// Values returns a record without a key for each value, all for partition 0.
func Values(values ...string) []Record { return membroker.Values(values...) }

// Option makes a mapping reach the broker: esm.WithDriver of its driver.
func Option(b *Broker) esm.Option { return esm.WithDriver(b.Driver()) }
