package drivertest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/twmb/franz-go/pkg/kgo"
)

// producer opens a producer that is closed when the case ends.
func (k *kit) producer(change func(*driver.ProducerConfig)) driver.Producer {
	k.Helper()
	d, ok := k.target.Driver(k.env).(driver.ProducerDriver)
	if !ok {
		k.Fatalf("the driver %q is not a ProducerDriver", k.target.Driver(k.env).Name())
	}
	cfg := driver.ProducerConfig{BootstrapServers: k.env.Bootstrap, ClientID: "producer", Linger: time.Millisecond,
		Timeout: k.target.Patience, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	p, err := d.OpenProducer(cfg)
	if err != nil {
		k.Fatalf("OpenProducer: %v", err)
	}
	k.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), k.target.Patience)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			k.Errorf("Close: %v", err)
		}
	})
	return p
}

// answers collects the answers to records by their number.
type answers struct {
	mu   sync.Mutex
	errs map[int][]error
	wg   sync.WaitGroup
}

// of returns the callback of a record.
func (a *answers) of(i int) func(error) {
	a.wg.Add(1)
	return func(err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.errs == nil {
			a.errs = make(map[int][]error)
		}
		a.errs[i] = append(a.errs[i], err)
		if len(a.errs[i]) == 1 {
			a.wg.Done()
		}
	}
}

// wait returns when every record has an answer.
func (a *answers) wait(k *kit) {
	k.Helper()
	done := make(chan struct{})
	go func() { a.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(2 * k.target.Patience):
		k.Fatal("records without an answer")
	}
}

// produceOne writes a record and returns its answer.
func (k *kit) produceOne(p driver.Producer, r driver.OutRecord) error {
	k.Helper()
	var a answers
	p.Produce(k.ctx(), r, a.of(0))
	a.wait(k)
	return a.errs[0][0]
}

// read returns a topic's records, read through a separate client, once there are n.
func (k *kit) read(topic string, n int) []*kgo.Record {
	k.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.env.Bootstrap...), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(50*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		k.Fatal(err)
	}
	defer cl.Close()
	ctx := k.ctx()
	var all []*kgo.Record
	for len(all) < n && ctx.Err() == nil {
		all = append(all, cl.PollFetches(ctx).Records()...)
	}
	if len(all) != n {
		k.Fatalf("%s holds %d records, want %d", topic, len(all), n)
	}
	return all
}
