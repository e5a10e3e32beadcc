package integration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

// patience limits every wait, to far more than is needed even on a busy machine.
const patience = 60 * time.Second

// env is a broker, and the driver to reach it with.
type env struct {
	*kafkatest.Client
	fake   *kafkatest.FakeCluster // nil on Apache Kafka
	driver driver.Driver
	group  string
}

// mapping returns a mapping of these topics that starts at the beginning and has no batching window.
func (e *env) mapping(topics ...string) esm.Mapping {
	return esm.Mapping{
		FunctionName:                      "f",
		SelfManagedEventSource:            esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: e.Bootstrap()}},
		SelfManagedKafkaEventSourceConfig: &esm.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: e.group},
		Topics:                            topics,
		BatchSize:                         100,
		MaximumBatchingWindowInSeconds:    new(int),
	}
}

// options returns the options that every Runner has here, to make the tests fast.
func (e *env) options() []esm.Option {
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("ESM_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	opts := []esm.Option{
		esm.WithDriver(e.driver), esm.WithLogger(log),
		esm.WithRetryBackoff(5*time.Millisecond, 50*time.Millisecond),
		esm.WithStopTimeout(5 * time.Second),
		esm.WithFetch(esm.Fetch{MaxWait: 100 * time.Millisecond}),
		esm.WithMetadataMaxAge(200 * time.Millisecond),
		esm.WithSessionTimeout(10 * time.Second),
	}
	if e.fake != nil {
		// Heartbeats are sent at a third of it, and members learn of a rebalance from them.
		opts = append(opts, esm.WithSessionTimeout(3*time.Second), esm.WithLagInterval(200*time.Millisecond))
	}
	return opts
}

// process is a running Runner, and everything that its handler and hooks were told.
type process struct {
	t      testing.TB
	runner *esm.Runner
	stop   context.CancelFunc
	ended  chan struct{} // closed when Run has returned
	err    error         // what it returned, after ended

	mu      sync.Mutex
	changed chan struct{}
	heard
}

// heard is what a process was told. The process's mu guards it.
type heard struct {
	records map[esm.TopicPartition][]esm.KafkaRecord // handled, in the order of the calls that returned nil
	batches []int                                    // records of each successful call
	errs    []esm.ErrorInfo
	lost    []esm.OffsetsLostInfo
	retries []esm.RetryInfo
	drops   []esm.DropInfo
	states  []esm.State
	owned   map[esm.TopicPartition]bool
	commits int
	misfits []string
}

// run starts a mapping with the handler h; nil means one that handles everything. The mapping ends with the
// test.
func (e *env) run(t testing.TB, m esm.Mapping, h esm.Handler, opts ...esm.Option) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan struct{}), changed: make(chan struct{}),
		heard: heard{records: map[esm.TopicPartition][]esm.KafkaRecord{}, owned: map[esm.TopicPartition]bool{}}}
	handler := func(ctx context.Context, event esm.KafkaEvent) error {
		if h != nil {
			if err := h(ctx, event); err != nil {
				return err
			}
		}
		p.note(func() { p.take(event) })
		return nil
	}
	all := append(append(e.options(), esm.WithHooks(p.hooks())), opts...)
	r, err := esm.New(m, handler, all...)
	if err != nil {
		t.Fatal(err)
	}
	p.runner = r
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	go func() {
		defer close(p.ended)
		p.err = r.Run(ctx)
	}()
	t.Cleanup(func() {
		p.stop()
		<-p.ended
	})
	return p
}

// take keeps a handled event, and checks that it is as documented.
func (p *process) take(event esm.KafkaEvent) {
	n := 0
	for key, records := range event.Records {
		for _, r := range records {
			tp := esm.TopicPartition{Topic: r.Topic, Partition: r.Partition}
			if key != tp.String() {
				p.misfits = append(p.misfits, fmt.Sprintf("a record of %s under %q", tp, key))
			}
			p.records[tp] = append(p.records[tp], r)
			n++
		}
	}
	p.batches = append(p.batches, n)
}

func (p *process) hooks() esm.Hooks {
	own := func(to bool) func(esm.AssignmentInfo) {
		return func(i esm.AssignmentInfo) {
			p.note(func() {
				for _, tp := range i.Partitions {
					if to {
						p.owned[tp] = true
					} else {
						delete(p.owned, tp)
					}
				}
			})
		}
	}
	return esm.Hooks{
		Error:       func(i esm.ErrorInfo) { p.note(func() { p.errs = append(p.errs, i) }) },
		OffsetsLost: func(i esm.OffsetsLostInfo) { p.note(func() { p.lost = append(p.lost, i) }) },
		Retry:       func(i esm.RetryInfo) { p.note(func() { p.retries = append(p.retries, i) }) },
		Drop:        func(i esm.DropInfo) { p.note(func() { p.drops = append(p.drops, i) }) },
		StateChange: func(i esm.StateInfo) { p.note(func() { p.states = append(p.states, i.To) }) },
		Commit:      func(esm.CommitInfo) { p.note(func() { p.commits++ }) },
		Assigned:    own(true), Revoked: own(false), Lost: own(false),
	}
}

// note changes what was heard, and wakes those who wait.
func (p *process) note(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

// look reads what was heard.
func look[T any](p *process, f func() T) T {
	p.mu.Lock()
	defer p.mu.Unlock()
	return f()
}

// until waits for a condition on what was heard.
func (p *process) until(what string, ok func() bool) {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		p.mu.Lock()
		good, changed := ok(), p.changed
		p.mu.Unlock()
		if good {
			return
		}
		select {
		case <-changed:
		case <-p.ended:
			if !look(p, ok) {
				p.t.Fatalf("%s: Run ended before: %v; %s", what, p.err, p)
			}
		case <-timeout:
			p.t.Fatalf("%s: not so in %v; %s", what, patience, p)
		}
	}
}

// eventually waits for a condition without a notification: it checks every few milliseconds.
func eventually(t testing.TB, what string, ok func() bool, also ...fmt.Stringer) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s: not so in %v; %v", what, patience, also)
		}
	}
}

// ready waits for Ready.
func (p *process) ready() *process {
	p.t.Helper()
	select {
	case <-p.runner.Ready():
	case <-p.ended:
		p.t.Fatalf("Run ended before it was ready: %v; %s", p.err, p)
	case <-time.After(patience):
		p.t.Fatalf("not ready in %v; %s", patience, p)
	}
	return p
}

// end stops the process and returns what Run returned.
func (p *process) end() error {
	p.t.Helper()
	p.stop()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("Run did not return; %s", p)
	}
	return p.err
}

// endClean stops the process, whose Run must return nil.
func (p *process) endClean() {
	p.t.Helper()
	if err := p.end(); err != nil {
		p.t.Errorf("Run: %v", err)
	}
	for _, m := range p.misfits {
		p.t.Error(m)
	}
}

// count returns the number of records handled.
func (p *process) count() int {
	n := 0
	for _, rs := range p.records {
		n += len(rs)
	}
	return n
}

// failed reports whether an error of this kind was reported.
func (p *process) failed(kind driver.Kind) bool {
	return slices.ContainsFunc(p.errs, func(i esm.ErrorInfo) bool {
		var e *driver.Error
		return errors.As(i.Err, &e) && e.Kind == kind
	})
}

// String is printed when a test fails.
func (p *process) String() string {
	status := p.runner.Status()
	p.mu.Lock()
	defer p.mu.Unlock()
	handled := map[string][2]int64{}
	for tp, rs := range p.records {
		handled[tp.String()] = [2]int64{int64(len(rs)), rs[len(rs)-1].Offset}
	}
	return fmt.Sprintf("handled (records, last offset) %v, owned %v, lost %v, errors %v, states %v, commits %d, status %+v",
		handled, slices.Collect(maps.Keys(p.owned)), p.lost, p.errs, p.states, p.commits, status)
}

// committed waits until the broker holds the wanted commits of the group.
func (e *env) committed(t testing.TB, topic string, want map[int32]int64, ps ...*process) {
	t.Helper()
	var last map[int32]int64
	also := []fmt.Stringer{seen(func() string { return fmt.Sprintf("the broker holds %v, want %v", last, want) })}
	for _, p := range ps {
		also = append(also, p)
	}
	eventually(t, "commits", func() bool {
		last = e.Committed(t, e.group, topic)
		return maps.Equal(last, want)
	}, also...)
}

// seen is a Stringer made of a func.
type seen func() string

func (s seen) String() string { return s() }

// fill writes n records "v0", "v1" … to a partition, with a producer that knows the topic as it is now.
func (e *env) fill(t testing.TB, topic string, partition int32, n int) {
	t.Helper()
	producer := e.Connect(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	defer producer.Close()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Partition: partition, Value: fmt.Appendf(nil, "v%d", i)}
	}
	if err := producer.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		t.Fatalf("produce to %s-%d: %v", topic, partition, err)
	}
}

// fillAll writes n records to each of a topic's partitions.
func (e *env) fillAll(t testing.TB, topic string, partitions int32, n int) {
	t.Helper()
	for p := range partitions {
		e.fill(t, topic, p, n)
	}
}
