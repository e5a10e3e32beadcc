package shared

import (
	"time"

	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/intake"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/internal/verdict"
)

// Settings are what the engine reads of a mapping. They are immutable; Update replaces them as a whole.
type Settings struct {
	batch.Limits
	Retry  verdict.Policy
	MaxAge time.Duration // 0 = no limit
	Start  start.Policy
	// Fingerprint identifies what the members of one group must agree on.
	Fingerprint string
	Filter      *intake.Filter // nil = everything matches
	// MinimumPollers and MaximumPollers are those of ProvisionedPollerConfig; both zero means one poller.
	MinimumPollers, MaximumPollers int
}
