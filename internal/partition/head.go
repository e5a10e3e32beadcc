package partition

import (
	"time"

	"github.com/esm-go/esm/observe"
)

// HeadState is what of a partition is kept for PartitionStatus.Head alone.
type HeadState struct {
	FirstErr error
	// FailedAt is when its head failed last, FullAt since when it waits for memory.
	FailedAt, FullAt time.Time
	// Hashed is the key's hash of the record at HashedAt, in the epoch HashedIn.
	Hashed   observe.KeyHash
	HashedAt int64
	HashedIn uint64
}
