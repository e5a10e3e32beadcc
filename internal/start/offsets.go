package start

import (
	"context"
	"errors"
	"slices"

	"github.com/esm-go/esm/driver"
)

// resolveOthers reads the mapping fingerprints in the group's commits, except those of this member's own partitions.
func (a *Asker) resolveOthers(ctx context.Context, q *Question) error {
	topics, err := a.describe(ctx, q.Names)
	if err != nil {
		return err
	}
	commits, err := a.commitsOf(ctx, q.Names, topics)
	if err != nil {
		return err
	}
	own := make(map[driver.TopicPartition]bool, len(q.Names))
	for _, tp := range q.Names {
		own[tp] = true
	}
	for tp, c := range commits {
		if other := ParseNote(c.Metadata).Mapping; c.Err == nil && !own[tp] && other != "" && !slices.Contains(q.Others, other) {
			q.Others = append(q.Others, other)
		}
	}
	return nil
}

// findStarts finds the offsets of starts that are still open. It looks up the end of a log before it looks up a time: a
// record that arrives in between is after that end, and not skipped. A leader that does not answer delays the other
// leaders' partitions for as long as the first attempt takes. From then on the lookup is split.
func (a *Asker) findStarts(ctx context.Context, q *Question) {
	ctx, cancel := context.WithTimeout(ctx, min(Timeout, firstOffsetsTimeout<<min(q.Tries, 8)))
	defer cancel()
	var queries, ends []driver.OffsetQuery
	var index, timed []int
	for i, tp := range q.Names {
		f := &q.Found[i]
		queries, index = append(queries, driver.OffsetQuery{TopicPartition: tp, At: f.At}), append(index, i)
		if f.At >= 0 {
			ends, timed = append(ends, driver.OffsetQuery{TopicPartition: tp, At: driver.AtEnd}), append(timed, i)
		}
	}
	end := make(map[int]driver.OffsetAnswer, len(timed))
	ask := func(queries []driver.OffsetQuery, index []int, found func(i int, a driver.OffsetAnswer)) {
		if len(queries) == 0 {
			return
		}
		answers, err := a.Consumer.ListOffsets(ctx, queries)
		if err != nil {
			q.Slow = errors.Is(err, context.DeadlineExceeded)
		}
		for k, i := range index {
			f := &q.Found[i]
			if err != nil {
				f.Err = err
			} else if f.Err == nil {
				if f.Err = answers[k].Err; f.Err == nil {
					found(i, answers[k])
				}
			}
		}
	}
	ask(ends, timed, func(i int, a driver.OffsetAnswer) { end[i] = a })
	ask(queries, index, func(i int, a driver.OffsetAnswer) {
		f := &q.Found[i]
		if f.At >= 0 && end[i].Offset < a.Offset {
			a = end[i]
		}
		f.Offset, f.LeaderEpoch, f.Open = a.Offset, a.LeaderEpoch, false
	})
}

// resolveMove finds where to continue in the log of one partition, within its bounds.
func (a *Asker) resolveMove(ctx context.Context, q *Question) error {
	tp := q.Names[0]
	answers, err := a.Consumer.ListOffsets(ctx, []driver.OffsetQuery{{TopicPartition: tp, At: driver.AtEarliest}, {TopicPartition: tp, At: driver.AtEnd}})
	if err != nil {
		return err
	}
	f := &q.Found[0]
	first, end := answers[0], answers[1]
	if f.Err = first.Err; f.Err == nil {
		f.Err = end.Err
	}
	to := q.From
	if q.To != Nowhere {
		to = min(to, q.To)
	}
	f.Offset = min(max(to, first.Offset), end.Offset)
	if f.LeaderEpoch = -1; f.Offset == first.Offset {
		f.LeaderEpoch = first.LeaderEpoch
	}
	return nil
}
