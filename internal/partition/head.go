package partition

import (
	"time"

	"github.com/esm-go/esm/observe"
)

// HeadState is the state of a partition that only PartitionStatus.Head shows.
type HeadState struct {
	FirstErr error
	// FailedAt is when its head last failed, FullAt when it began to wait for memory.
	FailedAt, FullAt time.Time
	// Hashed is the hash of the key of the record at HashedAt, in the epoch HashedIn.
	Hashed   observe.KeyHash
	HashedAt int64
	HashedIn uint64
}
