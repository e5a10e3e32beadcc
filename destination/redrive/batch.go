package redrive

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/esm-go/esm/event"
)

// part divides failures into those with no failed record (ok) and the others.
func part(items []*Item, failed []event.ItemID) (ok, not []*Item) {
	for _, i := range items {
		if slices.ContainsFunc(i.Records, func(r event.KafkaRecord) bool { return slices.Contains(failed, r.ItemID()) }) {
			not = append(not, i)
		} else {
			ok = append(ok, i)
		}
	}
	return ok, not
}

// eventOf puts the records of failures into one event, sorted by offset and without duplicates.
func eventOf(items []*Item) event.KafkaEvent {
	e := event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, Records: make(map[string][]event.KafkaRecord)}
	for _, i := range items {
		if e.BootstrapServers == "" {
			e.BootstrapServers = i.Document.BootstrapServers
		}
		if s := i.Document.Event.EventSource; s != "" {
			e.EventSource, e.EventSourceARN = s, i.Document.EventSourceARN
		}
		for _, r := range i.Records {
			key := event.PartitionKey(r.Topic, r.Partition)
			e.Records[key] = append(e.Records[key], r)
		}
	}
	for key, records := range e.Records {
		slices.SortStableFunc(records, func(a, b event.KafkaRecord) int {
			switch {
			case a.Offset < b.Offset:
				return -1
			case a.Offset > b.Offset:
				return 1
			}
			return 0
		})
		// A failure may have been sent more than once.
		e.Records[key] = slices.CompactFunc(records, func(a, b event.KafkaRecord) bool { return a.Offset == b.Offset })
	}
	return e
}

// deliver sends a batch to the target.
func (r *run) deliver(ctx context.Context, e event.KafkaEvent, items []*Item) error {
	if to, ok := r.target.(*Topic); ok {
		return to.write(ctx, e, items)
	}
	return r.target.Redrive(ctx, e)
}

// wait enforces the rate.
func (r *run) wait(ctx context.Context, e event.KafkaEvent) error {
	if r.limit == nil {
		return nil
	}
	n := 0
	for _, records := range e.Records {
		n += len(records)
	}
	r.limit.SetBurst(max(n, 1))
	if err := r.limit.WaitN(ctx, n); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("redrive: %w", err)
	}
	return nil
}

// withGrace returns a context that ends the grace period after ctx does.
func withGrace(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(grace, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(out, func() { timer.Stop() })
	})
	return out, func() {
		stop()
		cancel(context.Canceled)
	}
}
