package run

import (
	"context"
	"errors"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/observe"
)

const (
	// handshakeTimeout bounds the handshakes made to find one reason. handshakeInterval is the minimum pause between two
	// such searches.
	handshakeTimeout  = 5 * time.Second
	handshakeInterval = 5 * time.Second
)

// handshakes reports whether our own connections reach the brokers that the client reaches.
func (r *Process) handshakes() bool {
	f := r.opts.Driver.Features()
	return f.Network || f.VirtualNetwork
}

// watchHandshakes finds the cause of a refusal when the client's message fits several, for example librdkafka's
// "certificate verify failed": it shakes hands with the broker itself. It runs until ctx ends.
func (r *Process) watchHandshakes(ctx context.Context, client driver.Config) {
	for {
		var broker string
		select {
		case broker = <-r.shared.Conditions.Diagnosis.Vague:
		case <-ctx.Done():
			return
		}
		var healings int
		client.Credentials, healings = r.shared.Conditions.Diagnosis.InUse()
		call := r.shared.Calls.Begin(observe.OpHandshake)
		reason := shakeHands(ctx, client, broker)
		r.shared.Calls.End(call)
		if reason != nil {
			if _, now := r.shared.Conditions.Diagnosis.InUse(); now == healings { // else it works by now, or other credentials are in use
				info := r.shared.Conditions.Problem(observe.OpHandshake, reason)
				r.shared.Conditions.Clarify(info)
				r.shared.Hooks.ErrorLater(info)
			}
		}
		select {
		case <-time.After(handshakeInterval):
		case <-ctx.Done():
			return
		}
	}
}

// shakeHands connects to a broker, or to each bootstrap server if none is known, to find why connections fail. It
// returns nil if they do not, or the reason is no clearer.
func shakeHands(ctx context.Context, client driver.Config, broker string) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	brokers := client.BootstrapServers
	if broker != "" {
		brokers = []string{broker}
	}
	for _, address := range brokers {
		err := auth.ProbeTLS(ctx, address, client.Credentials, client.Dialer)
		if d := client.Credentials.Classify(err, "", ""); err != nil && d.Known() && !d.Vague() {
			return err
		}
	}
	return nil
}

// clearer adds the reason that a handshake finds to a client's error that is vague.
func (r *Process) clearer(ctx context.Context, client driver.Config, said error) error {
	if d := client.Credentials.Classify(said, "", ""); !d.Vague() || !r.handshakes() {
		return said
	}
	broker := ""
	if e, ok := errors.AsType[*driver.Error](said); ok {
		broker = e.Broker
	}
	if reason := shakeHands(ctx, client, broker); reason != nil {
		return errors.Join(reason, said)
	}
	return said
}
