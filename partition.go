package esm

import (
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/driver"
)

// partition is one partition for as long as this member owns it: an assignment makes one, a revocation or a loss ends
// it. Whoever finishes work for a partition checks alive first; there is no other fence. Owned by the loop.
type partition struct {
	driver.TopicPartition
	key      string // "topic-partition"
	overhead int    // what it adds to an event's JSON beside its records
	alive    bool

	// phase says how far its life has come.
	phase phase
	// epoch is that of the last Start; runs of an earlier one are dropped.
	epoch uint64

	// Received and not resolved, in order: what failed and waits to be tried again or is in flight, then the buffer.
	work     []unit
	buf      buffer
	inflight *invocation // holds work[0]

	// next is the offset behind the last one received; committed what the group has, -1 when nothing.
	next, committed int64
	leaderEpoch     int32     // of the last resolved record
	end             int64     // of the log, -1 when not known
	seenAt          time.Time // when it was last confirmed; before that, when the assignment began
	behindAt        time.Time // since when there is known to be more than was received
	sampled         int64     // the end at the last evaluation, -1 at the first
	leaderless      bool      // the last lookup of the end had no answer for this partition
	// found is where to begin, while that is being committed. note is what commits say beside the position, words its
	// text; renote: the group's commit is to be written again though the position is the same.
	found  *startAnswer
	note   note
	words  string
	renote bool
	// anew: the topic was made again; what the group has committed is of the old one.
	anew bool
	// gone is set when alive ends, for the commit goroutine: a position that was not sent yet is not sent any more.
	gone atomic.Bool

	failures     int // in a row, drives the backoff
	firstFailure time.Time
	lastErr      error

	pauses pauseReason // why the client does not fetch it; 0 = it does

	place queuePlace
	// marked: it stands in the loop's list of partitions to look at for a commit.
	marked bool
	// moving: its client position does not exist, and a new one is being looked for.
	moving bool
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
	if len(p.work) > 0 {
		return p.work[0].first()
	}
	if r := p.buf.first(); r != nil {
		return r.Offset
	}
	return p.next
}

// dirty reports whether there is something to commit.
func (p *partition) dirty() bool { return p.phase != starting && p.position() != p.committed }

// held is the memory that the partition's records keep alive.
func (p *partition) held() int {
	n := p.buf.held
	for i := range p.work {
		n += p.work[i].held
	}
	return n
}

// buffered is the number of records received and not resolved.
func (p *partition) buffered() int {
	n := p.buf.count
	for i := range p.work {
		n += len(p.work[i].records)
	}
	return n
}

// popWork takes the head unit out and puts what is left of it in its place.
func (p *partition) popWork(next ...unit) {
	switch len(next) {
	case 0:
		copy(p.work, p.work[1:])
		p.work[len(p.work)-1] = unit{}
		p.work = p.work[:len(p.work)-1]
	case 1:
		p.work[0] = next[0]
	default:
		p.work = append(next, p.work[1:]...)
	}
}

// pauseReason is a set of reasons for which a partition is not fetched.
type pauseReason uint8

const (
	pausedByUser pauseReason = 1 << iota
	pausedByBudget
	pausedByBreaker
)

// String names the reasons, comma-joined; empty when there is none.
func (r pauseReason) String() string {
	s := ""
	for _, x := range [...]struct {
		bit  pauseReason
		name string
	}{{pausedByUser, "paused"}, {pausedByBudget, "buffer full"}, {pausedByBreaker, "circuit open"}} {
		if r&x.bit != 0 {
			if s != "" {
				s += ","
			}
			s += x.name
		}
	}
	return s
}
