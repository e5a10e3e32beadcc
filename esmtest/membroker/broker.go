package membroker

import (
	"fmt"
	"sync"
	"testing"

	"github.com/esm-go/esm/driver"
)

// Broker is an Apache Kafka broker in memory. Its methods are safe for concurrent use.
//
// A method that is asked for what is not there (a partition that a topic does not have, an unknown group) fails the
// test with Errorf and goes on as if it had not been called.
type Broker struct {
	tb   testing.TB
	opts brokerOptions

	// mu guards everything below and every topic, group and consumer of this broker. Nothing waits while holding it.
	mu        sync.Mutex
	topics    map[string]*topic
	groups    map[string]*group
	consumers []*consumer
	faults    faults
	topicIDs  uint64
	// topicChanges counts topics made, widened and deleted.
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

// FetchRecords bounds the records of one run that a Poll hands out. Default 500, at least 1.
func FetchRecords(n int) BrokerOption {
	return func(o *brokerOptions) { o.fetchRecords = max(n, 1) }
}

// FetchRuns bounds the runs (partitions) that one Poll hands out; partitions take turns. Default 0: as many as have
// something to hand out.
func FetchRuns(n int) BrokerOption {
	return func(o *brokerOptions) { o.fetchRuns = max(n, 0) }
}

// CommitInfo tells of one accepted commit of one partition.
type CommitInfo struct {
	Group, Member string
	driver.Commit
	// Owned says whether the member owned the partition. Kafka accepts the commit either way.
	Owned bool
}

// OnCommit calls f for every accepted commit of every partition, in the order in which the broker accepts them. f
// must not call the Broker.
func OnCommit(f func(CommitInfo)) BrokerOption {
	return func(o *brokerOptions) { o.onCommit = f }
}

// NewBroker returns an empty broker that lives as long as the test. A nil tb is allowed, for examples and programs:
// what would fail the test panics then.
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
		// What hangs on purpose would keep a test's consumers from closing.
		tb.Cleanup(b.Heal)
	}
	return b
}

// errorf fails the test for a call that makes no sense. The caller must not hold mu.
func (b *Broker) errorf(format string, args ...any) {
	if b.tb == nil {
		panic("esmtest: " + fmt.Sprintf(format, args...)) //nolint:forbidigo // documented: a nil testing.TB leaves no test to fail
	}
	b.tb.Helper()
	b.tb.Errorf("esmtest: "+format, args...)
}

// wakeAll makes every consumer look again. The caller holds mu.
func (b *Broker) wakeAll() {
	for _, c := range b.consumers {
		c.signal()
	}
}
