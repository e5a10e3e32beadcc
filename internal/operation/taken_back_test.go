package operation

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A caller that is told that nothing was done can rely on it.
func TestNothingIsDoneAfterItWasTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, did := newMember(living(1)), false
		ctx, cancel := context.WithCancel(t.Context())
		var told error
		var ended <-chan error
		ended = m.ask(ctx, skip(func(_ time.Time, o *Operation) (bool, error) {
			cancel() // the caller's time is up while the loop is in the step
			told = <-ended
			did = o.Begin()
			return true, nil
		}))
		m.turn()
		if did && strings.Contains(told.Error(), "nothing was done") {
			t.Errorf("it was done, and the caller was told: %v", told)
		}
	})
}
