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
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// wantHealth checks Healthy. An empty text means nil.
func wantHealth(t *testing.T, when string, r *rig, text string) {
	t.Helper()
	err := r.runner.Healthy()
	if text == "" && err != nil || text != "" && (!errors.Is(err, observe.ErrUnhealthy) || !strings.Contains(err.Error(), text)) {
		t.Errorf("%s: Healthy is %v, want %q", when, err, text)
	}
}

func TestHealthyOfAMappingThatNeverWorked(t *testing.T) {
	for _, c := range []struct {
		name, want string
		mapping    func(*mapping.Mapping)
		options    []Option
		hurt, heal func(*membroker.Broker)
	}{
		{name: "no broker answers", want: "unavailable", hurt: (*membroker.Broker).Stop, heal: (*membroker.Broker).Start},
		{name: "the brokers say nothing at all", want: "no assignment",
			hurt: func(b *membroker.Broker) { b.Hang(membroker.OpPoll) }, heal: (*membroker.Broker).Heal},
		{name: "the topic is missing", want: "unknown topic of later", mapping: func(m *mapping.Mapping) { m.Topics = []string{"later"} },
			hurt: func(*membroker.Broker) {}, heal: func(b *membroker.Broker) { b.CreateTopic("later", 1) }},
		{name: "starts cannot be looked up", want: "looked up",
			hurt: func(b *membroker.Broker) { b.Fail(membroker.OpCommitted, 1e6, errors.New("no")) }, heal: (*membroker.Broker).Heal},
		{name: "the password is wrong", want: "authentication",
			hurt: func(b *membroker.Broker) {
				b.Hang(membroker.OpTopics)
				go func() {
					time.Sleep(time.Second)
					b.Report("", &driver.Error{Kind: driver.KindAuthentication, Offset: -1, Err: errors.New("wrong password")})
				}()
			}, heal: (*membroker.Broker).Heal},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			c.hurt(b)
			m := memoryMapping()
			if c.mapping != nil {
				c.mapping(&m)
			}
			r := newMapped(t, b, m, nil, append(c.options, WithMetadataMaxAge(5*time.Second))...).launch()
			pass(50 * time.Second)
			wantHealth(t, "after 50s", r, "")
			pass(15 * time.Second)
			wantHealth(t, "after 65s", r, c.want)
			pass(time.Hour)
			wantHealth(t, "after an hour", r, c.want)
			c.heal(b)
			pass(45 * time.Second)
			wantHealth(t, "healed", r, "")
			r.mustStop()
			wantHealth(t, "after the end", r, "Run has ended")
		})
	}
	inBubble(t, "the secrets cannot be read", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := memoryMapping()
		m.SourceAccessConfigurations = []mapping.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: "login"}}
		secrets := &failingSecrets{err: &retryable{}}
		r := newMapped(t, b, m, nil, WithSecrets(secrets)).launch()
		pass(50 * time.Second)
		wantHealth(t, "after 50s", r, "")
		pass(30 * time.Second)
		wantHealth(t, "after 80s", r, "secrets")
		secrets.set(nil)
		pass(2 * time.Minute)
		wantHealth(t, "read", r, "")
		r.mustStop()
	})
}

func TestHealthyByConditions(t *testing.T) {
	t.Parallel()
	inBubble(t, "one that stands, and one that comes and goes", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, memoryMapping(), nil).start()
		for range 5 {
			b.Stop()
			pass(40 * time.Second)
			wantHealth(t, "away for a moment", r, "")
			b.Start()
			pass(20 * time.Second)
		}
		b.Report("", unreadable("t", 0))
		pass(50 * time.Second)
		wantHealth(t, "unreadable for 50s", r, "")
		pass(20 * time.Second)
		wantHealth(t, "unreadable for 70s", r, "t-0")
		b.Produce("t", numbered(1)...)
		pass(time.Second)
		wantHealth(t, "read on", r, "")
		r.mustStop()
	})
	inBubble(t, "a failed commit that nobody needs any more, and one that is needed", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, memoryMapping(), nil).start()
		b.Fail(membroker.OpCommit, 3, errors.New("no"))
		b.Produce("t", numbered(1)...)
		pass(500 * time.Millisecond) // refused once or twice, waiting for the retry
		b.Lose()                     // the next assignment looks up the position
		pass(10 * time.Second)
		b.Heal()
		for range 24 {
			pass(time.Hour)
			wantHealth(t, "for a day", r, "")
			wantKinds(t, "for a day", r.runner.Status())
		}
		b.Fail(membroker.OpCommit, 1e6, errors.New("no"))
		b.Produce("t", numbered(1)...)
		pass(70 * time.Second)
		wantHealth(t, "a commit that is needed", r, "commits fail")
		b.Heal()
		pass(10 * time.Second)
		wantHealth(t, "accepted", r, "")
		r.mustStop()
	})
	inBubble(t, "a spare member, a handler that fails, a disabled mapping, one that is stopping", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var block atomic.Bool
		handler := func(ctx context.Context, _ event.KafkaEvent) error {
			if block.Load() {
				return obedient(ctx, time.Hour)
			}
			return errors.New("no")
		}
		x := newMapped(t, b, memoryMapping(), handler).start()
		y := newMapped(t, b, memoryMapping(), handler).start()
		b.Produce("t", numbered(1)...)
		pass(time.Hour)
		wantHealth(t, "with the partition", x, "")
		wantHealth(t, "the spare one", y, "")
		block.Store(true)
		pass(2 * time.Minute)
		go func() { x.cancel(); y.cancel() }()
		pass(10 * time.Second)
		wantHealth(t, "stopping", x, "") // its handler is still running
		pass(20 * time.Second)
		wantHealth(t, "stopped", x, "Run has ended")
		<-x.done
		<-y.done
		m := memoryMapping()
		m.Enabled = new(false)
		z := newMapped(t, b, m, nil).launch()
		pass(time.Hour)
		wantHealth(t, "disabled", z, "")
		b.Stop()
		z.runner.Resume()
		pass(50 * time.Second)
		wantHealth(t, "enabled 50s ago", z, "")
		pass(15 * time.Second)
		wantHealth(t, "enabled 65s ago, without a broker", z, "unavailable")
		b.Start()
		pass(20 * time.Second)
		z.mustStop()
	})
}

func TestHealthyByTheCircuit(t *testing.T) {
	inBubble(t, "open because the handler fails, and open for no reason any more", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(1)...)
		r := newMapped(t, b, memoryMapping(), func(context.Context, event.KafkaEvent) error { return errors.New("no") },
			WithCircuitBreaker(Breaker{Failures: 2, Cooldown: 10 * time.Second})).start()
		for range 20 {
			pass(17 * time.Second)
			wantHealth(t, "tried every ten seconds", r, "")
		}
		m := r.runner.roster.list()[0].member
		c := &r.runner.shared.Circuit
		c.Begin(1, -2*time.Minute) // as if nothing had been attempted since
		if ok, _ := c.Enter(time.Now()); !ok {
			t.Fatal("the circuit is not closed")
		}
		c.Ended(time.Now(), false, []event.TopicPartition{{Topic: "t"}}, 1)
		m.WaitsForCircuit.Store(true)
		wantHealth(t, "nothing is tried", r, "circuit is open")
		m.WaitsForCircuit.Store(false)
		wantHealth(t, "it fetches", r, "")
		r.mustStop()
	})
}

func TestHealthy(t *testing.T) {
	for _, c := range []struct {
		name  string
		hurt  func(*membroker.Broker)
		after time.Duration
		want  string
	}{
		{"all is well", func(*membroker.Broker) {}, time.Hour, ""},
		{"commits that fail", func(b *membroker.Broker) {
			b.Fail(membroker.OpCommit, 1000, errors.New("no"))
			b.Produce("t", numbered(1)...)
		}, 90 * time.Second, "commits fail"},
		{"a short failure of commits", func(b *membroker.Broker) {
			b.Fail(membroker.OpCommit, 3, errors.New("no"))
			b.Produce("t", numbered(1)...)
		}, 90 * time.Second, ""},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			r := newRig(t, b, defaults(), nil).start()
			c.hurt(b)
			if err := r.runner.Healthy(); err != nil {
				t.Errorf("at once: %v", err)
			}
			pass(c.after)
			err := r.runner.Healthy()
			if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, observe.ErrUnhealthy) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("after %v: %v", c.after, err)
			}
			b.Heal()
			r.mustStop()
			if err := r.runner.Healthy(); !errors.Is(err, observe.ErrUnhealthy) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
	inBubble(t, "a poll that does not return", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &stuckDriver{Driver: b.Driver(), release: make(chan struct{})}
		r := newRig(t, b, defaults(), nil, WithDriver(d)).start()
		d.stuck.Store(true)
		pass(50 * time.Second)
		if err := r.runner.Healthy(); !errors.Is(err, observe.ErrUnhealthy) || !strings.Contains(err.Error(), "has not returned from a poll") {
			t.Errorf("Healthy: %v", err)
		}
		d.stuck.Store(false)
		close(d.release)
		pass(2 * time.Second)
		if err := r.runner.Healthy(); err != nil {
			t.Errorf("after it: %v", err)
		}
		r.mustStop()
	})
	inBubble(t, "a hook that blocks the loop", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		release := make(chan struct{})
		r := newRig(t, b, defaults(), nil, WithHooks(observe.Hooks{Commit: func(observe.CommitInfo) { <-release }})).start()
		b.Produce("t", numbered(1)...)
		pass(time.Minute)
		if err := r.runner.Healthy(); !errors.Is(err, observe.ErrUnhealthy) || !strings.Contains(err.Error(), "does a hook block") {
			t.Errorf("Healthy: %v", err)
		}
		close(release)
		pass(time.Second)
		if err := r.runner.Healthy(); err != nil {
			t.Errorf("after it: %v", err)
		}
		r.mustStop()
	})
}

// stuckDriver is a client whose Poll can be made to hang, ignoring its context.
type stuckDriver struct {
	driver.Driver
	stuck   atomic.Bool
	release chan struct{}
}

func (d *stuckDriver) Open(cfg driver.Config, l driver.Listener) (driver.Consumer, error) {
	c, err := d.Driver.Open(cfg, l)
	return &stuckConsumer{c, d}, err
}

type stuckConsumer struct {
	driver.Consumer
	d *stuckDriver
}

func (c *stuckConsumer) Poll(ctx context.Context, into *driver.Fetch) error {
	if c.d.stuck.Load() {
		<-c.d.release
	}
	return c.Consumer.Poll(ctx, into)
}

func TestHealthyTellsOfALostGroup(t *testing.T) {
	inBubble(t, "after a minute, until it is in the group again", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &tap{Driver: b.Driver()}
		x := newMapped(t, b, memoryMapping(), nil, WithDriver(d)).start()
		y := newMapped(t, b, memoryMapping(), nil).start() // gets none, and is healthy
		pass(2 * time.Minute)
		want := func(when string, r *rig, sick bool) {
			t.Helper()
			err := r.runner.Healthy()
			if !sick && err != nil || sick && (!errors.Is(err, observe.ErrUnhealthy) || !strings.Contains(err.Error(), "took every partition away")) {
				t.Errorf("%s: %v", when, err)
			}
		}
		want("no partition to begin with", y, false)
		b.Lose(b.Members("")[0].ID) // its partition goes to the other one
		pass(30 * time.Second)
		if n := len(y.runner.Status().Partitions); n != 1 {
			t.Fatalf("the other member owns %d partitions", n)
		}
		pass(time.Minute)
		want("back in the group, with nothing left for it", x, false)
		want("the other one", y, false)
		y.mustStop()
		pass(5 * time.Second)
		// A loss without a new assignment afterwards.
		from := d.listener
		from.Lost([]event.TopicPartition{{Topic: "t"}})
		pass(30 * time.Second)
		want("half a minute after a loss", x, false)
		pass(time.Minute)
		want("a minute and a half after a loss", x, true)
		from.Assigned(nil)
		pass(0)
		want("in the group again", x, false)
		x.mustStop()
	})
}
