package membroker

import (
	"fmt"
	"sync"
	"testing"

	"github.com/esm-go/esm/driver"
)

// Broker is an Apache Kafka broker in memory. Its methods are safe for concurrent use.
//
// A call that names something that does not exist (a partition that a topic does not have, an unknown group)
// fails the test with Errorf and has no other effect.
type Broker struct {
	tb   testing.TB
	opts brokerOptions

	// mu guards everything below and every topic, group and consumer of this broker. Nothing blocks while
	// holding it.
	mu        sync.Mutex
	topics    map[string]*topic
	groups    map[string]*group
	consumers []*consumer
	faults    faults
	topicIDs  uint64
	// topicChanges counts topics created, grown and deleted.
	topicChanges uint64
	memberIDs    uint64
}

// BrokerOption changes how a Broker behaves.
type BrokerOption func(*brokerOptions)

type brokerOptions struct {
	fetchRecords int
	fetchRuns    int
	reuseLoad    int
	onCommit     func(CommitInfo)
}

// FetchRecords limits the records in one run that a Poll returns. Default 500, at least 1.
func FetchRecords(n int) BrokerOption {
	return func(o *brokerOptions) { o.fetchRecords = max(n, 1) }
}

// FetchRuns limits the runs (partitions) that one Poll returns; partitions take turns. Default 0: as many as
// have something to return.
func FetchRuns(n int) BrokerOption {
	return func(o *brokerOptions) { o.fetchRuns = max(n, 0) }
}

// CommitInfo describes one accepted commit of one partition.
type CommitInfo struct {
	Group, Member string
	driver.Commit
	// Owned reports whether the member owned the partition. Kafka accepts the commit either way.
	Owned bool
}

// OnCommit calls f for every accepted commit of every partition, in the order in which the broker accepts them. f
// must not call the Broker.
func OnCommit(f func(CommitInfo)) BrokerOption {
	return func(o *brokerOptions) { o.onCommit = f }
}

// NewBroker returns an empty broker that lives as long as the test. tb may be nil, in examples and programs:
// whatever would fail the test then panics.
func NewBroker(tb testing.TB, opts ...BrokerOption) *Broker {
	b := &Broker{
		tb:     tb,
		opts:   brokerOptions{fetchRecords: 500},
		topics: make(map[string]*topic),
		groups: make(map[string]*group),
		faults: newFaults(),
	}
	for _, o := range opts {
		o(&b.opts)
	}
	if tb != nil {
		// Deliberate hangs would keep a test's consumers from closing.
		tb.Cleanup(b.Heal)
	}
	return b
}

// errorf fails the test because of an invalid call. The caller must not hold mu.
func (b *Broker) errorf(format string, args ...any) {
	if b.tb == nil {
		panic("esmtest: " + fmt.Sprintf(format, args...)) //nolint:forbidigo // documented: a nil testing.TB leaves no test to fail
	}
	b.tb.Helper()
	b.tb.Errorf("esmtest: "+format, args...)
}

// wakeAll makes every consumer check again. The caller holds mu.
func (b *Broker) wakeAll() {
	for _, c := range b.consumers {
		c.signal()
	}
}
