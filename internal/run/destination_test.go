package run

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/mapping"
)

// scriptedDestination calls answer first: an error is a failed send. It keeps what it acknowledged.
type scriptedDestination struct {
	mu     sync.Mutex
	got    []destination.Failure
	answer func(ctx context.Context, f *destination.Failure) error
}

func (d *scriptedDestination) Send(ctx context.Context, f *destination.Failure) error {
	if d.answer != nil {
		if err := d.answer(ctx, f); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got = append(d.got, *f)
	return nil
}

// offsets returns the acknowledged offsets of t-0, in order.
func (d *scriptedDestination) offsets() (all []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.got {
		for _, r := range f.Event.Records["t-0"] {
			all = append(all, r.Offset)
		}
	}
	return all
}

// poison fails every batch of partition 0.
func poison(_ context.Context, e event.KafkaEvent) error {
	if len(e.Records["t-0"]) > 0 {
		return errors.New("poison")
	}
	return nil
}

func poisonMapping(batch int) mapping.Mapping {
	m := memoryMapping()
	m.BatchSize, m.MaximumRetryAttempts = batch, new(1)
	return m
}

func TestGivenUpRecordsGoToTheDestination(t *testing.T) {
	inBubble(t, "after the retries, in order, with what the engine knows of them", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		d := &scriptedDestination{}
		r := newMapped(t, b, poisonMapping(2), poison, WithDestination(d)).start()
		b.Produce("t", membroker.Record{Partition: 0, Key: []byte("k"), Value: []byte("a")}, membroker.Record{Partition: 0, Value: []byte("b")},
			membroker.Record{Partition: 0, Value: []byte("c")}, membroker.Record{Partition: 1})
		pass(2 * time.Minute)
		if got := d.offsets(); len(got) != 3 || got[0] != 0 || got[1] != 1 || got[2] != 2 {
			t.Fatalf("the destination has %v", got)
		}
		f := d.got[0]
		if f.Condition != destination.RetryAttemptsExhausted || f.Invocations != 2 || f.Err == nil || f.Response == nil || f.Response.FunctionError != "Unhandled" ||
			f.FunctionARN != "f" || string(f.Event.Records["t-0"][0].Key) != "k" {
			t.Errorf("%+v", f)
		}
		group := r.runner.Status().ConsumerGroupId
		if c := b.Committed(group, "t", 0).Offset; c != 3 {
			t.Errorf("committed %d, want 3", c)
		}
		if m := r.runner.Metrics(); m.OnFailureDestinationDeliveredEventCount != 3 || m.DroppedEventCount != 0 || m.OnFailureDestinationDeliveryErrorCount != 0 {
			t.Errorf("%+v", m)
		}
		r.mustStop()
	})
	inBubble(t, "down for a minute: nothing is committed past them, others go on", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		var mu sync.Mutex
		down := true
		d := &scriptedDestination{answer: func(context.Context, *destination.Failure) error {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return errors.New("the queue does not answer")
			}
			return nil
		}}
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
		group := r.runner.Status().ConsumerGroupId
		b.Produce("t", membroker.Record{Partition: 0}, membroker.Record{Partition: 1})
		pass(time.Minute)
		b.Produce("t", membroker.Record{Partition: 1})
		pass(time.Minute)
		if c := b.Committed(group, "t", 0).Offset; c > 0 {
			t.Errorf("committed %d before the destination had it", c)
		}
		if c := b.Committed(group, "t", 1).Offset; c != 2 {
			t.Errorf("the other partition is committed at %d, want 2", c)
		}
		s := r.runner.Status()
		if s.LastProcessingResult != "PROBLEM: the queue does not answer" || s.Destination.Failing != 1 || s.Metrics.OnFailureDestinationDeliveryErrorCount == 0 {
			t.Errorf("%q %+v", s.LastProcessingResult, s.Destination)
		}
		mu.Lock()
		down = false
		mu.Unlock()
		pass(5 * time.Minute)
		if c := b.Committed(group, "t", 0).Offset; c != 1 || len(d.offsets()) != 1 {
			t.Errorf("committed %d, the destination has %v", c, d.offsets())
		}
		if s := r.runner.Status(); len(s.Conditions) != 0 {
			t.Errorf("%v", s.Conditions)
		}
		r.mustStop()
	})
	for _, how := range []string{"a stop", "a revocation"} {
		inBubble(t, how+" while sending leaves them uncommitted, and they come again", func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			var mu sync.Mutex
			hang := true
			d := &scriptedDestination{answer: func(ctx context.Context, _ *destination.Failure) error {
				mu.Lock()
				wait := hang
				mu.Unlock()
				if wait {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}}
			r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
			group := r.runner.Status().ConsumerGroupId
			b.Produce("t", numbered(3)...)
			pass(time.Minute)
			mu.Lock()
			hang = how == "a stop"
			mu.Unlock()
			if how == "a stop" {
				begin := time.Now()
				r.mustStop()
				if took := time.Since(begin); took > 25*time.Second {
					t.Errorf("the stop took %v", took)
				}
				if c := b.Committed(group, "t", 0).Offset; c > 0 || len(d.offsets()) > 0 {
					t.Errorf("committed %d, the destination has %v", c, d.offsets())
				}
				return
			}
			b.Revoke(event.TopicPartition{Topic: "t"})
			pass(2 * time.Minute)
			if c := b.Committed(group, "t", 0).Offset; c != 3 || len(d.offsets()) != 3 {
				t.Errorf("committed %d, the destination has %v", c, d.offsets())
			}
			r.mustStop()
		})
	}
	inBubble(t, "too old, and too large", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &scriptedDestination{}
		m := poisonMapping(10)
		m.MaximumRecordAgeInSeconds = new(60)
		invoked := 0
		r := newMapped(t, b, m, func(context.Context, event.KafkaEvent) error { invoked++; return nil }, WithDestination(d)).start()
		b.Produce("t", membroker.Record{Timestamp: time.Now().Add(-time.Hour)}, membroker.Record{Value: make([]byte, 6<<20)}, membroker.Record{Value: []byte("good")})
		pass(time.Minute)
		if len(d.got) != 2 || d.got[0].Condition != destination.RecordAgeExceeded || d.got[0].Response != nil ||
			d.got[1].Condition != destination.MaximumPayloadSizeExceeded || d.got[1].Response != nil {
			t.Fatalf("%d failures", len(d.got))
		}
		if c := b.Committed(r.runner.Status().ConsumerGroupId, "t", 0).Offset; c != 3 || invoked != 1 {
			t.Errorf("committed %d after %d invocations", c, invoked)
		}
		r.mustStop()
	})
}

func TestDestinationsAreRefusedByNew(t *testing.T) {
	b := membroker.NewBroker(t)
	for name, want := range map[string]string{
		"arn:aws:sqs:eu-west-1:123456789012:failed": "WithDestinations",
		"kafka://failed": "cannot write",
	} {
		m := memoryMapping()
		m.DestinationConfig = &mapping.DestinationConfig{OnFailure: &mapping.Destination{Destination: name}}
		_, err := New(m, poison, options([]Option{WithDriver(b.Driver())}))
		var field *mapping.FieldError
		if !errors.As(err, &field) || field.Field != "DestinationConfig.OnFailure.Destination" {
			t.Errorf("%s: %v, want what has %q", name, err, want)
		}
	}
}

// The destination of a Runner cannot change: Update refuses it and changes nothing.
func TestUpdateOfTheDestinationIsRefused(t *testing.T) {
	b := membroker.NewBroker(t)
	m := memoryMapping()
	m.DestinationConfig = &mapping.DestinationConfig{OnFailure: &mapping.Destination{Destination: "arn:aws:sqs:eu-west-1:123456789012:failed"}}
	r, err := New(m, poison, options([]Option{WithDriver(b.Driver()), WithDestinations(resolver{})}))
	if err != nil {
		t.Fatal(err)
	}
	m.DestinationConfig = nil
	m.BatchSize = 7
	if err := r.Update(m); !errors.Is(err, mapping.ErrImmutable) {
		t.Errorf("Update: %v", err)
	}
	if n := r.shared.Current.Load().BatchSize; n == 7 {
		t.Error("the rest was changed all the same")
	}
}

// resolver returns, for any name, a destination that accepts everything.
type resolver struct{}

func (resolver) Resolve(context.Context, string, destination.Source) (destination.Destination, error) {
	return &scriptedDestination{}, nil
}
