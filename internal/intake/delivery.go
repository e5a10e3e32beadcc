package intake

import (
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/filter"
	"github.com/esm-go/esm/internal/size"
)

// Delivery is a fetch with what the poll goroutine computed about it.
type Delivery struct {
	driver.Fetch
	Sizes   []int // encoded size of each run
	Largest []int // encoded size of each run's largest record
	Read    []int // records of each run, before the filter
	Wrong   []int // of those, filtered out for their kind

	scratch filter.Scratch
}

// Prepare does the per-record work before the loop sees the fetch: it filters and measures. criteria may be nil.
func (d *Delivery) Prepare(criteria *Filter) {
	d.Sizes, d.Largest, d.Read, d.Wrong = d.Sizes[:0], d.Largest[:0], d.Read[:0], d.Wrong[:0]
	for i := range d.Runs {
		run := &d.Runs[i]
		read, wrong := len(run.Records), 0
		if criteria != nil && read > 0 {
			var left []event.KafkaRecord
			wrong, left = criteria.apply(run, &d.scratch)
			d.GiveBack(left)
		}
		total, largest := size.Run(run.Records)
		d.Sizes, d.Largest = append(d.Sizes, total), append(d.Largest, largest)
		d.Read, d.Wrong = append(d.Read, read), append(d.Wrong, wrong)
	}
}
