package start

import (
	"context"

	"github.com/esm-go/esm/driver"
)

// resolveSeek finds the offset of a place in the log of one partition, and the bounds of that log. Like findStarts, it
// looks up the end before it looks up a time. It answers as if the group had no commit: so the new position is committed
// even if it is the old one, and the distance does not count as committed records.
func (a *Asker) resolveSeek(ctx context.Context, q *Question) error {
	bounds, err := a.offsets(ctx, q.Names[0], driver.AtEarliest, driver.AtEnd)
	if err != nil {
		return err
	}
	found := bounds[1]
	q.Earliest, q.End = bounds[0].Offset, found.Offset
	if n, ok := q.Place.Offset(); ok {
		found.Offset, found.LeaderEpoch = n, -1
	} else if t, ok := q.Place.Time(); ok {
		at, err := a.offsets(ctx, q.Names[0], driver.OffsetAt(max(t.UnixMilli(), 0)))
		if err != nil {
			return err
		}
		if at[0].Offset < q.End {
			found = at[0]
		}
	} else if q.Place.IsEarliest() {
		found = bounds[0]
	}
	f := &q.Found[0]
	f.Offset, f.LeaderEpoch, f.Committed = found.Offset, found.LeaderEpoch, -1
	return nil
}

// offsets looks up several offsets of one partition.
func (a *Asker) offsets(ctx context.Context, tp driver.TopicPartition, at ...driver.OffsetAt) ([]driver.OffsetAnswer, error) {
	queries := make([]driver.OffsetQuery, len(at))
	for i := range at {
		queries[i] = driver.OffsetQuery{TopicPartition: tp, At: at[i]}
	}
	answers, err := a.Consumer.ListOffsets(ctx, queries)
	if err != nil {
		return nil, err
	}
	for i := range answers {
		if answers[i].Err != nil {
			return nil, answers[i].Err
		}
	}
	return answers, nil
}
