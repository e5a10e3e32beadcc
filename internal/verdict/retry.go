package verdict

import (
	"slices"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/observe"
)

// Policy is the mapping's policy on failures.
type Policy struct {
	// MaximumRetryAttempts is the mapping's parameter; -1 = no limit.
	MaximumRetryAttempts int
	Bisect               bool
	Partial              bool
}

// ItemsIn resolves the items of a partial failure against the parts of a batch: for each part, the sorted indexes of its
// failed records. ok is false if an item is not in the batch; the whole batch has failed then.
func ItemsIn[O any](parts []batch.Part[O], items []event.ItemID) (failed [][]int, ok bool) {
	failed = make([][]int, len(parts))
	for _, item := range items {
		i := slices.IndexFunc(parts, func(p batch.Part[O]) bool { return p.Key == item.Partition })
		if i < 0 {
			return nil, false
		}
		k, found := slices.BinarySearchFunc(parts[i].Records, item.Offset, func(r event.KafkaRecord, offset int64) int {
			switch {
			case r.Offset < offset:
				return -1
			case r.Offset > offset:
				return 1
			}
			return 0
		})
		if !found {
			return nil, false
		}
		failed[i] = append(failed[i], k)
	}
	for i := range failed {
		slices.Sort(failed[i])
		failed[i] = slices.Compact(failed[i])
	}
	return failed, true
}

// Apply decides what happens to a unit after an invocation with the given outcome: the units to try next, in order, or
// the records to give up, with the reason. items has the indexes of the failed records if the failure is partial.
func (pol Policy) Apply(u batch.Unit, out Outcome, partial bool, items []int, now time.Time) (next []batch.Unit, gone []event.KafkaRecord, why observe.DropReason) {
	if out == Succeeded || partial && len(items) == 0 {
		return nil, nil, 0
	}
	if partial {
		u.Keep(items)
	}
	if out == Interrupted {
		return []batch.Unit{u}, nil, 0
	}
	if u.FirstFailure.IsZero() {
		u.FirstFailure = now
	}
	u.Tries++
	switch {
	case out == Final:
		return nil, u.Records, observe.DropPermanent
	case out == Overloaded:
		return []batch.Unit{u}, nil, 0
	case pol.Bisect && !partial && len(u.Records) > 1:
		// Splitting uses no attempt: it isolates the record, whose attempts count from then on.
		a, b := u.Split(len(u.Records) / 2)
		return []batch.Unit{a, b}, nil, 0
	}
	u.Attempts++
	if pol.MaximumRetryAttempts >= 0 && u.Attempts > pol.MaximumRetryAttempts {
		return nil, u.Records, observe.DropRetriesExhausted
	}
	return []batch.Unit{u}, nil, 0
}
