package observe_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
)

// A handler's call ends in one of these ways.
const (
	succeeds = iota
	fails
	throttled
	panics
	timesOut
	permanent
	partial
	ways
)

// call is the handler's record of one call.
type call struct {
	records  map[string][]int64 // offsets by "topic-partition"
	ends     int
	failing  map[string][]int64 // of a partial failure
	took     time.Duration
	attempt  int
	returned bool
}

// world records what happened in one run. Its counts come from the handler, the destination, the driver and the broker.
type world struct {
	s      script
	broker *membroker.Broker
	runner *esm.Runner

	mu         sync.Mutex
	rng        *rand.Rand
	produced   map[string]int           // by "topic-partition"
	filtered   map[string]map[int64]int // the offsets that the filter removes; 2 if the value is of the wrong kind
	calls      []*call
	calm       bool
	hold       chan struct{} // while it is not nil, a call waits for it
	poison     string        // the only failing "topic-partition" while it is set
	shelved    []string      // what the destination acknowledged, as "topic-partition offset"
	sends      int           // sends that it acknowledged
	full       int           // sends that it refused
	requests   int           // commits, refused or not
	committing time.Duration // how long they took
	commits    int           // accepted steps of committed offsets
	committed  map[string]int64
	changes    int // assignment changes that the driver reported
	reported   int
	refused    int
	lost       int64
	seen       map[string]float64 // exported while calls were held
	skipped    []int64            // of the first partition
}

func newWorld(s script) *world {
	w := &world{s: s, rng: rand.New(rand.NewPCG(s.Seed, 1)), produced: make(map[string]int), filtered: make(map[string]map[int64]int), committed: make(map[string]int64)}
	w.broker = membroker.NewBroker(nil, membroker.FetchRecords(7), membroker.OnCommit(w.onCommit))
	w.broker.CreateTopic("t", int32(s.Partitions))
	w.broker.Delay(membroker.OpCommit, 30*time.Millisecond)
	return w
}

func (w *world) lock() func() {
	w.mu.Lock()
	return w.mu.Unlock
}

func (w *world) mapping() esm.Mapping {
	m := esm.Mapping{
		FunctionName: "f", Topics: []string{"t"}, StartingPosition: esm.TrimHorizon, BatchSize: w.s.Batch, MaximumBatchingWindowInSeconds: new(w.s.Window),
		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"b:9092"}}},
		MaximumRetryAttempts:   new(w.s.Attempts), BisectBatchOnFunctionError: w.s.Bisect,
		SelfManagedKafkaEventSourceConfig: &esm.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: group},
	}
	if w.s.Partial {
		m.FunctionResponseTypes = []esm.FunctionResponseType{esm.ReportBatchItemFailures}
	}
	if w.s.Filter {
		m.FilterCriteria = &esm.FilterCriteria{Filters: []esm.Filter{{Pattern: `{"value":{"keep":[true]}}`}}}
	}
	return m
}

const group = "g"

func key(p int) string { return fmt.Sprintf("t-%d", p) }

// produce appends records to a partition: two in three match the filter, one in six is not JSON.
func (w *world) produce(p, n int) {
	unlock := w.lock()
	var records []membroker.Record
	for range n {
		offset, value := int64(w.produced[key(p)]), []byte(`{"keep":true}`)
		if w.filtered[key(p)] == nil {
			w.filtered[key(p)] = make(map[int64]int)
		}
		switch w.rng.IntN(6) {
		case 0:
			value, w.filtered[key(p)][offset] = []byte("text"), 2
		case 1:
			value, w.filtered[key(p)][offset] = []byte(`{"keep":false}`), 1
		}
		w.produced[key(p)]++
		records = append(records, membroker.Record{Partition: int32(p), Value: value})
	}
	unlock()
	w.broker.Produce("t", records...)
}

// onCommit counts the steps of the offsets that the broker accepted.
func (w *world) onCommit(c membroker.CommitInfo) {
	defer w.lock()()
	if before, ok := w.committed[c.String()]; ok {
		w.commits += int(c.Offset - before)
	}
	w.committed[c.String()] = c.Offset
}

const timeout = 3 * time.Minute // of an invocation

var errHandler = errors.New("the handler's")

// handle is the handler: it records what it gets, how long it runs and how it ends.
func (w *world) handle(ctx context.Context, e esm.KafkaEvent) error {
	began := time.Now()
	c := &call{records: make(map[string][]int64), failing: make(map[string][]int64)}
	if inv, ok := esm.InvocationFromContext(ctx); ok {
		c.attempt = inv.Attempt
	}
	unlock := w.lock()
	w.calls = append(w.calls, c)
	keys := slices.Sorted(maps.Keys(e.Records))
	for _, k := range keys {
		for i := range e.Records[k] {
			c.records[k] = append(c.records[k], e.Records[k][i].Offset)
		}
	}
	if !w.calm && w.rng.IntN(2) == 0 {
		c.ends = w.rng.IntN(ways)
	}
	if w.poison != "" && c.records[w.poison] != nil {
		c.ends = fails
	}
	if c.ends == partial && !w.s.Partial {
		c.ends = fails
	}
	sleep, hold := time.Duration(w.rng.IntN(400))*time.Millisecond, w.hold
	unlock()
	time.Sleep(sleep)
	if hold != nil {
		<-hold
	}
	if c.ends == timesOut {
		<-ctx.Done()
	}
	defer w.lock()()
	c.took, c.returned = time.Since(began), true
	switch c.ends {
	case succeeds:
		return nil
	case throttled:
		return esm.Throttled(errHandler)
	case panics:
		panic(errHandler)
	case timesOut:
		return ctx.Err()
	case permanent:
		return esm.Permanent(errHandler)
	case partial:
		var ids []esm.ItemID
		for _, k := range keys {
			for _, offset := range c.records[k] {
				if w.rng.IntN(3) == 0 || k == keys[0] && offset == c.records[k][0] {
					c.failing[k] = append(c.failing[k], offset)
					ids = append(ids, esm.ItemID{Partition: k, Offset: offset})
				}
			}
		}
		return esm.ItemFailures(ids...)
	}
	return errHandler
}

// Send is the on-failure destination: it refuses one in three until it is calm.
func (w *world) Send(_ context.Context, f *destination.Failure) error {
	defer w.lock()()
	if !w.calm && w.rng.IntN(3) == 0 {
		w.full++
		return errors.New("full")
	}
	w.sends++
	for k, records := range f.Event.Records {
		for i := range records {
			w.shelved = append(w.shelved, fmt.Sprint(k, " ", records[i].Offset))
		}
	}
	return nil
}

// counting is a driver that counts assignment changes and errors of reading.
type counting struct {
	driver.Driver
	w *world
}

func (d counting) Open(c driver.Config, l driver.Listener) (driver.Consumer, error) {
	of, err := d.Driver.Open(c, listener{l, d.w})
	if err != nil {
		return nil, err
	}
	return consumer{of, d.w}, nil
}

type consumer struct {
	driver.Consumer
	w *world
}

func (c consumer) Poll(ctx context.Context, into *driver.Fetch) error {
	err := c.Consumer.Poll(ctx, into)
	defer c.w.lock()()
	c.w.reported += len(into.Errors)
	return err
}

type listener struct {
	driver.Listener
	w *world
}

func (l listener) count() {
	defer l.w.lock()()
	l.w.changes++
}

func (l listener) Assigned(tps []driver.TopicPartition) {
	l.count()
	l.Listener.Assigned(tps)
}

func (l listener) Revoked(tps []driver.TopicPartition) {
	l.count()
	l.Listener.Revoked(tps)
}

func (l listener) Lost(tps []driver.TopicPartition) {
	l.count()
	l.Listener.Lost(tps)
}

// Commit counts requests, and how long they take.
func (c consumer) Commit(ctx context.Context, commits []driver.Commit) error {
	began := time.Now()
	err := c.Consumer.Commit(ctx, commits)
	defer c.w.lock()()
	c.w.requests++
	c.w.committing += time.Since(began)
	return err
}

func (w *world) options() []esm.Option {
	all := []esm.Option{esm.WithDriver(counting{w.broker.Driver(), w}), esm.WithSeed(w.s.Seed), esm.WithRetryBackoff(100*time.Millisecond, time.Second),
		esm.WithInvocationTimeout(timeout), esm.WithMetadataMaxAge(5 * time.Second)}
	if w.s.Destination {
		all = append(all, esm.WithDestination(w))
	}
	return all
}
