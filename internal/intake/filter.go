package intake

import (
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/filter"
	"github.com/esm-go/esm/internal/batch"
)

// Filter is FilterCriteria at work. It is immutable; each poll goroutine has its own scratch.
type Filter struct {
	set *filter.Set
	// deliverWrongKind keeps what the filter cannot look at; see esm.WithDeliverWrongKind.
	deliverWrongKind bool
}

// Compile makes the filter of a mapping's patterns, nil when there are none.
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

// apply takes out of a run what does not match, in place, and answers how many of those were of the wrong kind. When
// little is left the survivors are copied, so that a few records do not keep a whole fetch in memory; the memory of the
// run's records is then left over.
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
		clear(all[kept:]) // or they would keep what they point to
		run.Records = all[:kept:kept]
		return wrongKind, nil
	}
	return wrongKind, all
}
