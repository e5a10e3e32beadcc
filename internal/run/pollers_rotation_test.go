package run

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/mapping"
)

// turning is a secret that changes.
type turning struct{ password atomic.Pointer[string] }

func (s *turning) Secret(context.Context, string) ([]byte, string, error) {
	return fmt.Appendf(nil, `{"username":"shop","password":%q}`, *s.password.Load()), "", nil
}

func (s *turning) turn(password string) { s.password.Store(&password) }

// inPlace is a driver whose consumers accept new credentials; it counts by password what they accepted, and what was
// opened.
type inPlace struct {
	driver.Driver
	mu            sync.Mutex
	taken, opened map[string]int
}

func (d *inPlace) Open(c driver.Config, l driver.Listener) (driver.Consumer, error) {
	d.mu.Lock()
	d.opened[c.Credentials.Password.Reveal()]++
	d.mu.Unlock()
	consumer, err := d.Driver.Open(c, l)
	return &replacing{consumer, d}, err
}

type replacing struct {
	driver.Consumer
	d *inPlace
}

func (r *replacing) ReplaceCredentials(c *auth.Credentials) error {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	r.d.taken[c.Password.Reveal()]++
	return nil
}

// A rotation reaches every member: either in place, and a member that joins later starts with the new credentials; or,
// if the client cannot accept them, by replacing all members.
func TestRotationReachesAllPollers(t *testing.T) {
	for _, living := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 6)
			m := memoryMapping()
			m.ProvisionedPollerConfig = &mapping.ProvisionedPollerConfig{MinimumPollers: new(1), MaximumPollers: new(3)}
			m.SourceAccessConfigurations = []auth.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: "secret"}}
			secret := new(turning)
			secret.turn("one")
			d := &inPlace{Driver: b.Driver(), taken: map[string]int{}, opened: map[string]int{}}
			opts := []Option{WithSecrets(secret), WithSecretsRefresh(time.Second)}
			if living {
				opts = append(opts, WithDriver(d))
			}
			j := newJournal(taking(300 * time.Millisecond))
			w := wishing(2)
			x := newMapped(t, b, m, j.handle, append(opts, WithScaler(w))...).start()
			pass(20 * time.Second)
			b.Produce("t", spread(1200, 6)...)
			pass(500 * time.Millisecond)
			before := b.Members("")
			secret.turn("two")
			pass(10 * time.Second)
			after := b.Members("")
			if len(before) != 2 || len(after) != 2 || (before[0].ID == after[0].ID) != living || (before[1].ID == after[1].ID) != living {
				t.Errorf("in place %t: members %v, then %v", living, before, after)
			}
			w.pollers.Store(3)
			pass(20 * time.Second)
			if s := x.runner.Status(); s.Pollers != 3 || s.Credentials.Rotations != 1 || s.Credentials.Err != nil {
				t.Errorf("in place %t: %d pollers, %+v", living, s.Pollers, s.Credentials)
			}
			if living && (d.taken["two"] != 2 || d.opened["one"] != 2 || d.opened["two"] != 1) {
				t.Errorf("taken %v, opened %v", d.taken, d.opened)
			}
			pass(time.Minute)
			if len(j.wrong) > 0 || j.again > 0 || b.Lag("") != 0 {
				t.Errorf("in place %t: %v, %d again, lag %d", living, j.wrong, j.again, b.Lag(""))
			}
			x.mustStop()
		})
	}
}
