package start

import (
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// Question is a lookup at the brokers, and its answer. It changes nothing there.
type Question struct {
	Kind  Kind
	Names []driver.TopicPartition
	// Anew is, for each partition, whether its topic was recreated, which makes its commit meaningless.
	Anew  []bool
	Start Policy
	From  int64 // Move: the offset that does not exist
	// To is, for a Move, where the client found the log to diverge from what was read, or Nowhere.
	To    int64
	Tries int // failed attempts

	Found []Answer
	IDs   map[string][16]byte // Begin and IDs
	// Place is the target of a Seek. Earliest and End are the bounds of the log that it found.
	Place         event.LogPosition
	Earliest, End int64
	// Slow is whether a broker did not answer in time, so that the lookup should be split.
	Slow bool
	// Others has the fingerprints of other mappings in the group's commits.
	Others []string
	Err    error
}

// Kind is the kind of a lookup.
type Kind uint8

// The kinds of lookups.
const (
	Begin   Kind = iota + 1 // where newly assigned partitions begin
	Offsets                 // the starting offsets of partitions without a commit in the group
	Move                    // where to continue from a position that does not exist
	IDs                     // whether topics were recreated
	Topics                  // which topics exist when the mapping first asks
	Others                  // whether another mapping commits in this group
	Seek                    // the offset of a place in a log
)

const (
	// Timeout bounds one lookup.
	Timeout = 15 * time.Second
	// firstOffsetsTimeout bounds the first lookup of offsets. The bound doubles with each retry, up to Timeout.
	firstOffsetsTimeout = 4 * time.Second
)

// Nowhere stands for no offset.
const Nowhere = -1

// Policy is StartingPosition.
type Policy struct{ At driver.OffsetAt }

// Answer is what was found for one partition.
type Answer struct {
	Offset      int64
	LeaderEpoch int32
	Committed   int64 // the group's commit, -1 if there is none
	Note        Note  // what a commit should carry
	Noted       bool  // whether the group's commit carries it
	At          driver.OffsetAt
	Open        bool // whether Offset is still to be looked up, at At
	Anew        bool // whether the start cannot be committed before the client knows it
	Err         error
}
