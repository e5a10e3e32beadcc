package redrive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
)

// Options shape a run. The zero value is ready.
type Options struct {
	// BatchSize is how many records a batch has at most, 1 to 10 000; default 100. A failure is never cut: one of more
	// records is a batch alone. A batch's event is at most 6 MB, unless it is of a single failure.
	BatchSize int
	// Rate is how many records a second are handed over at most; 0 = no limit.
	Rate float64
	// Filter chooses the failures.
	Filter Filter
	// DryRun reads, tells and counts, and hands nothing over.
	DryRun bool
	// Records reads records again that failures only name, nil where that cannot be.
	Records Records
	// OnItem is called for each failure, when it is settled. It must not wait.
	OnItem func(Settled)
	// Grace is how long a batch under way may take after ctx ended; default 30 s.
	Grace time.Duration
}

// Records reads records from the topics that they are from. Those that are not there any more are left out.
type Records interface {
	Fetch(ctx context.Context, offsets []destination.Offsets) ([]event.KafkaRecord, error)
}

// Outcome is what became of a failure.
type Outcome string

const (
	// Redriven: its records were taken, and it left the source. In a dry run: it would be handed over.
	Redriven Outcome = "redriven"
	// Returned: its records failed again, and it is back in the source.
	Returned Outcome = "returned"
	// PassedOver: the filter does not choose it.
	PassedOver Outcome = "passed over"
	// Gone: retention took all of its records. It stays in the source.
	Gone Outcome = "gone"
	// Inexact: it only names a range, in which there may be records that did not fail. It stays in the source.
	Inexact Outcome = "inexact"
	// Unreadable: it is no failure's document. It stays in the source.
	Unreadable Outcome = "unreadable"
)

// Settled is a failure with what became of it.
type Settled struct {
	*Item

	Outcome Outcome
	// Why is the target's error of a failure that was returned.
	Why error
}

// Report counts a run: failures by outcome, and records.
type Report struct {
	Failures map[Outcome]int
	// Records were taken, RecordsGone were not there any more.
	Records, RecordsGone int
	// Conditions counts the failures that the filter chose.
	Conditions map[destination.Condition]int
}

// Read returns how many failures were read.
func (r *Report) Read() int {
	n := 0
	for _, c := range r.Failures {
		n += c
	}
	return n
}

// maxPayload is Lambda's limit of an event.
const maxPayload = 6 << 20

// Run brings the failures of a source back, until all were read that were there at its begin, ctx ends, or the target
// or the source is unavailable; the error says which. What it counted is in the report in any case. It does not close
// the source.
func Run(ctx context.Context, source Source, target Target, o Options) (Report, error) {
	if o.BatchSize == 0 {
		o.BatchSize = 100
	}
	if o.Grace <= 0 {
		o.Grace = 30 * time.Second
	}
	r := &run{source: source, target: target, options: o,
		report: Report{Failures: make(map[Outcome]int), Conditions: make(map[destination.Condition]int)}}
	if o.BatchSize < 1 || o.BatchSize > 10_000 {
		return r.report, fmt.Errorf("redrive: BatchSize is %d: 1 to 10000 are allowed", o.BatchSize)
	}
	if o.Rate < 0 {
		return r.report, fmt.Errorf("redrive: Rate is %v: it must not be negative", o.Rate)
	}
	var err error
	if r.filter, err = o.Filter.compile(); err != nil {
		return r.report, fmt.Errorf("redrive: %w", err)
	}
	if o.Rate > 0 {
		r.limit = rate.NewLimiter(rate.Limit(o.Rate), 1)
	}
	return r.report, r.all(ctx)
}

type run struct {
	source  Source
	target  Target
	options Options
	filter  *compiled
	limit   *rate.Limiter
	report  Report
}

func (r *run) all(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		items, err := r.source.Read(ctx, r.options.BatchSize)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("redrive: read failures: %w", err)
		}
		chosen, err := r.choose(ctx, items)
		if err != nil {
			return err
		}
		for len(chosen) > 0 {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			n := r.batch(chosen)
			if err := r.handOver(ctx, chosen[:n]); err != nil {
				return err
			}
			chosen = chosen[n:]
		}
	}
}

// choose settles what is not to be handed over, and returns the rest with its records.
func (r *run) choose(ctx context.Context, items []*Item) ([]*Item, error) {
	left := make(map[Outcome][]*Item)
	var suited []*Item
	for _, i := range items {
		switch {
		case i.Err != nil:
			left[Unreadable] = append(left[Unreadable], i)
		case !r.filter.takesDocument(i):
			left[PassedOver] = append(left[PassedOver], i)
		case !i.Exact:
			left[Inexact] = append(left[Inexact], i)
		default:
			suited = append(suited, i)
		}
	}
	if err := r.fetch(ctx, suited); err != nil {
		return nil, err
	}
	var chosen []*Item
	for _, i := range suited {
		r.report.RecordsGone += i.Gone
		switch {
		case i.Gone > 0 && i.Gone == i.Len():
			left[Gone] = append(left[Gone], i)
		case !r.filter.takesRecords(i):
			left[PassedOver] = append(left[PassedOver], i)
		default:
			chosen = append(chosen, i)
			r.report.Conditions[i.Document.Condition]++
		}
	}
	for outcome, items := range left {
		if err := r.release(ctx, items); err != nil {
			return nil, err
		}
		r.settled(items, outcome, nil)
	}
	return chosen, nil
}

// fetch reads the records of failures that only name them. A dry run can do without, unless the filter looks at them.
func (r *run) fetch(ctx context.Context, items []*Item) error {
	var all []destination.Offsets
	for _, i := range items {
		if i.Records == nil {
			all = append(all, i.Offsets...)
		}
	}
	switch {
	case len(all) == 0:
		return nil
	case r.options.Records != nil:
	case r.options.DryRun && !r.filter.needsRecords():
		return nil
	default:
		return errors.New("redrive: these failures only name their records, and nothing was given to read them from their topic with")
	}
	records, err := r.options.Records.Fetch(ctx, all)
	if err != nil {
		return fmt.Errorf("redrive: read the records of %d failures: %w", len(items), err)
	}
	byKey := make(map[string][]event.KafkaRecord)
	for _, record := range records {
		key := event.PartitionKey(record.Topic, record.Partition)
		byKey[key] = append(byKey[key], record)
	}
	for _, i := range items {
		if i.Records != nil {
			continue
		}
		i.Records = []event.KafkaRecord{}
		for _, o := range i.Offsets {
			for _, record := range byKey[o.Key()] {
				if o.Contains(record.Offset) {
					i.Records = append(i.Records, record)
				}
			}
		}
		i.Gone = i.Len() - len(i.Records)
	}
	return nil
}

// release leaves failures where they are. After a dry run they are not even passed over.
func (r *run) release(ctx context.Context, items []*Item) error {
	if r.options.DryRun {
		return nil
	}
	if err := r.source.Release(ctx, items); err != nil {
		return fmt.Errorf("redrive: leave failures: %w", err)
	}
	return nil
}

// batch returns how many of the failures go together.
func (r *run) batch(items []*Item) int {
	records, bytes := 0, 0
	for n, i := range items {
		records += len(i.Records)
		for k := range i.Records {
			bytes += i.Records[k].Size() + 1
		}
		if n > 0 && (records > r.options.BatchSize || bytes > maxPayload-4096) {
			return n
		}
	}
	return len(items)
}

// handOver hands a batch to the target and settles it.
func (r *run) handOver(ctx context.Context, items []*Item) error {
	if r.options.DryRun {
		r.settled(items, Redriven, nil)
		return nil
	}
	e := eventOf(items)
	if err := r.wait(ctx, e); err != nil {
		return err
	}
	// A batch under way may end, and be kept, after ctx did.
	graced, cancel := withGrace(ctx, r.options.Grace)
	defer cancel()
	err := r.deliver(graced, e, items)
	if err == nil {
		return r.settle(graced, items, nil, nil)
	}
	var unavailable *UnavailableError
	switch {
	case graced.Err() != nil:
		return fmt.Errorf("redrive: a batch took longer than the grace: %w", errors.Join(context.Cause(ctx), err))
	case errors.As(err, &unavailable):
		return fmt.Errorf("redrive: %w", err)
	}
	if some, ok := errors.AsType[*ItemsError](err); ok {
		if ok, failed := part(items, some.Items); len(failed) > 0 {
			return r.settle(graced, ok, failed, err)
		}
		// It names what is not there: all failed.
	}
	if len(items) == 1 {
		return r.settle(graced, nil, items, err)
	}
	half := len(items) / 2
	if err := r.handOver(ctx, items[:half]); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return r.handOver(ctx, items[half:])
}

// settle keeps what became of a batch.
func (r *run) settle(ctx context.Context, ok, failed []*Item, why error) error {
	if len(ok) > 0 {
		if err := r.source.Done(ctx, ok); err != nil {
			return fmt.Errorf("redrive: take %d failures out that were brought back: %w", len(ok), err)
		}
		for _, i := range ok {
			r.report.Records += len(i.Records)
		}
		r.settled(ok, Redriven, nil)
	}
	if len(failed) > 0 {
		if err := r.source.Return(ctx, failed); err != nil {
			return fmt.Errorf("redrive: put %d failures back that failed again: %w", len(failed), err)
		}
		r.settled(failed, Returned, why)
	}
	return nil
}

func (r *run) settled(items []*Item, outcome Outcome, why error) {
	r.report.Failures[outcome] += len(items)
	if r.options.OnItem == nil {
		return
	}
	for _, i := range items {
		r.options.OnItem(Settled{Item: i, Outcome: outcome, Why: why})
	}
}
