package shared

import (
	"time"

	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/intake"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/internal/verdict"
)

// Settings are what the engine reads of a mapping: immutable, and replaced whole by Update.
type Settings struct {
	batch.Limits
	Retry  verdict.Policy
	MaxAge time.Duration // 0 = no limit
	Start  start.Policy
	// Fingerprint names what members of one group must agree on.
	Fingerprint string
	Filter      *intake.Filter // nil = everything matches
	// MinimumPollers and MaximumPollers are ProvisionedPollerConfig's; zeros = one poller.
	MinimumPollers, MaximumPollers int
}
