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
	// handshakeTimeout bounds the handshakes that look for one reason, handshakeInterval is the least time between two.
	handshakeTimeout  = 5 * time.Second
	handshakeInterval = 5 * time.Second
)

// handshakes reports whether connections of our own reach what the client reaches, and can tell something.
func (r *Process) handshakes() bool {
	f := r.opts.Driver.Features()
	return f.Network || f.VirtualNetwork
}

// watchHandshakes finds out what the client does not say: where what it says of a refusal fits several causes,
// librdkafka's "certificate verify failed" for one, it shakes hands with the broker itself and reports which it is,
// until ctx ends.
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
			if _, now := r.shared.Conditions.Diagnosis.InUse(); now == healings { // else it works meanwhile, or other credentials are in use
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

// shakeHands asks a broker, or where none is known each bootstrap server, why a connection with it fails. It returns nil where
// it does not fail, and where the reason is no clearer than before.
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

// clearer adds to what the client said of a broker what a handshake finds out, where the client is not clear.
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
