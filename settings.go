package esm

import (
	"time"

	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/intake"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/internal/verdict"
)

// settings are what the engine reads of a mapping: immutable, and replaced whole by Update.
type settings struct {
	batch.Limits
	Retry  verdict.Policy
	MaxAge time.Duration // 0 = no limit
	Start  start.Policy
	// fingerprint names what members of one group must agree on.
	Fingerprint string
	Filter      *intake.Filter // nil = everything matches
	// minimumPollers and maximumPollers are ProvisionedPollerConfig's; zeros = one poller.
	MinimumPollers, MaximumPollers int
}
