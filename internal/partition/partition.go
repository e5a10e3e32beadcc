package partition

import (
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/start"
)

// Part is one partition's records in a batch.
type Part = batch.Part[*Partition]

// Partition is one partition for as long as this member owns it: an assignment makes one, a revocation or a loss ends
// it. Whoever finishes work for a partition checks alive first; there is no other fence. Owned by the loop.
type Partition struct {
	driver.TopicPartition
	batch.Lane[*Partition]
	Alive bool
	// assignment is Member.Rebalances of when it was assigned: what a commit of its positions belongs to.
	Assignment int64

	// phase says how far its life has come.
	Phase Phase
	// epoch is that of the last Start; runs of an earlier one are dropped.
	Epoch uint64

	Inflight *Invocation // holds Work[0]
	Sending  *Handover   // so does this one

	// next is the offset behind the last one received; committed what the group has, -1 when nothing.
	Next, Committed int64
	LeaderEpoch     int32     // of the last resolved record
	ReadEpoch       int32     // of the last one received, or what the last Start said
	End             int64     // of the log, -1 when not known
	SeenAt          time.Time // when it was last confirmed; before that, when the assignment began
	BehindAt        time.Time // since when there is known to be more than was received
	Sampled         int64     // the end at the last evaluation, -1 at the first
	Leaderless      bool      // the last lookup of the end had no answer for this partition
	// StillSince is since when evaluations have found it at StillAt, although it is to be fetched and there is more.
	StillSince time.Time
	StillAt    int64
	// found is where to begin, while that is being committed. note is what commits say beside the position, words its
	// text; renote: the group's commit is to be written again though the position is the same.
	Found  *start.Answer
	Note   start.Note
	Words  string
	Renote bool
	// anew: the topic was made again; what the group has committed is of the old one.
	Anew bool
	// gone is set when alive ends, for the commit goroutine: a position that was not sent yet is not sent any more.
	Gone atomic.Bool

	Failures     int // in a row, drives the backoff
	FirstFailure time.Time
	LastErr      error
	HeadState

	Pauses PauseReason // why the client does not fetch it; 0 = it does

	// marked: it stands in the loop's list of partitions to look at for a commit.
	Marked bool
	// moving: its client position does not exist, and a new one is being looked for. moves is how often that was so since
	// something was received.
	Moving bool
	Moves  int
}

// Phase is how far a partition's life has come.
type Phase uint8

const (
	// Starting: held by the driver until its start offset is found and committed.
	Starting Phase = iota
	// Running: fetched and handled.
	Running
	// Draining: about to be given away; nothing new is invoked.
	Draining
)

// Position is the offset to commit: that of the first unresolved record, or the next to be received when there is none.
// It is derived, not kept, so that nothing can make it pass an unresolved record.
func (p *Partition) Position() int64 {
	if r := p.Head(); r != nil {
		return r.Offset
	}
	return p.Next
}

// Dirty reports whether there is something to commit.
func (p *Partition) Dirty() bool { return p.Phase != Starting && p.Position() != p.Committed }

// PauseReason is a set of reasons for which a partition is not fetched.
type PauseReason uint8

// The reasons.
const (
	ByUser PauseReason = 1 << iota
	ByBudget
	ByBreaker
	Alone
)

// String names the reasons, comma-joined; empty when there is none.
func (r PauseReason) String() string {
	s := ""
	for _, x := range [...]struct {
		bit  PauseReason
		name string
	}{{ByUser, "paused"}, {ByBudget, "buffer full"}, {ByBreaker, "circuit open"}, {Alone, "partition paused"}} {
		if r&x.bit != 0 {
			if s != "" {
				s += ","
			}
			s += x.name
		}
	}
	return s
}
