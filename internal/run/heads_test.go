package run

import (
	"context"
	"errors"
	"hash/fnv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// Status names what the first record of a partition waits for, and since when.
func TestHeadSaysWhatItWaitsFor(t *testing.T) {
	failing := func(context.Context, event.KafkaEvent) error { return errors.New("no") }
	held := func(ctx context.Context, _ event.KafkaEvent) error { return obedient(ctx, time.Hour) }
	one := func(b *membroker.Broker) { b.Produce("t", numbered(1)...) }
	for _, c := range []struct {
		want    observe.Wait
		name    string
		handler shared.Handler
		mapping func(*mapping.Mapping)
		options []Option
		before  func(t *testing.T, b *membroker.Broker)
		hurt    func(t *testing.T, b *membroker.Broker, r *rig)
		// wait is the time until the check, since how long the record has waited by then; 0 means not checked exactly.
		wait, since time.Duration
	}{
		{want: observe.WaitNone, wait: time.Second},
		{want: observe.WaitStart, before: func(_ *testing.T, b *membroker.Broker) { b.Hang(membroker.OpCommitted) }, wait: 5 * time.Second, since: 5 * time.Second},
		{want: observe.WaitHandler, handler: held, hurt: func(_ *testing.T, b *membroker.Broker, _ *rig) { one(b) }, wait: 5 * time.Second, since: 5 * time.Second},
		{want: observe.WaitRetry, handler: failing, options: []Option{WithRetryBackoff(time.Minute, time.Minute)},
			hurt: func(_ *testing.T, b *membroker.Broker, _ *rig) { one(b) }, wait: 5 * time.Second, since: 5 * time.Second},
		{want: observe.WaitWindow, mapping: func(m *mapping.Mapping) { m.MaximumBatchingWindowInSeconds = new(60) },
			hurt: func(_ *testing.T, b *membroker.Broker, _ *rig) { one(b) }, wait: 5 * time.Second, since: 5 * time.Second},
		{want: observe.WaitPaused, hurt: func(_ *testing.T, b *membroker.Broker, r *rig) {
			r.runner.Pause()
			pass(time.Second)
			one(b)
		}, wait: 2 * time.Minute, since: 2*time.Minute + time.Second},
		{want: observe.WaitPaused, name: "alone, what is not fetched", hurt: func(t *testing.T, b *membroker.Broker, r *rig) {
			if err := r.runner.PausePartition(t.Context(), t0); err != nil {
				t.Error(err)
			}
			pass(time.Second)
			one(b)
		}, wait: 2 * time.Minute, since: 2*time.Minute + time.Second},
		{want: observe.WaitPaused, name: "alone, what was received", handler: failing, options: []Option{WithRetryBackoff(time.Minute, time.Minute)},
			hurt: func(t *testing.T, b *membroker.Broker, r *rig) {
				one(b)
				pass(time.Second)
				if err := r.runner.PausePartition(t.Context(), t0); err != nil {
					t.Error(err)
				}
			}, wait: 5 * time.Second, since: 5 * time.Second},
		{want: observe.WaitRebalance, handler: func(context.Context, event.KafkaEvent) error { time.Sleep(20 * time.Second); return nil },
			hurt: func(_ *testing.T, b *membroker.Broker, _ *rig) {
				one(b)
				pass(time.Second)
				b.Lose() // the handler of the previous assignment is still running
			}, wait: 5 * time.Second},
		{want: observe.WaitDestination, handler: failing, mapping: func(m *mapping.Mapping) { m.MaximumRetryAttempts = new(0) },
			options: []Option{WithDestination(takesNothing{})},
			hurt:    func(_ *testing.T, b *membroker.Broker, _ *rig) { one(b) }, wait: 5 * time.Second, since: 5 * time.Second},
		{want: observe.WaitCircuit, handler: failing, options: []Option{WithCircuitBreaker(Breaker{Failures: 1, Cooldown: time.Hour}), WithRetryBackoff(time.Millisecond, time.Millisecond)},
			hurt: func(_ *testing.T, b *membroker.Broker, _ *rig) { one(b) }, wait: 5 * time.Second, since: 5 * time.Second},
		{want: observe.WaitCircuit, name: "of what is not fetched", handler: failing, mapping: func(m *mapping.Mapping) { m.MaximumRetryAttempts = new(0) },
			options: []Option{WithCircuitBreaker(Breaker{Failures: 1, Cooldown: time.Hour})},
			hurt: func(_ *testing.T, b *membroker.Broker, _ *rig) {
				one(b)
				pass(time.Second)
				one(b)
			}, wait: 2 * time.Minute, since: 2*time.Minute + time.Second},
		{want: observe.WaitFetch, hurt: func(_ *testing.T, b *membroker.Broker, _ *rig) {
			one(b)
			pass(time.Second)
			b.Corrupt("t", 0, 1)
			one(b)
		}, wait: 2 * time.Minute},
	} {
		inBubble(t, string(c.want)+" "+c.name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			if c.before != nil {
				c.before(t, b)
			}
			m := memoryMapping()
			m.MaximumBatchingWindowInSeconds = new(0)
			if c.mapping != nil {
				c.mapping(&m)
			}
			r := newMapped(t, b, m, c.handler, append(c.options, WithStopTimeout(0))...).launch()
			pass(0)
			if c.hurt != nil {
				c.hurt(t, b, r)
			}
			pass(c.wait)
			s := r.runner.Status()
			if len(s.Partitions) != 1 {
				t.Fatalf("%d partitions", len(s.Partitions))
			}
			h := s.Partitions[0].Head
			if h.WaitsFor != c.want || h.Since.IsZero() != (c.want == observe.WaitNone) {
				t.Errorf("it waits for %q since %v, want %q", h.WaitsFor, h.Since, c.want)
			}
			if off := s.Time.Sub(h.Since) - c.since; c.since > 0 && (off < -500*time.Millisecond || off > 500*time.Millisecond) {
				t.Errorf("since %v, want %v", s.Time.Sub(h.Since), c.since)
			}
			b.Heal()
			_ = r.stop()      // some cases leave a handler or a call behind
			pass(time.Minute) // until that has ended
		})
	}
}

// takesNothing is a destination that acknowledges nothing.
type takesNothing struct{}

func (takesNothing) Send(context.Context, *destination.Failure) error { return errors.New("full") }

// A partition waits for a worker, for memory, or is being revoked: these cases need other partitions.
func TestHeadAmongOthers(t *testing.T) {
	find := func(t *testing.T, s observe.Status, want observe.Wait) observe.PartitionStatus {
		t.Helper()
		for _, p := range s.Partitions {
			if p.Head.WaitsFor == want {
				return p
			}
		}
		t.Errorf("none waits for %q:\n%s", want, s)
		return observe.PartitionStatus{}
	}
	inBubble(t, "worker", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		b.CreateTopic("u", 1)
		m := memoryMapping()
		m.Topics, m.StartingPosition = []string{"t", "u"}, "TRIM_HORIZON"
		r := newMapped(t, b, m, func(ctx context.Context, _ event.KafkaEvent) error { return obedient(ctx, time.Minute) }, WithWorkers(1)).start()
		pass(5 * time.Second)
		b.Produce("u", numbered(1)...)
		pass(5 * time.Second)
		p := find(t, r.runner.Status(), observe.WaitWorker)
		if waited := time.Since(p.Head.Since); p.Topic != "u" || waited < 4*time.Second || waited > 6*time.Second {
			t.Errorf("%v waited %v", p, waited)
		}
		r.mustStop()
	})
	inBubble(t, "rebalance", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		m := memoryMapping()
		m.BatchSize = 1
		r := newMapped(t, b, m, func(ctx context.Context, e event.KafkaEvent) error {
			if e.Records["t-0"] != nil {
				return obedient(ctx, 20*time.Second)
			}
			return errors.New("no")
		}, WithRetryBackoff(time.Hour, time.Hour), WithRevokeTimeout(time.Minute)).start()
		b.Produce("t", membroker.Record{}, membroker.Record{Partition: 1})
		pass(time.Second)
		b.Revoke()
		pass(5 * time.Second)
		p := find(t, r.runner.Status(), observe.WaitRebalance)
		if waited := time.Since(p.Head.Since); !p.Draining || waited < 4*time.Second || waited > 6*time.Second {
			t.Errorf("%v waited %v", p, waited)
		}
		pass(time.Minute)
		r.mustStop()
	})
}

// BenchmarkStatus measures the cost of Status for the caller, with 10,000 partitions that all have a failed record.
// BenchmarkSnapshot in package snapshot measures the cost for a loop.
func BenchmarkStatus(b *testing.B) {
	const partitions = 10_000
	broker := membroker.NewBroker(b)
	broker.Load("t", partitions, 2, membroker.Record{Key: []byte("customer-0123456789"), Value: make([]byte, 100)})
	s := defaults()
	s.BatchSize = 10_000
	var failed atomic.Int64
	r := newRig(b, broker, s, func(_ context.Context, e event.KafkaEvent) error {
		failed.Add(int64(len(e.Records)))
		return errors.New("no")
	}, WithLagInterval(0), WithRetryBackoff(time.Hour, time.Hour)).start()
	for failed.Load() < partitions {
		time.Sleep(10 * time.Millisecond)
	}
	cpu := func(b *testing.B, f func(*testing.B)) {
		b.ReportAllocs()
		before := cpuTime(b)
		f(b)
		b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
	}
	b.Run("Status", func(b *testing.B) {
		cpu(b, func(b *testing.B) {
			for range b.N {
				if s := r.runner.Status(); len(s.Partitions) != partitions || s.Partitions[0].Head.WaitsFor != observe.WaitRetry {
					b.Fatal(len(s.Partitions), s.Partitions[0].Head)
				}
			}
		})
	})
	b.Run("String", func(b *testing.B) {
		s := r.runner.Status()
		for range b.N {
			_ = s.String()
		}
	})
	if err := r.stop(); err != nil {
		b.Fatal(err)
	}
}

// WhoBlocks shows an operator the record, its key's hash (the key only if configured) and its errors; the worst
// partition comes first.
func TestWhoBlocks(t *testing.T) {
	key := []byte("customer-17")
	for _, shown := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 3)
			var options []Option
			if shown {
				options = append(options, WithHeadKeys())
			}
			var tries atomic.Int32
			first, last := errors.New("first failure"), errors.New("another\nfailure")
			r := newMapped(t, b, memoryMapping(), func(_ context.Context, e event.KafkaEvent) error {
				if e.Records["t-2"] == nil && e.Records["t-1"] == nil {
					return nil
				}
				if tries.Add(1) <= 2 {
					return first
				}
				return last
			}, append(options, WithRetryBackoff(10*time.Second, 10*time.Second))...).start()
			b.Produce("t", membroker.Record{Partition: 0})
			b.Produce("t", membroker.Record{Partition: 1})
			for range 5 {
				b.Produce("t", membroker.Record{Partition: 2, Key: key, Value: []byte("secret value"), Headers: []event.Header{{Key: "h", Value: []byte("xy")}}})
			}
			pass(25 * time.Second)
			s := r.runner.Status()
			all := s.WhoBlocks()
			if len(all) != 2 || all[0].Partition != 2 || all[1].Partition != 1 {
				t.Fatalf("who blocks: %v", all)
			}
			p := all[0]
			hash := fnv.New64a()
			hash.Write(key)
			if uint64(p.Head.KeyHash) != hash.Sum64() || p.Head.KeyHash != observe.HashKey(key) || all[1].Head.KeyHash != 0 {
				t.Errorf("key hash %v", p.Head.KeyHash)
			}
			if want := map[bool]string{true: string(key)}[shown]; p.Head.Key != want {
				t.Errorf("key %q", p.Head.Key)
			}
			if p.Head.Bytes != len(key)+len("secret value")+3 || p.Head.Tries < 2 || !errors.Is(p.Head.FirstError, first) || !errors.Is(p.LastError, last) || p.Position != 0 {
				t.Errorf("head %+v of %v", p.Head, p)
			}
			text := s.String()
			for _, want := range []string{"group " + s.ConsumerGroupId, "Enabled", "blocked: t-2 at offset 0 waits for its retry at ", "first: first failure", "last: another; failure",
				p.Head.KeyHash.String(), "lag 5"} {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q:\n%s", want, text)
				}
			}
			if strings.Contains(text, "secret value") || strings.Contains(text, string(key)) != shown {
				t.Errorf("it shows too much, or no key:\n%s", text)
			}
			r.mustStop()
		})
	}
}

// An invocation that runs far longer than earlier ones is listed while it runs.
func TestSlowInvocation(t *testing.T) {
	inBubble(t, "after twenty quick ones", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := memoryMapping()
		m.BatchSize = 1
		var began time.Time
		calls := 0
		r := newMapped(t, b, m, func(ctx context.Context, _ event.KafkaEvent) error {
			if calls++; calls == 25 {
				began = time.Now()
				return obedient(ctx, time.Minute)
			}
			return obedient(ctx, 100*time.Millisecond)
		}).start()
		b.Produce("t", numbered(30)...)
		pass(3 * time.Second)
		if s := r.runner.Status(); len(s.Slow) != 0 {
			t.Errorf("too early: %v", &s.Slow[0])
		}
		pass(10 * time.Second)
		s := r.runner.Status()
		if len(s.Slow) != 1 {
			t.Fatalf("%d slow ones", len(s.Slow))
		}
		i := s.Slow[0]
		if i.Partitions["t-0"] != (observe.OffsetRange{First: 24, Last: 24}) || !i.Since.Equal(began) || i.Records != 1 || i.Usual != 100*time.Millisecond {
			t.Errorf("%+v", i)
		}
		if text := s.String(); !strings.Contains(text, "slow: invocation 25 of t-0[24..24] has been running since ") {
			t.Errorf("it is not named:\n%s", text)
		}
		pass(time.Minute)
		if s := r.runner.Status(); len(s.Slow) != 0 {
			t.Error("it is named though it has ended")
		}
		r.mustStop()
	})
}
