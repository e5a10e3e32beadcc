package run

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// unfetched returns the conditions of partitions for which the brokers send nothing.
func unfetched(s observe.Status) (list []observe.Condition) {
	for _, c := range s.Conditions {
		if c.Op == observe.OpFetch {
			list = append(list, c)
		}
	}
	return list
}

// A client reports nothing about a partition that a broker refuses to serve while the client itself retries. A stuck
// partition is a condition after a minute, with a log line every minute; it does not make the mapping unhealthy,
// because other partitions continue.
func TestPartitionsThatAreNotFetched(t *testing.T) {
	inBubble(t, "it begins, counts, and ends", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 4)
		log := new(logLines)
		r := newMapped(t, b, memoryMapping(), nil, log.option()).start()
		b.Produce("t", spread(8, 4)...)
		pass(5 * time.Second)
		first, second := b.Withhold("t", 2), b.Withhold("t", 1)
		b.Produce("t", spread(8, 4)...)
		log.warnings()
		pass(50 * time.Second)
		if s := r.runner.Status(); len(unfetched(s)) != 0 {
			t.Errorf("before a minute: %v", s.Conditions)
		}
		pass(75 * time.Second) // the log's end is known after a lag interval, and the condition begins a minute later
		s := r.runner.Status()
		all := unfetched(s)
		if len(all) != 1 || all[0].Kind != "not fetched" || !strings.Contains(all[0].Err.Error(), "2 partitions") || !strings.Contains(all[0].Err.Error(), "t-1 has been at offset 2 of 4") {
			t.Errorf("after a minute: %v", s.Conditions)
		}
		if s.LastProcessingResult != "OK" {
			t.Errorf("the last result is %q", s.LastProcessingResult)
		}
		pass(10 * time.Minute)
		if lines := log.with("not fetched"); len(lines) < 10 || log.worstMinute() > 6 {
			t.Errorf("%d lines, %d in the worst minute", len(lines), log.worstMinute())
		}
		if err := r.runner.Healthy(); err != nil {
			t.Errorf("unhealthy: %v", err)
		}
		second()
		pass(10 * time.Second)
		if all := unfetched(r.runner.Status()); len(all) != 1 || !strings.Contains(all[0].Err.Error(), "1 partition ") || !strings.Contains(all[0].Err.Error(), "t-2 ") {
			t.Errorf("with one of the two: %v", all)
		}
		first()
		pass(10 * time.Second)
		if all := unfetched(r.runner.Status()); len(all) != 0 {
			t.Errorf("with neither: %v", all)
		}
		if ends := log.with("a condition has ended"); len(ends) != 1 || !strings.Contains(ends[0], `kind="not fetched"`) || !strings.Contains(ends[0], "lasted=") {
			t.Errorf("the end is told by %q", ends)
		}
		if got := r.runner.Metrics().CommittedEventCount; got != 16 {
			t.Errorf("%d records are committed, want 16", got)
		}
		r.mustStop()
	})
	inBubble(t, "it ends with the assignment", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, memoryMapping(), nil).start()
		b.Withhold("t", 0)
		b.Produce("t", spread(1, 1)...)
		pass(3 * time.Minute)
		if all := unfetched(r.runner.Status()); len(all) != 1 {
			t.Errorf("conditions %v", all)
		}
		b.Lose()
		pass(10 * time.Second)
		if all := unfetched(r.runner.Status()); len(all) != 0 {
			t.Errorf("of the assignment before: %v", all)
		}
		r.mustStop()
	})
}

// A partition that is stuck for a known reason is not reported.
func TestStandingStillForAReason(t *testing.T) {
	hold := func(ctx context.Context, _ event.KafkaEvent) error { <-ctx.Done(); return ctx.Err() }
	for name, c := range map[string]struct {
		handler func(context.Context, event.KafkaEvent) error
		options []Option
		run     func(b *membroker.Broker, r *rig)
	}{
		"the mapping is paused": {run: func(b *membroker.Broker, r *rig) {
			r.runner.Pause()
			pass(time.Second)
			b.Produce("t", spread(4, 2)...)
		}},
		"the partition is paused": {run: func(b *membroker.Broker, r *rig) {
			if err := r.runner.PausePartition(context.Background(), event.TopicPartition{Topic: "t"}); err != nil {
				r.t.Error(err)
			}
			b.Produce("t", membroker.Record{Partition: 0})
		}},
		"a transaction is open": {run: func(b *membroker.Broker, _ *rig) {
			b.Begin().Produce("t", spread(4, 2)...)
		}},
		"nothing but markers": {run: func(b *membroker.Broker, _ *rig) { b.Gap("t", 0, 3) }},
		"a batch cannot be read": {run: func(b *membroker.Broker, _ *rig) {
			b.Corrupt("t", 0, 0)
			b.Produce("t", spread(4, 2)...)
		}},
		"the broker is away": {run: func(b *membroker.Broker, _ *rig) {
			release := b.Withhold("t", 0)
			b.Produce("t", spread(4, 2)...)
			pass(20 * time.Second) // its end is known
			b.Stop()
			release()
		}},
		"memory is full": {handler: hold, options: []Option{WithBufferBytes(1 << 20)}, run: func(b *membroker.Broker, _ *rig) {
			for range 20 {
				b.Produce("t", membroker.Record{Value: make([]byte, 256<<10)})
			}
		}},
		"the circuit is open": {handler: func(context.Context, event.KafkaEvent) error { return errors.New("no") },
			options: []Option{WithCircuitBreaker(Breaker{Failures: 1, Cooldown: time.Hour})}, run: func(b *membroker.Broker, _ *rig) {
				b.Produce("t", membroker.Record{Partition: 0})
				pass(time.Second)
				b.Produce("t", membroker.Record{Partition: 1})
			}},
	} {
		inBubble(t, name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 2)
			r := newMapped(t, b, memoryMapping(), c.handler, append(c.options, WithStopTimeout(0), WithLagInterval(time.Second))...).start()
			pass(time.Second)
			c.run(b, r)
			for range 20 {
				pass(10 * time.Second)
				if all := unfetched(r.runner.Status()); len(all) != 0 {
					t.Errorf("conditions %v", all)
				}
			}
			b.Heal()
			_ = r.stop()
			pass(time.Minute)
		})
	}
}

// A pause, or an outage that the client reported, restarts the minute.
func TestTheMinuteBeginsAnew(t *testing.T) {
	for name, c := range map[string]struct {
		begin, end func(b *membroker.Broker, r *rig)
	}{
		"after a pause":   {func(_ *membroker.Broker, r *rig) { r.runner.Pause() }, func(_ *membroker.Broker, r *rig) { r.runner.Resume() }},
		"after an outage": {func(b *membroker.Broker, _ *rig) { b.Stop() }, func(b *membroker.Broker, _ *rig) { b.Start() }},
	} {
		inBubble(t, name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			r := newMapped(t, b, memoryMapping(), nil, WithLagInterval(time.Second)).start()
			release := b.Withhold("t", 0)
			b.Produce("t", spread(1, 1)...)
			pass(30 * time.Second)
			c.begin(b, r)
			pass(5 * time.Minute)
			c.end(b, r)
			pass(50 * time.Second)
			if all := unfetched(r.runner.Status()); len(all) != 0 {
				t.Errorf("50 s after it: %v", all)
			}
			pass(30 * time.Second)
			if all := unfetched(r.runner.Status()); len(all) != 1 {
				t.Errorf("80 s after it: %v", all)
			}
			release()
			r.mustStop()
		})
	}
}

// A reader that moves is not stuck, even if it never reaches the end and returns nothing: its wait counts from the last
// fetch that brought something.
func TestAReaderThatMoves(t *testing.T) {
	inBubble(t, "all of it is filtered out", func(t *testing.T) {
		b := membroker.NewBroker(t, membroker.FetchRecords(1))
		b.CreateTopic("t", 1)
		m := memoryMapping()
		m.FilterCriteria = filtered(`{"value":{"wanted":[true]}}`)
		for range 60 {
			b.Produce("t", membroker.Record{Value: []byte(`{}`)})
		}
		b.Delay(membroker.OpPoll, 5*time.Second)
		r := newMapped(t, b, m, nil).start()
		for range 24 {
			pass(10 * time.Second)
			s := r.runner.Status()
			p := &s.Partitions[0]
			if all := unfetched(s); len(all) != 0 || p.Received >= p.End || p.Head.WaitsFor != observe.WaitFetch || s.Time.Sub(p.Head.Since) > 6*time.Second || p.OldestAge > 6*time.Second {
				t.Errorf("conditions %v; it is %v old, and waits for %q since %v", all, p.OldestAge, p.Head.WaitsFor, s.Time.Sub(p.Head.Since))
			}
		}
		b.Heal()
		r.mustStop()
	})
}
