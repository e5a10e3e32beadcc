package esm

import (
	"time"

	"github.com/esm-go/esm/driver"
)

// settings are what the engine reads of a mapping: immutable, and replaced whole by Update.
type settings struct {
	limits
	retry  retryPolicy
	maxAge time.Duration // 0 = no limit
	start  startPolicy
	filter *recordFilter // nil = everything matches
}

const (
	// payloadLimit is Lambda's limit of a synchronous invocation's payload: 6 MB = 6 291 456 bytes of JSON.
	payloadLimit = 6 << 20
	// defaultWindow applies when MaximumBatchingWindowInSeconds is unset, as for Lambda's Kafka mappings.
	defaultWindow = 500 * time.Millisecond
)

// recordFilter is FilterCriteria at work.
type recordFilter struct {
	// apply takes out of a run what does not match, in place, and answers how many of those were of the wrong kind.
	apply func(*driver.Run) (wrongKind int)
}
