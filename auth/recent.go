package auth

import "time"

// Recent remembers diagnoses for a while and answers the one that explains
// most. A client's first words after a wrong password can be "all brokers
// down", and its last ones as well: neither is the reason.
//
// It is plain data: it has no clock, and one goroutine at a time may use it.
type Recent struct {
	window time.Duration
	seen   []observation // at most one a cause
}

type observation struct {
	at        time.Time
	diagnosis Diagnosis
}

// DefaultRecentWindow is how long an observation counts unless told otherwise:
// longer than librdkafka's reconnect.backoff.max.ms (10 s), so that a reason
// that comes with each attempt to connect never goes out of sight between two.
const DefaultRecentWindow = 30 * time.Second

// NewRecent returns a Recent whose observations count for window, or for
// DefaultRecentWindow when window is not positive.
func NewRecent(window time.Duration) *Recent {
	if window <= 0 {
		window = DefaultRecentWindow
	}
	return &Recent{window: window}
}

// Observe adds what was seen at now. A later one of the same cause replaces
// the earlier one.
func (r *Recent) Observe(now time.Time, d Diagnosis) {
	kept := r.seen[:0]
	for _, o := range r.seen {
		if o.diagnosis.Cause != d.Cause && now.Sub(o.at) <= r.window {
			kept = append(kept, o)
		}
	}
	kept = append(kept, observation{at: now, diagnosis: d})
	r.seen = kept
}

// Strongest returns the diagnosis within the window before now that explains
// most, the latest of equals, and false when there is none.
func (r *Recent) Strongest(now time.Time) (Diagnosis, bool) {
	var best observation
	found := false
	for _, o := range r.seen {
		if now.Sub(o.at) > r.window {
			continue
		}
		stronger := o.diagnosis.Cause.strength() - best.diagnosis.Cause.strength()
		if !found || stronger > 0 || stronger == 0 && !o.at.Before(best.at) {
			best, found = o, true
		}
	}
	return best.diagnosis, found
}

// Reset forgets everything: the connection works, or the credentials changed.
func (r *Recent) Reset() { r.seen = nil }
