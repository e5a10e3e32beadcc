package stream

import (
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/hook"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/internal/verdict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// idle returns a member that has not run, on a broker, with the defaults and a starting position.
func idle(b *membroker.Broker, at driver.OffsetAt) *Member {
	log := slog.New(slog.DiscardHandler)
	c := &shared.State{Config: shared.Config{Driver: b.Driver(), RevokeTimeout: 10 * time.Second, StopTimeout: 25 * time.Second},
		Log: log, Hooks: hook.NewList(nil), Meters: shared.NewMeters(), Nudge: func() {}}
	c.Conditions.Init(log)
	c.Stopping.Init()
	c.Workers.Begin(0, 0, true)
	c.Current.Store(&shared.Settings{Limits: batch.Limits{BatchSize: 100, Payload: 6 << 20}, Retry: verdict.Policy{MaximumRetryAttempts: -1}, Start: start.Policy{At: at}})
	return NewMember(c)
}
