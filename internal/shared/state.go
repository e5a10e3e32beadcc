package shared

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/driver"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/hook"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/internal/stop"
)

// Handler handles one batch.
type Handler = func(ctx context.Context, e event.KafkaEvent) error

// Config has the options that members need.
type Config struct {
	Driver            driver.Driver
	StopTimeout       time.Duration
	RevokeTimeout     time.Duration
	InvocationTimeout time.Duration // 0 = no bound
	LagInterval       time.Duration // 0 = never
	CommitInterval    time.Duration
	Backoff           limit.Backoff
	Cooldown          time.Duration // of the circuit
	Seed              uint64
	HeadKeys          bool // in PartitionStatus
}

// State is what the members of one mapping share.
type State struct {
	Config  Config
	Handler Handler
	Log     *slog.Logger
	Hooks   *hook.List
	// Conditions are the current problems, Stopping is the stop of Run, and Left is what the stop had to leave behind.
	Conditions condition.Set
	Stopping   stop.Process
	Left       stop.Left
	Calls      stop.Calls
	Counters   Counters
	Meters     *Meters
	Budget     limit.Bytes
	Workers    limit.Slots
	Circuit    limit.Circuit
	Orphans    limit.Orphans
	// Nudge makes every member look again at what they share. It never waits.
	Nudge  func()
	Copies batch.Copies
	Wish   Wish
	// PausedParts are the partitions that PausePartition paused.
	PausedParts PausedPartitions
	// HasDestination is whether given-up records go to Outlet, which is set before the first member exists.
	HasDestination bool
	Outlet         atomic.Pointer[Outlet]
	Current        atomic.Pointer[Settings]
	// Function (which an Update may change), UUID and Bootstrap are the mapping's, as invocations show them.
	Function        atomic.Pointer[string]
	UUID, Bootstrap string
	// Cluster is the fingerprint of the bootstrap servers, for notes. Group is the consumer group.
	Cluster                                 string
	Group                                   string
	Census                                  start.Census
	Invocations                             atomic.Uint64
	SaidOfRetries, SaidOfDrops, SaidOfGroup condition.Said
}
