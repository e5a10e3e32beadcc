package intake

import (
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/filter"
	"github.com/esm-go/esm/internal/batch"
)

// Filter applies FilterCriteria. It is immutable; each poll goroutine has its own scratch.
type Filter struct {
	set *filter.Set
	// deliverWrongKind keeps records that the filter cannot examine; see esm.WithDeliverWrongKind.
	deliverWrongKind bool
}

// Compile returns the filter for a mapping's patterns, nil if there are none.
func Compile(patterns []string, deliverWrongKind bool) (*Filter, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	set, err := filter.Compile(patterns, filter.WithMaxFilters(len(patterns)))
	if err != nil {
		return nil, err
	}
	return &Filter{set, deliverWrongKind}, nil
}

// apply removes the records that do not match from a run, in place, and returns how many of those were of the wrong kind.
// If little is left, it copies the survivors, so that a few records do not keep a whole fetch in memory. It then returns
// the memory of the run's records as left.
func (f *Filter) apply(run *driver.Run, scratch *filter.Scratch) (wrongKind int, left []event.KafkaRecord) {
	all := run.Records
	kept, bytes := 0, 0
	for i := range all {
		r := &all[i]
		switch f.set.Match(scratch, r.Value) {
		case filter.Matched:
		case filter.WrongKind:
			if !f.deliverWrongKind {
				wrongKind++
				continue
			}
		default:
			continue
		}
		if kept != i {
			all[kept] = *r
		}
		kept++
		bytes += batch.Weight(r)
	}
	switch {
	case kept == 0:
		run.Records, run.Bytes = nil, 0
	case bytes < run.Bytes/4:
		run.Records, run.Bytes = batch.Detach(all[:kept])
	default:
		clear(all[kept:]) // otherwise they would keep alive what they point to
		run.Records = all[:kept:kept]
		return wrongKind, nil
	}
	return wrongKind, all
}
