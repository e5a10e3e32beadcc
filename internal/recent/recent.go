// Package recent remembers what was wrong with an event source for a while. A client's first words after a wrong password
// can be "all brokers down", and its last ones as well: neither is the reason.
package recent

import (
	"time"

	"github.com/esm-go/esm/auth"
)

// Diagnoses remembers diagnoses for a while and returns the one that explains most. It is plain data: it has no clock, and
// one goroutine at a time may use it.
type Diagnoses struct {
	window time.Duration
	seen   []observation // at most one a cause
}

type observation struct {
	at        time.Time
	diagnosis auth.Diagnosis
}

// DefaultWindow is how long an observation counts unless told otherwise: longer than librdkafka's reconnect.backoff.max.ms
// (10 s), so that a reason that comes with each attempt to connect never goes out of sight between two.
const DefaultWindow = 30 * time.Second

// New returns a memory whose observations count for window, or for DefaultWindow when window is not positive.
func New(window time.Duration) *Diagnoses {
	if window <= 0 {
		window = DefaultWindow
	}
	return &Diagnoses{window: window}
}

// Observe adds what was seen at now. A later observation of the same cause replaces the earlier one.
func (r *Diagnoses) Observe(now time.Time, d auth.Diagnosis) {
	kept := r.seen[:0]
	for _, o := range r.seen {
		if o.diagnosis.Cause != d.Cause && now.Sub(o.at) <= r.window {
			kept = append(kept, o)
		}
	}
	kept = append(kept, observation{at: now, diagnosis: d})
	r.seen = kept
}

// Strongest returns the diagnosis within the window before now that explains most, the latest of equals; false when
// there is none.
func (r *Diagnoses) Strongest(now time.Time) (auth.Diagnosis, bool) {
	var best observation
	found := false
	for _, o := range r.seen {
		switch {
		case now.Sub(o.at) > r.window:
		case !found, o.diagnosis.Stronger(best.diagnosis),
			!best.diagnosis.Stronger(o.diagnosis) && !o.at.Before(best.at):
			best, found = o, true
		}
	}
	return best.diagnosis, found
}

// Reset forgets everything: the connection works, or the credentials changed.
func (r *Diagnoses) Reset() { r.seen = nil }
