package run

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/stop"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/scaling"
)

// hangingDriver is a client whose Poll and Close can be made to hang, ignoring their contexts.
type hangingDriver struct {
	driver.Driver
	release     chan struct{}
	poll, close atomic.Bool
}

func (d *hangingDriver) Open(cfg driver.Config, l driver.Listener) (driver.Consumer, error) {
	c, err := d.Driver.Open(cfg, l)
	return &hangingConsumer{c, d}, err
}

type hangingConsumer struct {
	driver.Consumer
	d *hangingDriver
}

func (c *hangingConsumer) Poll(ctx context.Context, into *driver.Fetch) error {
	if c.d.poll.Load() {
		<-c.d.release
	}
	return c.Consumer.Poll(ctx, into)
}

func (c *hangingConsumer) Close(ctx context.Context) error {
	if c.d.close.Load() {
		<-c.d.release
	}
	return c.Consumer.Close(ctx)
}

// hangingPolicy is a scaling policy that does not answer.
type hangingPolicy struct {
	hang    atomic.Bool
	release chan struct{}
}

func (p *hangingPolicy) Decide(scaling.Sample) scaling.Decision {
	if p.hang.Load() {
		<-p.release
	}
	return scaling.Decision{Workers: 1, Pollers: 1, Next: time.Second}
}

// stubbornSecrets ignores its context from the second read on.
type stubbornSecrets struct {
	reads   atomic.Int32
	first   int32
	release chan struct{}
}

func (s *stubbornSecrets) Secret(context.Context, string) ([]byte, string, error) {
	if s.reads.Add(1) >= s.first {
		<-s.release
	}
	return []byte(`{"username":"u","password":"p"}`), "1", nil
}

// Whatever blocks, Run returns within the stop timeout and names it; the state is Disabling until then.
func TestAStopIsBoundedByOneNumber(t *testing.T) {
	for _, timeout := range []time.Duration{25 * time.Second, 3 * time.Second, 0} {
		all, _ := stop.Bound(timeout)
		for _, c := range []struct {
			name  string
			op    observe.Op
			hooks func(release chan struct{}) observe.Hooks
			// with returns the options, and hurt is called when the mapping runs.
			with     func(b *membroker.Broker, release chan struct{}) (opts []Option, hurt func())
			creating bool
			// committed: what was handled is still committed.
			committed bool
		}{
			{name: "a hook that the loop waits for", op: observe.OpHook, committed: true, hooks: func(release chan struct{}) observe.Hooks {
				return observe.Hooks{Commit: untilReleased(release)}
			}},
			{name: "a hook that nobody waits for", op: observe.OpHook, committed: true, hooks: func(release chan struct{}) observe.Hooks {
				return observe.Hooks{StateChange: func(i observe.StateInfo) {
					if i.To == observe.Enabled {
						<-release
					}
				}}
			}},
			{name: "a hook of the stop itself", op: observe.OpHook, committed: true, hooks: func(release chan struct{}) observe.Hooks {
				return observe.Hooks{Revoked: func(observe.AssignmentInfo) { <-release }}
			}},
			{name: "a poll", op: observe.OpPoll, committed: true, with: func(b *membroker.Broker, release chan struct{}) ([]Option, func()) {
				d := &hangingDriver{Driver: b.Driver(), release: release}
				return []Option{WithDriver(d)}, func() { d.poll.Store(true) }
			}},
			{name: "the client's Close", op: observe.OpClose, committed: true, with: func(b *membroker.Broker, release chan struct{}) ([]Option, func()) {
				d := &hangingDriver{Driver: b.Driver(), release: release}
				return []Option{WithDriver(d)}, func() { d.close.Store(true) }
			}},
			{name: "the scaling policy", op: observe.OpScale, committed: true, with: func(_ *membroker.Broker, release chan struct{}) ([]Option, func()) {
				p := &hangingPolicy{release: release}
				return []Option{WithScaler(p)}, func() { p.hang.Store(true) }
			}},
			{name: "the secret store, at the start", op: observe.OpCredentials, creating: true, with: func(_ *membroker.Broker, release chan struct{}) ([]Option, func()) {
				return []Option{WithSecrets(&stubbornSecrets{first: 1, release: release})}, func() {}
			}},
			{name: "the secret store, later", op: observe.OpRotation, committed: true, with: func(_ *membroker.Broker, release chan struct{}) ([]Option, func()) {
				return []Option{WithSecrets(&stubbornSecrets{first: 2, release: release}), WithSecretsRefresh(time.Second)}, func() {}
			}},
		} {
			inBubble(t, c.name+", "+timeout.String(), func(t *testing.T) {
				b := membroker.NewBroker(t)
				b.CreateTopic("t", 1)
				release := make(chan struct{})
				opts, hurt := []Option{WithStopTimeout(timeout)}, func() {}
				if c.with != nil {
					var more []Option
					more, hurt = c.with(b, release)
					opts = append(opts, more...)
				}
				if c.hooks != nil {
					opts = append(opts, WithHooks(c.hooks(release)))
				}
				m := memoryMapping()
				m.SourceAccessConfigurations = []mapping.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: "login"}}
				if c.op != observe.OpCredentials && c.op != observe.OpRotation {
					opts = append(opts, WithSecrets(auth.NewStatic(map[string]string{"login": `{"username":"u","password":"p"}`})))
				}
				r := newMapped(t, b, m, nil, opts...).launch()
				pass(2 * time.Second)
				b.Produce("t", numbered(3)...)
				pass(2 * time.Second)
				hurt()
				pass(5 * time.Second)
				begin := time.Now()
				r.cancel()
				pass(0)
				if s := r.runner.Status(); s.State != observe.Disabling && (c.name != "a hook that nobody waits for" || s.State != observe.Disabled) {
					t.Errorf("%s meanwhile", s.State)
				}
				err := <-r.done
				if took := time.Since(begin); took > all {
					t.Errorf("it took %v, want %v at most", took, all)
				}
				var stuck *observe.StuckError
				if !errors.As(err, &stuck) || len(stuck.Calls) != 1 || stuck.Calls[0].Op != c.op || len(stuck.Handlers) != 0 {
					t.Errorf("Run: %v, want what blocks named once, as %s", err, c.op)
				} else if since := stuck.Calls[0].Since; since.IsZero() || since.After(time.Now()) {
					t.Errorf("since %v", since)
				}
				if c.committed && b.Committed("", "t", 0).Offset != 3 {
					t.Errorf("committed %d", b.Committed("", "t", 0).Offset)
				}
				if s := r.runner.Status(); s.State != observe.Disabled {
					t.Errorf("%s in the end", s.State)
				}
				close(release)
				b.Heal()
				pass(time.Minute)
			})
		}
	}
	inBubble(t, "the phases take their share: all of them as long as they may", func(t *testing.T) {
		for _, timeout := range []time.Duration{25 * time.Second, 10 * time.Second, time.Second, 0} {
			all, handlers := stop.Bound(timeout)
			b := membroker.NewBroker(t)
			b.Produce("t", numbered(1)...)
			release := make(chan struct{})
			var ended atomic.Int64
			r := newMapped(t, b, memoryMapping(), func(ctx context.Context, _ event.KafkaEvent) error {
				go func() {
					<-ctx.Done()
					ended.Store(time.Now().UnixNano())
				}()
				<-release
				return nil
			}, WithStopTimeout(timeout)).start()
			b.CreateTopic("u", 1)
			pass(time.Second)
			b.Hang(membroker.OpCommit)
			b.Hang(membroker.OpClose)
			begin := time.Now()
			err := r.stop()
			if took := time.Since(begin); took > all || took < all/2 {
				t.Errorf("%v: it took %v, want %v at most, and nearly that", timeout, took, all)
			}
			if d := time.Unix(0, ended.Load()).Sub(begin); d != handlers {
				t.Errorf("%v: the handler's context ended after %v, want %v", timeout, d, handlers)
			}
			var stuck *observe.StuckError
			if !errors.As(err, &stuck) || len(stuck.Handlers) != 1 {
				t.Errorf("%v: Run: %v", timeout, err)
			}
			close(release)
			b.Heal()
			pass(time.Minute)
		}
	})
	inBubble(t, "a poller that is leaving when Run stops hurries", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		w := wishing(2)
		r := newRig(t, b, polling(1, 2), func(ctx context.Context, _ event.KafkaEvent) error { return obedient(ctx, time.Hour) },
			WithScaler(w), WithRevokeTimeout(60*time.Second), WithStopTimeout(4*time.Second)).start()
		pass(20 * time.Second)
		wantMembers(t, b, r, 2)
		b.Produce("t", spread(2, 2)...)
		pass(2 * time.Second)
		w.pollers.Store(1)
		pass(5 * time.Second)
		begin := time.Now()
		r.mustStop()
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("it took %v", took)
		}
	})
	inBubble(t, "a handler that a poller left behind and that runs still is named", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		release := make(chan struct{})
		var block atomic.Bool
		w := wishing(2)
		r := newRig(t, b, polling(1, 2), func(context.Context, event.KafkaEvent) error {
			if block.Load() {
				<-release
			}
			return nil
		}, WithScaler(w), WithRevokeTimeout(2*time.Second)).start()
		pass(20 * time.Second)
		wantMembers(t, b, r, 2)
		block.Store(true)
		for p := range int32(2) {
			b.Produce("t", membroker.Record{Partition: p})
		}
		pass(2 * time.Second)
		block.Store(false)
		w.pollers.Store(1)
		pass(time.Minute)
		wantMembers(t, b, r, 1)
		err := r.stop()
		var stuck *observe.StuckError
		if !errors.As(err, &stuck) || len(stuck.Handlers) != 2 {
			t.Errorf("Run: %v, want both handlers: that of the poller that left, and that of the other one", err)
		}
		close(release)
		pass(time.Minute)
	})
	inBubble(t, "a stop before the broker was ever there", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Stop()
		var log logLines
		r := newMapped(t, b, memoryMapping(), nil, log.option()).launch()
		pass(time.Minute)
		begin := time.Now()
		r.mustStop()
		if took := time.Since(begin); took > 6*time.Second || len(log.with("not left in order")) != 1 {
			t.Errorf("it took %v; %q", took, log.with("not left"))
		}
	})
	inBubble(t, "an uncommitted stop says so", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, memoryMapping(), nil).start()
		b.Fail(membroker.OpCommit, 1e6, errors.New("not now"))
		b.Produce("t", numbered(1)...)
		pass(5 * time.Second)
		err := r.stop()
		var stuck *observe.StuckError
		if !errors.As(err, &stuck) || len(stuck.Calls) != 1 || stuck.Calls[0].Op != observe.OpCommit || !strings.Contains(err.Error(), "not now") {
			t.Errorf("Run: %v", err)
		}
	})
}

// untilReleased is a hook that blocks at the first commit of what was handled, not at that of a start.
func untilReleased(release chan struct{}) func(observe.CommitInfo) {
	return func(i observe.CommitInfo) {
		for _, offset := range i.Offsets {
			if offset > 0 {
				<-release
			}
		}
	}
}
