package run

import (
	"context"
	"log/slog"

	"github.com/esm-go/esm/auth"
)

// connects returns how a client with credentials connects: Kafka's security.protocol and sasl.mechanism, and the
// principal that brokers see.
func connects(c *auth.Credentials) (protocol, mechanism, principal string) {
	if c == nil || c.Protocol == "" {
		return "PLAINTEXT", "", c.Principal()
	}
	return string(c.Protocol), string(c.Mechanism), c.Principal()
}

// sayStart logs the first line: what is consumed, by which group, from where, and how it connects.
func (r *Process) sayStart() {
	unlock := r.lock()
	c, from := r.credentials, r.mapping.StartingPosition
	unlock()
	attrs := []slog.Attr{slog.String("UUID", r.shared.UUID), slog.String("FunctionName", *r.shared.Function.Load()), slog.String("ConsumerGroupId", r.client.GroupID),
		slog.Any("Topics", r.client.Topics), slog.String("StartingPosition", string(from)), slog.String("bootstrap", r.shared.Bootstrap),
		slog.String("driver", r.opts.Driver.Name()), slog.String("protocol", c.Protocol)}
	client := clientOf(r.opts.Driver)
	for _, more := range []slog.Attr{slog.String("client", client.Name), slog.String("version", client.Version), slog.String("reading", client.Reading),
		slog.String("mechanism", c.Mechanism), slog.String("principal", c.Principal)} {
		if more.Value.String() != "" {
			attrs = append(attrs, more)
		}
	}
	r.shared.Log.LogAttrs(context.Background(), slog.LevelInfo, "event source mapping starts", attrs...)
}
