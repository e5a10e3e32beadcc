package esm

import (
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/start"
)

// part is one partition's records in a batch.
type part = batch.Part[*partition]

// partition is one partition for as long as this member owns it: an assignment makes one, a revocation or a loss ends
// it. Whoever finishes work for a partition checks alive first; there is no other fence. Owned by the loop.
type partition struct {
	driver.TopicPartition
	batch.Lane[*partition]
	alive bool
	// assignment is Member.Rebalances of when it was assigned: what a commit of its positions belongs to.
	assignment int64

	// phase says how far its life has come.
	phase phase
	// epoch is that of the last Start; runs of an earlier one are dropped.
	epoch uint64

	inflight *invocation // holds Work[0]
	sending  *handover   // so does this one

	// next is the offset behind the last one received; committed what the group has, -1 when nothing.
	next, committed int64
	leaderEpoch     int32     // of the last resolved record
	readEpoch       int32     // of the last one received, or what the last Start said
	end             int64     // of the log, -1 when not known
	seenAt          time.Time // when it was last confirmed; before that, when the assignment began
	behindAt        time.Time // since when there is known to be more than was received
	sampled         int64     // the end at the last evaluation, -1 at the first
	leaderless      bool      // the last lookup of the end had no answer for this partition
	// found is where to begin, while that is being committed. note is what commits say beside the position, words its
	// text; renote: the group's commit is to be written again though the position is the same.
	found  *start.Answer
	note   start.Note
	words  string
	renote bool
	// anew: the topic was made again; what the group has committed is of the old one.
	anew bool
	// gone is set when alive ends, for the commit goroutine: a position that was not sent yet is not sent any more.
	gone atomic.Bool

	failures     int // in a row, drives the backoff
	firstFailure time.Time
	lastErr      error
	headState

	pauses pauseReason // why the client does not fetch it; 0 = it does

	// marked: it stands in the loop's list of partitions to look at for a commit.
	marked bool
	// moving: its client position does not exist, and a new one is being looked for. moves is how often that was so since
	// something was received.
	moving bool
	moves  int
}

// phase is how far a partition's life has come.
type phase uint8

const (
	// starting: held by the driver until its start offset is found and committed.
	starting phase = iota
	// running: fetched and handled.
	running
	// draining: about to be given away; nothing new is invoked.
	draining
)

// position is the offset to commit: that of the first unresolved record, or the next to be received when there is none.
// It is derived, not kept, so that nothing can make it pass an unresolved record.
func (p *partition) position() int64 {
	if r := p.Head(); r != nil {
		return r.Offset
	}
	return p.next
}

// dirty reports whether there is something to commit.
func (p *partition) dirty() bool { return p.phase != starting && p.position() != p.committed }

// pauseReason is a set of reasons for which a partition is not fetched.
type pauseReason uint8

const (
	pausedByUser pauseReason = 1 << iota
	pausedByBudget
	pausedByBreaker
	pausedAlone
)

// String names the reasons, comma-joined; empty when there is none.
func (r pauseReason) String() string {
	s := ""
	for _, x := range [...]struct {
		bit  pauseReason
		name string
	}{{pausedByUser, "paused"}, {pausedByBudget, "buffer full"}, {pausedByBreaker, "circuit open"}, {pausedAlone, "partition paused"}} {
		if r&x.bit != 0 {
			if s != "" {
				s += ","
			}
			s += x.name
		}
	}
	return s
}
