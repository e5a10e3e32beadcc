// Package recent remembers for a while what was wrong with an event source. With a wrong password, a client's first
// report, and its last, may be "all brokers down"; neither is the reason.
package recent

import (
	"time"

	"github.com/esm-go/esm/auth"
)

// Diagnoses remembers diagnoses for a while and returns the one that explains most. It has no clock, and is not safe for
// concurrent use.
type Diagnoses struct {
	window time.Duration
	seen   []observation // at most one for each cause
}

type observation struct {
	at        time.Time
	diagnosis auth.Diagnosis
}

// DefaultWindow is how long an observation counts by default. It is longer than librdkafka's reconnect.backoff.max.ms
// (10 s), so that a reason that recurs with each connection attempt is not forgotten between two.
const DefaultWindow = 30 * time.Second

// New returns Diagnoses whose observations count for window, or for DefaultWindow if window is not positive.
func New(window time.Duration) *Diagnoses {
	if window <= 0 {
		window = DefaultWindow
	}
	return &Diagnoses{window: window}
}

// Observe adds what was seen at now. It replaces an earlier observation of the same cause.
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

// Strongest returns the diagnosis within the window before now that explains most, the latest of equals. It returns false
// if there is none.
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
