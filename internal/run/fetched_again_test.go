package run

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/verdict"
)

// counting is a client that counts its records as they arrive.
func counting(b *membroker.Broker, records *atomic.Int64) *wire {
	return &wire{Driver: b.Driver(), brings: func(_ int, into *driver.Fetch) {
		for i := range into.Runs {
			records.Add(int64(len(into.Runs[i].Records)))
		}
	}}
}

// What is paused for two reasons is fetched when both have ended.
func TestPausedForTwoReasons(t *testing.T) {
	inBubble(t, "the mapping and the partition", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var fetched atomic.Int64
		r := newRig(t, b, defaults(), nil, WithDriver(counting(b, &fetched))).start()
		tp := event.TopicPartition{Topic: "t"}
		if err := r.runner.PausePartition(context.Background(), tp); err != nil {
			t.Fatal(err)
		}
		r.runner.Pause()
		pass(5 * time.Second)
		b.Produce("t", numbered(3)...)
		r.runner.Resume()
		pass(time.Minute)
		if n := fetched.Load(); n != 0 {
			t.Errorf("%d records were fetched of a partition that is paused", n)
		}
		if err := r.runner.ResumePartition(context.Background(), tp); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		if k := b.Committed("g", "t", 0).Offset; k != 3 {
			t.Errorf("committed %d when both have ended", k)
		}
		r.mustStop()
	})
}

// A stopping mapping fetches and looks up nothing more while its handlers finish.
func TestStopFetchesNothing(t *testing.T) {
	inBubble(t, "a handler that takes ten seconds", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var fetched atomic.Int64
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error { time.Sleep(12 * time.Second); return nil },
			WithDriver(counting(b, &fetched)), WithLagInterval(2*time.Second)).start()
		b.Produce("t", numbered(1)...)
		pass(time.Second)
		r.cancel()
		pass(time.Second)
		b.Produce("t", numbered(5)...)
		asked := b.Calls(membroker.OpTopics)
		pass(9 * time.Second)
		if n, more := fetched.Load(), b.Calls(membroker.OpTopics)-asked; n != 1 || more != 0 {
			t.Errorf("%d records were fetched, and %d questions asked in the stop", n-1, more)
		}
		if err := <-r.done; err != nil || b.Committed("g", "t", 0).Offset != 1 {
			t.Errorf("committed %d: %v", b.Committed("g", "t", 0).Offset, err)
		}
	})
}

// An open circuit with nothing in memory to try fetches again at the end of its cooldown, even if nothing else happens
// then.
func TestCooldownEndsByItself(t *testing.T) {
	inBubble(t, "all that failed was dropped", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		var good atomic.Bool
		var at atomic.Pointer[time.Time]
		s := defaults()
		s.BatchSize, s.Retry = 1, verdict.Policy{MaximumRetryAttempts: 0}
		// The scaling asks each loop every 10 s, and a loop that is asked looks at the circuit too. So the cooldown ends between.
		r := newRig(t, b, s, func(context.Context, event.KafkaEvent) error {
			if !good.Load() {
				return errors.New("no")
			}
			now := time.Now()
			at.CompareAndSwap(nil, &now)
			return nil
		}, WithCircuitBreaker(Breaker{Failures: 4, Cooldown: 33 * time.Second}), WithLagInterval(time.Hour)).start()
		b.Produce("t", membroker.Record{}, membroker.Record{Partition: 1}, membroker.Record{}, membroker.Record{Partition: 1})
		pass(5 * time.Second)
		if n := len(r.events()); n != 4 {
			t.Fatalf("%d invocations before it opens", n)
		}
		good.Store(true)
		b.Produce("t", membroker.Record{}, membroker.Record{Partition: 1})
		begun := time.Now()
		pass(10 * time.Minute)
		if when := at.Load(); when == nil || when.Sub(begun) > 29*time.Second {
			t.Errorf("the first invocation after the cooldown was at %v, and it began at %v at the latest", when, begun)
		}
		r.mustStop()
	})
}
