package esm

import (
	"slices"
	"time"

	"github.com/esm-go/esm/event"
)

// unit is a piece of work of one partition: records that go to the handler together, with the history that they
// share. Every record of a unit failed as often as the unit did.
type unit struct {
	records     []event.KafkaRecord
	leaderEpoch int32
	arrived     time.Time // of the first record, here
	// size is the records' encoded size, held the memory that they keep alive.
	size, held int
	// own: nothing else is kept alive, the records are copies.
	own bool
	// kept: the records are the engine's alone, no handler was given them.
	kept bool
	// attempts counts the failed invocations that count for MaximumRetryAttempts, tries all of them.
	attempts     int
	tries        int
	firstFailure time.Time
}

// first returns the offset of the unit's head record.
func (u *unit) first() int64 { return u.records[0].Offset }

// last returns the offset of the unit's last record.
func (u *unit) last() int64 { return u.records[len(u.records)-1].Offset }

// split cuts the unit before its i-th record; both parts keep its history.
func (u *unit) split(i int) (a, b unit) {
	a, b = *u, *u
	a.records, b.records = u.records[:i:i], u.records[i:]
	a.size = encodedSize(a.records)
	a.held = int(int64(u.held) * int64(i) / int64(len(u.records)))
	b.size, b.held = u.size-a.size, u.held-a.held
	return a, b
}

// keep reduces the unit to the records at the given indexes, which are sorted. The memory that it holds stays what it
// was: the records share it.
func (u *unit) keep(indexes []int) {
	if len(indexes) == len(u.records) {
		return
	}
	records := make([]event.KafkaRecord, len(indexes))
	for k, i := range indexes {
		records[k] = u.records[i]
	}
	u.records, u.size = records, encodedSize(records)
}

// dropExpired takes out the records older than maxAge, by their timestamps, and returns them. A record without a
// timestamp never expires.
func (u *unit) dropExpired(now time.Time, maxAge time.Duration) []event.KafkaRecord {
	limit := now.Add(-maxAge).UnixMilli()
	expired := func(r event.KafkaRecord) bool { return r.Timestamp >= 0 && r.Timestamp < limit }
	if !slices.ContainsFunc(u.records, expired) {
		return nil
	}
	var gone []event.KafkaRecord
	var stay []int
	for i, r := range u.records {
		if expired(r) {
			gone = append(gone, r)
		} else {
			stay = append(stay, i)
		}
	}
	u.keep(stay)
	return gone
}

// retryPolicy is what the mapping says about failures.
type retryPolicy struct {
	// maxAttempts is MaximumRetryAttempts: -1 = no limit.
	maxAttempts int
	bisect      bool
	partial     bool
}

// itemsIn resolves the items of a partial failure against the parts of a batch: for each part the sorted indexes of
// its failed records. ok is false when an item is not in the batch: the whole batch has failed then.
func itemsIn(parts []part, items []event.ItemID) (failed [][]int, ok bool) {
	failed = make([][]int, len(parts))
	for _, item := range items {
		i := slices.IndexFunc(parts, func(p part) bool { return p.p.key == item.Partition })
		if i < 0 {
			return nil, false
		}
		k, found := slices.BinarySearchFunc(parts[i].records, item.Offset, func(r event.KafkaRecord, offset int64) int {
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

// apply says what becomes of a unit whose invocation ended with an outcome: the units to try next, in order, and the
// records to give up, with the reason. items are the indexes of the failed records when the failure is partial.
func (pol retryPolicy) apply(u unit, out outcome, partial bool, items []int, now time.Time) (next []unit, gone []event.KafkaRecord, why DropReason) {
	if out == succeeded || partial && len(items) == 0 {
		return nil, nil, 0
	}
	if partial {
		u.keep(items)
	}
	if out == interrupted {
		return []unit{u}, nil, 0
	}
	if u.firstFailure.IsZero() {
		u.firstFailure = now
	}
	u.tries++
	switch {
	case out == permanent:
		return nil, u.records, DropPermanent
	case out == throttled:
		return []unit{u}, nil, 0
	case pol.bisect && !partial && len(u.records) > 1:
		// Splitting uses no attempt: it isolates the record, then its attempts count.
		a, b := u.split(len(u.records) / 2)
		return []unit{a, b}, nil, 0
	}
	u.attempts++
	if pol.maxAttempts >= 0 && u.attempts > pol.maxAttempts {
		return nil, u.records, DropRetriesExhausted
	}
	return []unit{u}, nil, 0
}
