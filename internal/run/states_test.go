package run

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

func TestReady(t *testing.T) {
	inBubble(t, "it is closed when every partition of the first assignment is started, and stays so", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		release := b.Hang(membroker.OpCommitted)
		r := newMapped(t, b, memoryMapping(), nil).launch()
		pass(20 * time.Second)
		if isClosed(r.runner.Ready()) {
			t.Error("closed before the start was found")
		}
		release()
		pass(time.Second)
		if !isClosed(r.runner.Ready()) {
			t.Error("not closed")
		}
		b.Lose()
		pass(time.Second)
		if !isClosed(r.runner.Ready()) {
			t.Error("not closed after a loss")
		}
		r.mustStop()
	})
	inBubble(t, "a member that gets no partition is ready too", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		x := newMapped(t, b, memoryMapping(), nil).start()
		y := newMapped(t, b, memoryMapping(), nil).start()
		if n := len(x.runner.Status().Partitions) + len(y.runner.Status().Partitions); n != 1 {
			t.Errorf("%d partitions owned", n)
		}
		x.mustStop()
		y.mustStop()
	})
	inBubble(t, "it is never closed when Run ends before", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Stop()
		r := newMapped(t, b, memoryMapping(), nil).launch()
		pass(time.Minute)
		_ = r.stop() // it may leave the client behind
		if isClosed(r.runner.Ready()) {
			t.Error("closed")
		}
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestUpdateAndTheStates(t *testing.T) {
	inBubble(t, "Enabled, Updating, Enabled; then to the end", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var states []string
		m := memoryMapping()
		r := newMapped(t, b, m, nil, statesInto(&states))
		m.BatchSize = 7 // before Run
		if err := r.runner.Update(m); err != nil {
			t.Fatal(err)
		}
		r.start()
		synctest.Wait()
		b.Produce("t", numbered(8)...)
		pass(2 * time.Second)
		wantLines(t, "invocations", r.briefs(), "t-0[0 1 2 3 4 5 6]", "t-0[7]")
		before := r.runner.Status().LastModified
		m.FilterCriteria = &mapping.FilterCriteria{Filters: []mapping.Filter{{Pattern: `{"value":["v1"]}`}}}
		if err := r.runner.Update(m); err != nil {
			t.Fatal(err)
		}
		if s := r.runner.Status(); !s.LastModified.After(before) {
			t.Errorf("LastModified %v, was %v before", s.LastModified, before)
		}
		pass(2 * time.Second) // a Poll that began before the Update uses the old filter
		b.Produce("t", numbered(3)...)
		pass(2 * time.Second)
		if got := r.seen(0); got != "[0 1 2 3 4 5 6 7 9]" || b.Committed("", "t", 0).Offset != 11 {
			t.Errorf("handled %s, committed %d", got, b.Committed("", "t", 0).Offset)
		}
		r.mustStop()
		if err := r.runner.Update(m); err != nil {
			t.Errorf("Update after the end: %v", err)
		}
		wantLines(t, "states", states, "Creating", "Enabled", "Updating", "Enabled", "Disabling", "Disabled")
	})
}

func TestStateTransitionReason(t *testing.T) {
	login := []mapping.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: "login"}}
	inBubble(t, "a secret that holds no credentials ends Run, and the state says why", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := memoryMapping()
		m.SourceAccessConfigurations = login
		var changes []observe.StateInfo
		r := newMapped(t, b, m, nil, WithSecrets(auth.NewStatic(map[string]string{"login": `{"user":"alice"}`})),
			WithHooks(observe.Hooks{StateChange: func(i observe.StateInfo) { changes = append(changes, i) }}))
		err := r.runner.Run(t.Context())
		var source *observe.SourceError
		if !errors.As(err, &source) || !strings.HasPrefix(source.Op, "read the credentials") {
			t.Errorf("Run: %v", err)
		}
		s := r.runner.Status()
		if s.State != observe.Disabled || s.StateTransitionReason != observe.ReasonConfigNotValid || !strings.HasPrefix(s.LastProcessingResult, "PROBLEM: ") {
			t.Errorf("%s because of %s: %s", s.State, s.StateTransitionReason, s.LastProcessingResult)
		}
		want := []observe.StateInfo{{To: observe.Creating, Reason: observe.ReasonUserInitiated}, {From: observe.Creating, To: observe.Disabled, Reason: observe.ReasonConfigNotValid}}
		if !slices.Equal(changes, want) {
			t.Errorf("changes %+v, want %+v", changes, want)
		}
	})
	for _, c := range []struct {
		kind   driver.Kind
		err    error
		reason string
	}{
		{driver.KindAuthentication, kerr.SaslAuthenticationFailed, observe.ReasonAuthn},
		{driver.KindAuthorization, kerr.GroupAuthorizationFailed, observe.ReasonAuthz},
	} {
		inBubble(t, "while the mapping is being created: "+c.reason, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			release := b.Hang(membroker.OpTopics)
			r := newMapped(t, b, memoryMapping(), nil).launch()
			b.Report("", &driver.Error{Kind: c.kind, Offset: -1, Err: c.err})
			pass(5 * time.Second)
			if s := r.runner.Status(); s.State != observe.Creating || s.StateTransitionReason != c.reason {
				t.Errorf("%s because of %s: %s, %+v", s.State, s.StateTransitionReason, s.LastProcessingResult, s.Diagnosis)
			}
			release()
			pass(5 * time.Second)
			if s := r.runner.Status(); s.State != observe.Enabled || s.StateTransitionReason != observe.ReasonUserInitiated {
				t.Errorf("then %s because of %s", s.State, s.StateTransitionReason)
			}
			r.mustStop()
		})
	}
}
