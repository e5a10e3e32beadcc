package esm

import (
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/filter"
	"github.com/esm-go/esm/internal/batch"
)

// recordFilter is FilterCriteria at work. It is immutable; each poll goroutine has its own scratch.
type recordFilter struct {
	set *filter.Set
	// deliverWrongKind keeps what the filter cannot look at; see WithDeliverWrongKind.
	deliverWrongKind bool
}

// compileFilter makes the filter of a mapping, nil when it has none.
func compileFilter(c *FilterCriteria, deliverWrongKind bool) (*recordFilter, error) {
	if c == nil || len(c.Filters) == 0 {
		return nil, nil
	}
	patterns := make([]string, len(c.Filters))
	for i, f := range c.Filters {
		patterns[i] = f.Pattern
	}
	set, err := filter.Compile(patterns, filter.WithMaxFilters(len(patterns)))
	if err != nil {
		return nil, err
	}
	return &recordFilter{set, deliverWrongKind}, nil
}

// apply takes out of a run what does not match, in place, and answers how many of those were of the wrong kind. When
// little is left the survivors are copied, so that a few records do not keep a whole fetch in memory; the memory of the
// run's records is then left over.
func (f *recordFilter) apply(run *driver.Run, scratch *filter.Scratch) (wrongKind int, left []event.KafkaRecord) {
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
