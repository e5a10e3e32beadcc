package run

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// logLines keeps the lines of a log with their times.
type logLines struct {
	mu    sync.Mutex
	lines []string
	at    []time.Time
}

func (l *logLines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines, l.at = append(l.lines, string(bytes.TrimSpace(line))), append(l.at, time.Now())
	return len(line), nil
}

func (l *logLines) option() Option { return WithLogger(slog.New(slog.NewTextHandler(l, nil))) }

// warnings discards the INFO lines, such as those of a start.
func (l *logLines) warnings() {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines, at := l.lines, l.at
	l.lines, l.at = nil, nil
	for i, line := range lines {
		if !strings.Contains(line, "level=INFO") {
			l.lines, l.at = append(l.lines, line), append(l.at, at[i])
		}
	}
}

// with returns the lines that contain a text.
func (l *logLines) with(text string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// worstMinute returns the largest number of lines in any minute.
func (l *logLines) worstMinute() (most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, from := range l.at {
		n := 0
		for _, at := range l.at[i:] {
			if at.Sub(from) < time.Minute {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func memoryMapping() mapping.Mapping {
	return mapping.Mapping{
		FunctionName:           "f",
		SelfManagedEventSource: mapping.SelfManagedEventSource{Endpoints: mapping.Endpoints{KafkaBootstrapServers: []string{"b:9092"}}},
		Topics:                 []string{"t"},
	}
}

func statesInto(s *[]string) Option {
	return WithHooks(observe.Hooks{StateChange: func(i observe.StateInfo) { *s = append(*s, string(i.To)) }})
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig runs the engine on an in-memory broker, inside a bubble.
type rig struct {
	t      testing.TB
	broker *membroker.Broker
	runner *Process
	cancel context.CancelFunc
	done   chan error

	mu    sync.Mutex
	calls []event.KafkaEvent
	infos []event.Invocation
	at    []time.Time
}

// defaults are the settings of a mapping that sets nothing.
func defaults() *shared.Settings {
	return &shared.Settings{
		Limits: batch.Limits{BatchSize: 100, Window: defaultWindow, Payload: payloadLimit, Envelope: 100},
		Retry:  verdict.Policy{MaximumRetryAttempts: -1},
		Start:  start.Policy{At: driver.AtEarliest},
	}
}

// newRig creates a Runner on the broker that has not run yet. It records the handler's events before the handler is
// called.
func newRig(t testing.TB, b *membroker.Broker, s *shared.Settings, h shared.Handler, opts ...Option) *rig {
	r, o := unrigged(t, b, opts)
	o.Complete()
	if err := o.Err(); err != nil {
		t.Fatal(err)
	}
	client := o.Client
	client.BootstrapServers, client.GroupID, client.Topics, client.Logger = []string{"b:9092"}, "g", []string{"t"}, o.Logger
	r.runner = newProcess(o, r.recording(h), s, client, identity{uuid: "u", functionName: "f", bootstrap: "b:9092"})
	return r
}

// newMapped is newRig with a mapping, through New.
func newMapped(t testing.TB, b *membroker.Broker, m mapping.Mapping, h shared.Handler, opts ...Option) *rig {
	r, o := unrigged(t, b, opts)
	runner, err := New(m, r.recording(h), o)
	if err != nil {
		t.Fatal(err)
	}
	r.runner = runner
	return r
}

// unrigged returns a rig without its Runner, and the options to create one.
func unrigged(t testing.TB, b *membroker.Broker, opts []Option) (*rig, *Options) {
	return &rig{t: t, broker: b, done: make(chan error, 1)},
		options(append([]Option{WithDriver(b.Driver()), WithLogger(slog.New(slog.DiscardHandler)), WithSeed(1)}, opts...))
}

// recording wraps a handler and keeps its events. A nil handler accepts everything.
func (r *rig) recording(h shared.Handler) shared.Handler {
	return func(ctx context.Context, e event.KafkaEvent) error {
		inv, _ := event.InvocationFromContext(ctx)
		r.mu.Lock()
		r.calls, r.infos, r.at = append(r.calls, e), append(r.infos, inv), append(r.at, time.Now())
		r.mu.Unlock()
		if h == nil {
			return nil
		}
		return h(ctx, e)
	}
}

// start runs the Runner, and waits for Ready.
func (r *rig) start() *rig {
	r.run()
	<-r.runner.Ready()
	return r
}

// launch is start without waiting for Ready.
func (r *rig) launch() *rig {
	r.run()
	synctest.Wait()
	return r
}

func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.done <- r.runner.Run(ctx) }()
}

// pass lets virtual time pass and waits until its effects have settled, so that what goroutines of the bubble wrote can
// be read.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) stop() error {
	r.cancel()
	return <-r.done
}

func (r *rig) events() []event.KafkaEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]event.KafkaEvent(nil), r.calls...)
}

func numbered(n int) []membroker.Record {
	records := make([]membroker.Record, n)
	for i := range records {
		records[i].Value = fmt.Appendf(nil, "v%d", i)
	}
	return records
}

// itemFailures is esm.ItemFailures.
func itemFailures(ids ...event.ItemID) error { return verdict.ItemFailures(ids) }

func (r *rig) briefs() []string {
	var s []string
	for _, e := range r.events() {
		s = append(s, brief(e))
	}
	return s
}

// inBubble runs a test in virtual time.
func inBubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func (r *rig) mustStop() {
	r.t.Helper()
	if err := r.stop(); err != nil {
		r.t.Errorf("Run: %v", err)
	}
}

// seen returns the offsets of a partition in the order in which they were handled.
func (r *rig) seen(partition int32) string {
	var all []event.KafkaRecord
	for _, e := range r.events() {
		all = append(all, e.Records[fmt.Sprintf("t-%d", partition)]...)
	}
	return briefRecords(all)
}
