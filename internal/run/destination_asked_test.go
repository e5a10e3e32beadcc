package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/stop"
	"github.com/esm-go/esm/observe"
)

// A destination is also checked and gets new credentials. A failure of either is a condition until it succeeds.
func TestDestinationIsAsked(t *testing.T) {
	inBubble(t, "Check fails until it is there, and holds up nothing", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		d := &askable{checkErr: errors.New("no such queue")}
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
		group := r.runner.Status().ConsumerGroupId
		b.Produce("t", membroker.Record{Partition: 1})
		pass(30 * time.Second)
		if s := r.runner.Status(); s.LastProcessingResult != "PROBLEM: no such queue" || s.Destination.Name != "the queue" || b.Committed(group, "t", 1).Offset != 1 {
			t.Errorf("%q %+v, committed %d", s.LastProcessingResult, s.Destination, b.Committed(group, "t", 1).Offset)
		}
		d.set(nil, nil)
		pass(time.Minute)
		n := d.checks.Load()
		if text := conditionOf(r.runner, condition.KindCheck); text != "" || n < 4 {
			t.Errorf("%q after %d checks", text, n)
		}
		pass(time.Hour)
		if d.checks.Load() != n {
			t.Error("it is asked although it is there")
		}
		r.mustStop()
		if !d.closed.Load() {
			t.Error("it was not closed")
		}
	})
	inBubble(t, "an acknowledgement is a better answer than Check's", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &askable{checkErr: errors.New("not allowed to look")}
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
		pass(10 * time.Second)
		b.Produce("t", numbered(1)...)
		pass(10 * time.Second)
		if s := r.runner.Status(); len(s.Conditions) != 0 {
			t.Errorf("%v", s.Conditions)
		}
		n := d.checks.Load()
		pass(10 * time.Minute)
		if d.checks.Load() != n {
			t.Error("it is asked although it has taken records")
		}
		r.mustStop()
	})
	inBubble(t, "new credentials that it does not take", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := poisonMapping(10)
		m.SourceAccessConfigurations = []auth.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: "secret"}}
		secret := new(turning)
		secret.turn("one")
		d := &askable{replaceErr: errors.New("not these")}
		r := newMapped(t, b, m, poison, WithDestination(d), WithSecrets(secret), WithSecretsRefresh(time.Second)).start()
		b.Produce("t", numbered(1)...)
		pass(10 * time.Second)
		secret.turn("two")
		pass(20 * time.Second)
		if text := conditionOf(r.runner, condition.KindRenewal); !strings.Contains(text, "does not take the new credentials and keeps the old ones: not these") {
			t.Errorf("%q", text)
		}
		if s := r.runner.Status(); s.Credentials.Rotations != 1 || !strings.HasPrefix(s.LastProcessingResult, "PROBLEM: the on-failure destination") {
			t.Errorf("%+v %q", s.Credentials, s.LastProcessingResult)
		}
		// A record that it still acknowledges does not end the condition, because the next connection needs the new
		// credentials.
		b.Produce("t", numbered(1)...)
		pass(10 * time.Second)
		if text := conditionOf(r.runner, condition.KindRenewal); text == "" || len(d.ids()) != 2 {
			t.Errorf("%q, %v", text, d.ids())
		}
		secret.turn("three")
		pass(5 * time.Second)
		d.set(nil, nil)
		pass(2 * time.Minute)
		if s := r.runner.Status(); len(s.Conditions) != 0 || d.password() != "three" || strings.Contains(fmt.Sprintf("%+v", s), "three") {
			t.Errorf("%v, taken %s", s.Conditions, d.password())
		}
		r.mustStop()
	})
	inBubble(t, "a Check that hangs holds up no stop", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &askable{hang: make(chan struct{})}
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
		begin := time.Now()
		var stuck *observe.StuckError
		if err := r.stop(); !errors.As(err, &stuck) || len(stuck.Calls) != 1 || stuck.Calls[0].Op != observe.OpDestination || time.Since(begin) > stop.DefaultTimeout {
			t.Errorf("Run: %v after %v", err, time.Since(begin))
		}
		close(d.hang)
	})
}

// askable is a destination with all optional methods.
type askable struct {
	scriptedDestination
	checks               atomic.Int32
	closed               atomic.Bool
	hang                 chan struct{}
	checkErr, replaceErr error
	taken                *auth.Credentials
}

func (d *askable) String() string { return "the queue" }

func (d *askable) set(check, replace error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.checkErr, d.replaceErr = check, replace
}

func (d *askable) Check(context.Context) error {
	d.checks.Add(1)
	if d.hang != nil {
		<-d.hang
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.checkErr
}

func (d *askable) ReplaceCredentials(c *auth.Credentials) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.replaceErr == nil {
		d.taken = c
	}
	return d.replaceErr
}

func (d *askable) password() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.taken.Password.Reveal()
}

func (d *askable) Close(context.Context) error { d.closed.Store(true); return nil }
