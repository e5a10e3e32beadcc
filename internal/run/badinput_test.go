package run

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/observe"
)

// Bad input to the engine. What New refuses is in TestHandlerEnds and the tests of Mapping.Validate; tests that need a
// client and its network are in internal/integration.

func TestUnreachableBroker(t *testing.T) {
	inBubble(t, "Run goes on trying, says so, and works when the broker is there", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		b.Stop()
		var said []observe.ErrorInfo
		r := newMapped(t, b, memoryMapping(), nil, WithHooks(observe.Hooks{Error: func(i observe.ErrorInfo) { said = append(said, i) }})).launch()
		pass(10 * time.Minute)
		var source *driver.Error
		if len(said) == 0 || said[0].LastProcessingResult != condition.ResultConnection || !errors.As(said[0].Err, &source) || source.Kind != driver.KindUnavailable {
			t.Errorf("Hooks.Error was told %+v", said)
		}
		if s := r.runner.Status(); s.State != observe.Creating || s.LastProcessingResult != condition.ResultConnection || len(s.Partitions) != 0 {
			t.Errorf("status %+v", s)
		}
		b.Start()
		<-r.runner.Ready()
		pass(5 * time.Second)
		if got := r.seen(0); got != "[0 1 2]" || r.runner.Status().LastProcessingResult != condition.ResultOK {
			t.Errorf("handled %s; %s", got, r.runner.Status().LastProcessingResult)
		}
		r.mustStop()
	})
	inBubble(t, "it is lost while records are in flight: they are handled, and committed once it is back", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		r := newMapped(t, b, memoryMapping(), func(ctx context.Context, _ event.KafkaEvent) error { return obedient(ctx, 10*time.Second) }).start()
		pass(5 * time.Second)
		b.Stop()
		pass(time.Minute)
		if n := len(r.events()); n != 1 {
			t.Errorf("%d invocations", n)
		}
		b.Start()
		pass(time.Minute)
		if got := r.seen(0); got != "[0 1 2]" || b.Committed("", "t", 0).Offset != 3 {
			t.Errorf("handled %s, committed %d", got, b.Committed("", "t", 0).Offset)
		}
		r.mustStop()
	})
	inBubble(t, "a stop does not wait for it, and names the call that it leaves", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, memoryMapping(), nil).start()
		b.Stop()
		pass(time.Minute)
		begin := time.Now()
		err := r.stop()
		var stuck *observe.StuckError
		if d := time.Since(begin); d > 20*time.Second || err != nil && !errors.As(err, &stuck) {
			t.Errorf("Run: %v after %v", err, d)
		}
	})
}

func TestDeletedTopic(t *testing.T) {
	inBubble(t, "the mapping says so, the other topic goes on, and what was in flight holds nothing up", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		b.CreateTopic("u", 1)
		m := memoryMapping()
		m.Topics = []string{"t", "u"}
		var kinds []string
		r := newMapped(t, b, m, func(ctx context.Context, e event.KafkaEvent) error {
			if e.Records["t-0"] != nil {
				return obedient(ctx, 20*time.Second)
			}
			return nil
		}, WithMetadataMaxAge(5*time.Second), WithHooks(observe.Hooks{Error: func(i observe.ErrorInfo) {
			if e, ok := errors.AsType[*driver.Error](i.Err); ok {
				kinds = append(kinds, e.Kind.String()+" "+e.TopicPartition.Topic)
			}
		}})).start()
		b.Produce("t", numbered(2)...)
		pass(3 * time.Second)
		b.DeleteTopic("t")
		b.Produce("u", numbered(5)...)
		pass(2 * time.Minute)
		if k := b.Committed("", "u", 0).Offset; k != 5 {
			t.Errorf("the other topic is committed at %d, want 5", k)
		}
		if all := strings.Join(kinds, ","); !strings.Contains(all, driver.KindUnknownTopic.String()+" t") {
			t.Errorf("Hooks.Error was told %q", all)
		}
		s := r.runner.Status()
		if len(s.Partitions) != 1 || s.Partitions[0].Topic != "u" || s.InFlight != 0 || s.BufferedBytes != 0 {
			t.Errorf("status %+v", s)
		}
		if got := r.seen(0); got != "[0 1]" {
			t.Errorf("handled %s of the deleted topic, want what had come, once", got)
		}
		r.mustStop()
	})
}

// A handler that blocks holds up its own partition, but not the membership, other partitions or a revocation.
func TestBlockedHandlerHoldsNothingElse(t *testing.T) {
	inBubble(t, "for an hour, through a rebalance", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		b.Produce("t", numbered(1)...)
		release := make(chan struct{})
		r := newMapped(t, b, memoryMapping(), func(_ context.Context, e event.KafkaEvent) error {
			if e.Records["t-0"] != nil {
				<-release
			}
			return nil
		}, WithMaxPollInterval(30*time.Second)).start()
		pass(5 * time.Second)
		for range 12 {
			b.Produce("t", membroker.Record{Partition: 1})
			pass(5 * time.Minute)
		}
		b.Rebalance("")
		pass(time.Minute)
		if k := b.Committed("", "t", 1).Offset; k != 12 || b.Committed("", "t", 0).Offset != 0 {
			t.Errorf("committed %d of the other partition, %d of its own", k, b.Committed("", "t", 0).Offset)
		}
		if err := r.runner.Healthy(); err != nil {
			t.Errorf("Healthy: %v", err)
		}
		close(release)
		synctest.Wait()
		pass(time.Second)
		if k := b.Committed("", "t", 0).Offset; k != 1 {
			t.Errorf("committed %d in the end", k)
		}
		r.mustStop()
	})
}
