package condition

import (
	"errors"
	"sync"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/recent"
)

// Diagnosis is what is wrong with the event source, by the strongest recent cause: with a wrong password, clients report
// brokers as down both before and after they report the reason. It is safe for concurrent use.
type Diagnosis struct {
	mu     sync.Mutex
	recent *recent.Diagnoses
	// credentials and group are those that the connections use.
	credentials *auth.Credentials
	group       string
	// Refused signals that the brokers refused the credentials. It is buffered for one.
	Refused chan struct{}
	// Vague receives the broker (empty if unknown) of an error that a handshake may explain further. It is buffered for
	// one.
	Vague chan string
	// healings counts how many times the observations were cleared.
	healings int
}

func (d *Diagnosis) init() {
	d.recent = recent.New(recent.DefaultWindow)
	d.Refused = make(chan struct{}, 1)
	d.Vague = make(chan string, 1)
}

// Use sets the credentials in force from now on, and clears what was observed under the old ones.
func (d *Diagnosis) Use(c *auth.Credentials, group string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget()
	d.credentials, d.group = c, group
}

// Healed clears what was observed: the event source works.
func (d *Diagnosis) Healed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget()
}

func (d *Diagnosis) forget() {
	d.recent.Reset()
	d.healings++
}

// InUse returns the credentials for the engine's own handshake, and the number of healings so far.
func (d *Diagnosis) InUse() (*auth.Credentials, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.credentials, d.healings
}

// observe returns the diagnosis of err: its own, unless err is a connection error that is unknown or vague; then the
// strongest recent cause.
func (d *Diagnosis) observe(err error, now time.Time) auth.Diagnosis {
	d.mu.Lock()
	defer d.mu.Unlock()
	topic := ""
	var e *driver.Error
	if errors.As(err, &e) {
		topic = e.TopicPartition.Topic
	}
	found := d.credentials.Classify(err, topic, d.group)
	if !found.Known() {
		if e == nil || e.Kind != driver.KindUnavailable && e.Kind != driver.KindAuthentication {
			return found
		}
	} else {
		d.recent.Observe(now, found)
	}
	if found.Code == auth.CodeAuthnError {
		select {
		case d.Refused <- struct{}{}:
		default:
		}
	}
	if strongest, ok := d.recent.Strongest(now); ok && (found.Code == "" || found.Vague()) {
		found = strongest
	}
	if found.Vague() {
		broker := ""
		if e != nil {
			broker = e.Broker
		}
		select {
		case d.Vague <- broker:
		default:
		}
	}
	return found
}

// problemText returns the LastProcessingResult for a diagnosis of err.
func problemText(d auth.Diagnosis, err error) string {
	if d.Text != "" {
		return "PROBLEM: " + d.Text
	}
	var e *driver.Error
	if !errors.As(err, &e) {
		return "PROBLEM: " + err.Error()
	}
	switch e.Kind {
	case driver.KindUnavailable, driver.KindUnknownTopic:
		return ResultConnection
	case driver.KindAuthentication:
		return "PROBLEM: " + auth.TextSASL
	case driver.KindAuthorization:
		return "PROBLEM: " + auth.TextClusterAuthorize
	}
	return "PROBLEM: " + e.Error()
}
