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
	retry  verdict.Policy
	maxAge time.Duration // 0 = no limit
	start  start.Policy
	// fingerprint names what members of one group must agree on.
	fingerprint string
	filter      *intake.Filter // nil = everything matches
	// minimumPollers and maximumPollers are ProvisionedPollerConfig's; zeros = one poller.
	minimumPollers, maximumPollers int
}
