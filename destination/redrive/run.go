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

// Options configure a run. The zero value is ready to use.
type Options struct {
	// BatchSize is the maximum number of records in a batch, 1 to 10 000; default 100. A failure is never split: one
	// with more records is a batch by itself. A batch's event is at most 6 MB, unless it holds a single failure.
	BatchSize int
	// Rate is the maximum number of records per second that are passed on; 0 means no limit.
	Rate float64
	// Filter chooses the failures.
	Filter Filter
	// DryRun reads, reports and counts, but passes nothing on.
	DryRun bool
	// Records reads the records that failures only name. It may be nil if no failure needs it.
	Records Records
	// OnItem is called for each failure when it is settled. It must not block.
	OnItem func(Settled)
	// Grace is how long a batch in flight may still take after ctx ends; default 30 s.
	Grace time.Duration
}

// Records reads records from the topics that they came from. It omits records that no longer exist.
type Records interface {
	Fetch(ctx context.Context, offsets []destination.Offsets) ([]event.KafkaRecord, error)
}

// Outcome is the outcome of a failure.
type Outcome string

const (
	// Redriven: its records were processed, and it left the source. In a dry run: it would be passed on.
	Redriven Outcome = "redriven"
	// Returned: its records failed again, and it is back in the source.
	Returned Outcome = "returned"
	// PassedOver: the filter does not choose it.
	PassedOver Outcome = "passed over"
	// Gone: retention has deleted all of its records. It stays in the source.
	Gone Outcome = "gone"
	// Inexact: it only names a range, which may contain records that did not fail. It stays in the source.
	Inexact Outcome = "inexact"
	// Unreadable: it is not a failure document. It stays in the source.
	Unreadable Outcome = "unreadable"
)

// Settled is a failure with its outcome.
type Settled struct {
	*Item

	Outcome Outcome
	// Why is the target's error for a failure that was returned.
	Why error
}

// Report counts a run: failures by outcome, and records.
type Report struct {
	Failures map[Outcome]int
	// Records counts the records that were processed, RecordsGone those that no longer exist.
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

// maxPayload is Lambda's limit for an event.
const maxPayload = 6 << 20

// Run brings back the failures of a source. It ends when all failures that were there at the start have been read, when
// ctx ends, or when the target or the source is unavailable; the error says which. The report is valid in any case. Run
// does not close the source.
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

// choose settles the failures that are not passed on, and returns the others with their records.
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

// fetch reads the records of failures that only name them. A dry run can do without them, unless the filter looks at
// records.
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
		return errors.New("redrive: these failures only name their records, and no way to read them from their topic was given")
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

// release leaves failures where they are. In a dry run it does not even mark them as skipped.
func (r *run) release(ctx context.Context, items []*Item) error {
	if r.options.DryRun {
		return nil
	}
	if err := r.source.Release(ctx, items); err != nil {
		return fmt.Errorf("redrive: leave failures: %w", err)
	}
	return nil
}

// batch returns how many of the failures go into the next batch.
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

// handOver passes a batch to the target and settles it.
func (r *run) handOver(ctx context.Context, items []*Item) error {
	if r.options.DryRun {
		r.settled(items, Redriven, nil)
		return nil
	}
	e := eventOf(items)
	if err := r.wait(ctx, e); err != nil {
		return err
	}
	// A batch in flight may finish and be settled after ctx ends.
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
		// The error names none of these records, so all count as failed.
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

// settle stores the outcome of a batch.
func (r *run) settle(ctx context.Context, ok, failed []*Item, why error) error {
	if len(ok) > 0 {
		if err := r.source.Done(ctx, ok); err != nil {
			return fmt.Errorf("redrive: remove %d failures that were brought back: %w", len(ok), err)
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
