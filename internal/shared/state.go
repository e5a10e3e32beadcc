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

// Config is what the options say to members.
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
	// Conditions are what is wrong, Stopping the stop of Run, Left what it had to leave behind.
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
	// Nudge has every member look again at what they share. It never waits.
	Nudge  func()
	Copies batch.Copies
	Wish   Wish
	// PausedParts are partitions that are paused alone.
	PausedParts PausedPartitions
	// HasDestination: records given up go to Outlet, which is there before the first member.
	HasDestination bool
	Outlet         atomic.Pointer[Outlet]
	Current        atomic.Pointer[Settings]
	// Function, which an Update may change, UUID and Bootstrap are the mapping's, as invocations show them.
	Function        atomic.Pointer[string]
	UUID, Bootstrap string
	// Cluster is the fingerprint of the bootstrap servers, for notes; Group the consumer group.
	Cluster                                 string
	Group                                   string
	Census                                  start.Census
	Invocations                             atomic.Uint64
	SaidOfRetries, SaidOfDrops, SaidOfGroup condition.Said
}
