package commit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
)

const (
	// commitPace is the time from the start of one commit to the start of the next, as a multiple of the first one's
	// duration. So successive commits take a tenth of the time, which affects neither the broker nor the client.
	commitPace = 10
	// maxCommitPause limits that time when commits are slow.
	maxCommitPause = time.Second
	// commitPortion is how many positions go into one request. A coordinator writes the positions of a request as one
	// batch, and refuses all of them if it exceeds message.max.bytes (1 MiB by default). With the longest names of a topic
	// (249) and a group (200), 1,000 positions take half of that.
	commitPortion = 1000
)

// Request is one commit.
type Request struct {
	Commits []driver.Commit
	Parts   []*partition.Partition
	Began   time.Time
}

// Has reports whether the request has a position of a partition.
func (r *Request) Has(p *partition.Partition) bool {
	return slices.Contains(r.Parts, p)
}

// errGone is why a position is not sent any longer.
var errGone = errors.New("the assignment that the position belongs to has ended")

// Send commits any number of positions, except those whose assignment has ended before they are sent. Like the client's
// Commit, it returns a *driver.CommitError if some were refused. After any other error some may have been accepted.
func (r *Request) Send(ctx context.Context, client Client) error {
	all := make(map[event.TopicPartition]*driver.Error)
	living := make([]driver.Commit, 0, min(len(r.Commits), commitPortion))
	for from := 0; from < len(r.Commits); from += commitPortion {
		living = living[:0]
		for i := from; i < min(from+commitPortion, len(r.Commits)); i++ {
			if r.Parts[i].Gone.Load() {
				tp := r.Commits[i].TopicPartition
				all[tp] = &driver.Error{Kind: driver.KindStaleMember, TopicPartition: tp, Offset: -1, Err: errGone}
				continue
			}
			living = append(living, r.Commits[i])
		}
		if len(living) == 0 {
			continue
		}
		err := client.Commit(ctx, living)
		if refused, ok := errors.AsType[*driver.CommitError](err); ok {
			maps.Copy(all, refused.Partitions)
		} else if err != nil {
			return err
		}
	}
	if len(all) > 0 {
		return &driver.CommitError{Partitions: all}
	}
	return nil
}

// Pause returns when the next commit may begin, unless something waits for it. least is the least time between two.
func (r *Request) Pause(took, least time.Duration) time.Time {
	return r.Began.Add(max(min(commitPace*took, maxCommitPause), least))
}

// Add adds a partition's position.
func (r *Request) Add(p *partition.Partition, offset int64, leaderEpoch int32, words string) {
	r.Parts = append(r.Parts, p)
	r.Commits = append(r.Commits, driver.Commit{TopicPartition: p.TopicPartition, Offset: offset, LeaderEpoch: leaderEpoch, Metadata: words, Assignment: p.Assignment})
}
