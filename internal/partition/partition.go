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

// Partition is one partition for as long as this member owns it. An assignment creates it; a revocation or a loss ends
// it. Code that finishes work for a partition checks Alive first (the commit goroutine: Gone). The loop owns it.
type Partition struct {
	driver.TopicPartition
	batch.Lane[*Partition]
	Alive bool
	// Assignment is Member.Rebalances at the time of assignment. Commits of its positions belong to it.
	Assignment int64

	// Phase is how far its life has come.
	Phase Phase
	// Epoch is that of the last Start. Runs of an earlier epoch are dropped.
	Epoch uint64

	Inflight *Invocation // holds Work[0]
	Sending  *Handover   // as does this

	// Next is the offset after the last one received. Committed is the group's committed offset, -1 if there is none.
	Next, Committed int64
	LeaderEpoch     int32     // of the last resolved record
	ReadEpoch       int32     // of the last received record, or that of the last Start
	End             int64     // of the log, -1 if unknown
	SeenAt          time.Time // when End was last confirmed; before that, when the assignment began
	BehindAt        time.Time // when it became known that there is more than was received
	Sampled         int64     // the end at the last evaluation, -1 at the first
	Leaderless      bool      // the last lookup of the end had no answer for this partition
	// StillSince is when an evaluation first found it at StillAt, although it should be fetched and there is more.
	StillSince time.Time
	StillAt    int64
	// Found is the start, while it is being committed. Note is what commits carry in their metadata, and Words its text.
	// Renote is whether to write the group's commit again although the position is the same.
	Found  *start.Answer
	Note   start.Note
	Words  string
	Renote bool
	// Anew is whether the topic was recreated: the group's commit is of the old topic.
	Anew bool
	// Gone is set when Alive becomes false, for the commit goroutine: a position not yet sent is not sent any longer.
	Gone atomic.Bool

	Failures     int // in a row; determines the backoff
	FirstFailure time.Time
	LastErr      error
	HeadState

	Pauses PauseReason // why the client does not fetch it; 0 if it does

	// Marked is whether it is in the list of partitions to check for the next commit.
	Marked bool
	// Refused is whether its position was refused, and waits to be committed again.
	Refused bool
	// Moving is whether its position does not exist and a new one is being looked up. Moves is how many times that happened
	// since something was received.
	Moving bool
	Moves  int
}

// Phase is how far a partition's life has come.
type Phase uint8

const (
	// Starting is held by the driver until its start offset is found and committed.
	Starting Phase = iota
	// Running is fetched and handled.
	Running
	// Draining is about to be revoked; nothing new is invoked.
	Draining
)

// Position returns the offset to commit: that of the first unresolved record, or the next one to be received if there is
// none. It is derived, not stored, so nothing can make it pass an unresolved record.
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

// The reasons for a pause.
const (
	ByUser PauseReason = 1 << iota
	ByBudget
	ByBreaker
	Alone
)

// String returns the names of the reasons, comma-joined; empty if there is none.
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
