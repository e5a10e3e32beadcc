package start

import (
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// Question is a question about offsets, and its answer. It changes nothing at the broker.
type Question struct {
	Kind  Kind
	Names []driver.TopicPartition
	// Anew: of each partition, whether its topic was made again, so that its commit means nothing.
	Anew  []bool
	Start Policy
	From  int64 // Move: the offset that does not exist
	// To is where the client found the log to part from what was read, Nowhere when it did not: of a Move.
	To    int64
	Tries int // those that failed

	Found []Answer
	IDs   map[string][16]byte // Begin and IDs
	// Place is where a Seek leads, Earliest and End are the bounds of the log that it found.
	Place         event.LogPosition
	Earliest, End int64
	// Slow: a broker did not answer in time, and the partitions that had to wait for it are to be asked for apart.
	Slow bool
	// Others are the fingerprints of other mappings in the group's commits.
	Others []string
	Err    error
}

// Kind is what is asked.
type Kind uint8

// What can be asked.
const (
	Begin   Kind = iota + 1 // where newly assigned partitions begin
	Offsets                 // the offsets at which those begin that the group has no commit of
	Move                    // where to go on from a position that does not exist
	IDs                     // whether topics were made again
	Topics                  // which topics there are when the mapping first asks
	Others                  // whether another mapping commits in this group
	Seek                    // the offset of a place in a log
)

const (
	// Timeout bounds one question.
	Timeout = 15 * time.Second
	// firstOffsetsTimeout is how long the first question for offsets may take, and grows with each try.
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
	Committed   int64 // the group's commit, -1 without
	Note        Note  // what a commit is to say
	Noted       bool  // the group's commit says so
	At          driver.OffsetAt
	Open        bool // Offset is yet to be looked up, at At
	Anew        bool // the start cannot be committed before the client knows it
	Err         error
}
