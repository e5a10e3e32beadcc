package run

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/scaling"
)

// each samples every second, keeps the samples, and does not change the workers.
type each struct {
	mu      sync.Mutex
	samples []scaling.Sample
}

func (e *each) Decide(s scaling.Sample) scaling.Decision {
	s.Partitions = append([]scaling.Partition(nil), s.Partitions...)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.samples = append(e.samples, s)
	return scaling.Decision{Workers: s.Bounds.MaximumWorkers, Pollers: s.Bounds.MinimumPollers, Next: time.Second,
		Reason: scaling.Reason{Kind: scaling.Steady, Lag: s.Lag()}}
}

func (e *each) all() []scaling.Sample {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.samples
}

func (e *each) last() *scaling.Sample {
	all := e.all()
	return &all[len(all)-1]
}

func blocked(ctx context.Context, _ event.KafkaEvent) error {
	<-ctx.Done()
	return ctx.Err()
}

// Partitions paused by the budget are not fetched: their lag comes from one request per evaluation, for all of them.
// Partitions that wait for records cost only the request of the lag interval.
func TestLagOfPausedPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 8)
		value := make([]byte, 100_000)
		for i := range 160 {
			b.Produce("t", membroker.Record{Partition: int32(i % 8), Value: value})
		}
		policy := new(each)
		r := newRig(t, b, small(), blocked, WithScaler(policy), WithBufferBytes(1<<20), WithStopTimeout(0)).start()
		pass(5 * time.Second)
		if s := r.runner.Status(); s.Partitions[0].Paused == "" || s.SumOffsetLag != 160 {
			t.Fatalf("want paused partitions with a lag of 160, got %d and %+v", s.SumOffsetLag, s.Partitions[0])
		}
		b.Produce("t", spread(80, 8)...)
		calls, samples := b.Calls(membroker.OpListOffsets), len(policy.all())
		pass(10 * time.Second)
		calls, samples = b.Calls(membroker.OpListOffsets)-calls, len(policy.all())-samples
		if calls > samples || calls < 5 {
			t.Errorf("%d requests in %d evaluations, want one each at most", calls, samples)
		}
		s := r.runner.Status()
		if m := s.Metrics; s.SumOffsetLag != 240 || s.MaxOffsetLag != 30 || s.OffsetLag["t"] != 240 || m.SumOffsetLag != 240 || m.MaxOffsetLag != 30 {
			t.Errorf("lag %d, %d, %v; metrics %+v", s.SumOffsetLag, s.MaxOffsetLag, s.OffsetLag, m)
		}
		got := policy.last()
		arrived := int64(0)
		for _, s := range policy.all() {
			arrived += s.Arrived()
		}
		// TestSampleOfWhatWaits checks what is buffered: here the budget may have admitted only what is in flight.
		if got.Lag() != 240 || arrived < 80 || got.Busy != s.InFlight || s.InFlight == 0 || got.BatchSize != 10 {
			t.Errorf("lag %d, arrived %d, busy %d, buffered %d", got.Lag(), arrived, got.Busy, got.BufferedBytes)
		}
		if d := got.OldestAge; d < 14*time.Second || d > 16*time.Second || s.OldestAge < d {
			t.Errorf("oldest age %v and %v, want 15 s", d, s.OldestAge)
		}
		r.mustStop()
	})
}

// The lag of a paused mapping grows in Status and Metrics, and its policy is not asked: what happened meanwhile is no
// evidence.
func TestLagOfAPausedMapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		policy := new(each)
		r := newRig(t, b, small(), nil, WithScaler(policy)).start()
		b.Produce("t", spread(20, 2)...)
		pass(5 * time.Second)
		r.runner.Pause()
		pass(5 * time.Second)
		asked := len(policy.all())
		if asked == 0 {
			t.Fatal("the policy was never asked")
		}
		for i := range 3 {
			b.Produce("t", spread(20, 2)...)
			pass(2 * pausedInterval)
			want := int64(20 * (i + 1))
			s := r.runner.Status()
			if m := s.Metrics; s.SumOffsetLag != want || s.OffsetLag["t"] != want || m.SumOffsetLag != want || m.MaxOffsetLag != want/2 {
				t.Errorf("lag %d, %v; metrics %d and %d; want %d", s.SumOffsetLag, s.OffsetLag, m.SumOffsetLag, m.MaxOffsetLag, want)
			}
		}
		if n := len(policy.all()); n != asked {
			t.Errorf("asked %d times while paused", n-asked)
		}
		r.runner.Resume()
		pass(2 * pausedInterval)
		all := policy.all()
		if len(all) == asked {
			t.Fatal("not asked after Resume")
		}
		for _, s := range all[asked:] {
			if s.Arrived() != 0 {
				t.Errorf("%d records count as arrived after the pause in which they did", s.Arrived())
			}
		}
		if s := r.runner.Status(); s.SumOffsetLag != 0 {
			t.Errorf("lag %d after Resume", s.SumOffsetLag)
		}
		r.mustStop()
	})
}

// Records in flight count as busy, and records that wait for a worker as buffered: 20 of 30 records.
func TestSampleOfWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		for range 30 {
			b.Produce("t", membroker.Record{Value: make([]byte, 1000)})
		}
		policy := new(each)
		r := newRig(t, b, small(), blocked, WithScaler(policy), WithStopTimeout(0)).start()
		pass(5 * time.Second)
		got := policy.last()
		if got.Lag() != 30 || got.Busy != 1 || got.BufferedBytes < 20_000 || got.BufferedBytes >= 30_000 {
			t.Errorf("lag %d, busy %d, buffered %d; want 30, 1 and 20 records of over 1000 bytes", got.Lag(), got.Busy, got.BufferedBytes)
		}
		r.mustStop()
	})
}

func TestIdlePartitionsAreNotLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 8)
		b.Produce("t", spread(80, 8)...)
		policy := new(each)
		r := newRig(t, b, small(), nil, WithScaler(policy)).start()
		pass(10 * time.Second)
		calls := b.Calls(membroker.OpListOffsets)
		pass(50*time.Minute + 10*time.Second)
		if n := b.Calls(membroker.OpListOffsets) - calls; n < 49 || n > 51 {
			t.Errorf("%d requests in 50 minutes, want one each", n)
		}
		if s := r.runner.Status(); s.Scaling.LagAge > time.Second || s.OldestAge != 0 || s.SumOffsetLag != 0 {
			t.Errorf("age of the lag %v, %+v", s.Scaling.LagAge, s)
		}
		r.mustStop()
	})
}

// While ListOffsets fails or is not answered, the last decision stays in force and Status says how old the lag is.
func TestLagThatCannotBeLookedUp(t *testing.T) {
	for name, fault := range map[string]func(*membroker.Broker) (heal func()){
		"no answer": func(b *membroker.Broker) func() { return b.Hang(membroker.OpListOffsets) },
		"error": func(b *membroker.Broker) func() {
			b.Fail(membroker.OpListOffsets, 1000, &driver.Error{Kind: driver.KindUnavailable, Err: errors.New("away")})
			return b.Heal
		},
	} {
		inBubble(t, name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 8)
			value := make([]byte, 100_000)
			for i := range 160 {
				b.Produce("t", membroker.Record{Partition: int32(i % 8), Value: value})
			}
			var lagErrors atomic.Int64
			r := newRig(t, b, small(), blocked, WithScaler(new(scaling.Drain)), WithBufferBytes(1<<20), WithStopTimeout(0),
				WithHooks(observe.Hooks{Error: func(i observe.ErrorInfo) {
					if i.Op == "lag" {
						lagErrors.Add(1)
					}
				}})).start()
			pass(10 * time.Second)
			before := r.runner.Status()
			heal := fault(b)
			calls := b.Calls(membroker.OpListOffsets)
			pass(40 * time.Second)
			s := r.runner.Status()
			if s.Scaling.Reason.Kind != scaling.Stale || s.Scaling.Target != before.Scaling.Target {
				t.Errorf("%v, target %v, before %v", s.Scaling.Reason, s.Scaling.Target, before.Scaling.Target)
			}
			if s.Scaling.LagAge < 35*time.Second || s.Scaling.LagAge > 45*time.Second {
				t.Errorf("the lag is said to be %v old, want 40 s", s.Scaling.LagAge)
			}
			if time.Since(s.Scaling.Decided) > 3*time.Second {
				t.Errorf("no evaluation for %v: it waits for the brokers", time.Since(s.Scaling.Decided))
			}
			if n := b.Calls(membroker.OpListOffsets) - calls; n > 40 || lagErrors.Load() != 1 {
				t.Errorf("%d requests, %d errors told", n, lagErrors.Load())
			}
			heal()
			pass(12 * time.Second)
			if s := r.runner.Status(); s.Scaling.Reason.Kind == scaling.Stale || s.Scaling.LagAge > 3*time.Second {
				t.Errorf("after the brokers came back: %v, %v old", s.Scaling.Reason, s.Scaling.LagAge)
			}
			r.mustStop()
		})
	}
}

// The lag stays correct when the log is truncated, the topic is recreated, a partition is taken over, and with
// transaction markers and compaction.
func TestLagThroughChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 4)
		b.Produce("t", spread(40, 4)...)
		policy := new(each)
		r := newRig(t, b, small(), nil, WithScaler(policy), WithLagInterval(5*time.Second)).start()
		settled := func(what string, want int64) {
			t.Helper()
			pass(20 * time.Second)
			s := r.runner.Status()
			if s.SumOffsetLag != want || policy.last().Lag() != want {
				t.Errorf("%s: lag %d, in the sample %d, want %d; %+v", what, s.SumOffsetLag, policy.last().Lag(), want, s.Partitions)
			}
			for _, p := range policy.last().Partitions {
				if p.Lag < 0 || p.Arrived < 0 {
					t.Errorf("%s: sample %+v", what, p)
				}
			}
		}
		settled("handled", 0)
		b.Gap("t", 0, 5)
		settled("markers", 0)
		b.Truncate("t", 1, 3)
		settled("truncated", 0)
		b.RecreateTopic("t")
		settled("made again", 0)
		b.Produce("t", spread(40, 4)...)
		settled("handled again", 0)
		other := newRig(t, b, small(), blocked, WithClientID("other"), WithStopTimeout(0)).start()
		pass(5 * time.Second)
		b.Produce("t", spread(40, 4)...)
		settled("half of it with another member that is stuck", 0)
		if n := other.runner.Status().SumOffsetLag; n != 20 {
			t.Errorf("the other member has a lag of %d, want 20", n)
		}
		other.mustStop()
		settled("taken over", 0)
		if n := len(policy.last().Partitions); n != 4 {
			t.Errorf("%d partitions", n)
		}
		r.mustStop()
	})
}

// A process without partitions says so, and starts to work when it gets some.
func TestZeroPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		a := newRig(t, b, small(), nil, WithClientID("a")).start()
		l := new(load)
		spare := newRig(t, b, small(), l.handle, WithClientID("b"), WithScaler(new(scaling.Drain))).start()
		pass(20 * time.Second)
		if s := spare.runner.Status(); s.Scaling.Reason.Kind != scaling.NoPartitions || s.Workers != 1 || s.Pollers != 1 {
			t.Errorf("%d workers, %d pollers, %v", s.Workers, s.Pollers, s.Scaling.Reason)
		}
		a.mustStop()
		b.Produce("t", numbered(100)...)
		pass(20 * time.Second)
		l.check(t, 100)
		spare.mustStop()
	})
}

// BenchmarkEvaluation measures one evaluation of 10,000 partitions by the engine and the policy, and the share of it
// that occupies the loop.
func BenchmarkEvaluation(b *testing.B) {
	broker := membroker.NewBroker(b)
	broker.CreateTopic("t", 10_000)
	r := newRig(b, broker, defaults(), nil, WithScaler(new(scaling.Drain)), WithLagInterval(0)).start()
	ended, end := context.WithCancel(context.Background())
	end()
	s := newScaler(r.runner, &fleet{r: r.runner, ctx: ended})
	s.decide()
	b.ReportAllocs()
	for b.Loop() {
		s.decide()
	}
	b.StopTimer()
	s.stop()
	if err := r.stop(); err != nil {
		b.Fatal(err)
	}
}
