package esm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/kafka"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/limit"
)

// outlet is the on-failure destination of a Run, which its members share.
type outlet struct {
	name   string
	to     destination.Destination
	sender *destination.Sender
}

// openDestination makes the mapping's on-failure destination and what sends to it; nil when there is none.
func (r *Runner) openDestination(ctx context.Context, client driver.Config) (*outlet, error) {
	if !r.shared.HasDestination {
		return nil, nil //nolint:nilnil // there is none
	}
	out := &outlet{to: r.opts.destination, name: "WithDestination"}
	if out.to == nil {
		unlock := r.lock()
		out.name = destinationName(r.mapping)
		unlock()
		to, err := r.resolveDestination(ctx, out.name, client)
		if err != nil {
			return nil, &SourceError{Op: "make the on-failure destination that DestinationConfig names", Err: err}
		}
		out.to = to
	} else if named, ok := out.to.(fmt.Stringer); ok {
		out.name = named.String()
	}
	out.sender = destination.NewSender(out.to, destination.SenderConfig{
		OnDelivered: func(d destination.Delivery) { r.shared.Counters.Delivered.Add(int64(d.Failure.Len())) },
		OnError: func(e destination.DeliveryError) {
			r.shared.Counters.DeliveryErrors.Add(1)
			r.destinationFails(e.Err)
		},
	})
	r.shared.Outlet.Store(out)
	return out, nil
}

func (r *Runner) resolveDestination(ctx context.Context, name string, client driver.Config) (destination.Destination, error) {
	if r.opts.destinations != nil {
		to, err := r.opts.destinations.Resolve(ctx, name, destination.Source{MappingUUID: r.shared.UUID, Topics: slices.Clone(client.Topics),
			BootstrapServers: client.BootstrapServers, ClientID: client.ClientID, Credentials: client.Credentials, Dialer: client.Dialer, Logger: client.Logger})
		if parsed, wrong := destination.ParseName(name); err == nil || !errors.Is(err, destination.ErrNotResolved) || wrong != nil || parsed.Kind != destination.Kafka {
			return to, err
		}
	}
	to, err := kafka.New(r.opts.driver, name, driver.ProducerConfig{BootstrapServers: client.BootstrapServers, ClientID: client.ClientID,
		Credentials: client.Credentials, Dialer: client.Dialer, Logger: client.Logger}, kafka.WithSource(client.Topics...))
	if err != nil {
		return nil, err
	}
	return to, nil
}

// check asks, until it is so or ctx ends, whether the destination is there.
func (r *Runner) checkDestination(ctx context.Context, out *outlet) {
	checker, ok := out.to.(destination.Checker)
	if !ok {
		return
	}
	for n := 1; ; n++ {
		call := r.shared.Calls.Begin(OpDestination)
		tried, cancel := context.WithTimeout(ctx, probeTimeout)
		err := checker.Check(tried)
		cancel()
		r.shared.Calls.End(call)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			if out.sender.Status().Failing == 0 {
				r.shared.Conditions.Over(OpDestination)
			}
			return
		}
		r.destinationFails(err)
		select {
		case <-time.After(limit.Backoff{First: time.Second, Most: time.Minute}.After(n, nil)):
		case <-ctx.Done():
			return
		}
	}
}

// destinationFails begins the condition of a destination that does not take what it is sent.
func (r *Runner) destinationFails(err error) {
	info := ErrorInfo{Op: OpDestination, Err: err, LastProcessingResult: "PROBLEM: " + err.Error()}
	r.shared.Conditions.Hold(info)
	r.shared.Hooks.ErrorLater(info)
}

// replaceDestination gives a destination that goes by the mapping's credentials new ones.
func (r *Runner) replaceDestination(next *auth.Credentials) {
	out := r.shared.Outlet.Load()
	if out == nil {
		return
	}
	if to, ok := out.to.(destination.Replacer); ok {
		if err := to.ReplaceCredentials(next); err != nil {
			r.destinationFails(fmt.Errorf("the on-failure destination does not take the new credentials: %w", err))
		}
	}
}

// closeDestination ends the sender and the destination, within what is left of the stop.
func (r *Runner) closeDestination(out *outlet) {
	r.beginStop() // of a Run that ended by itself
	at, by := r.shared.Stopping.Times()
	ctx, cancel := context.WithDeadline(context.Background(), by.Add(-by.Sub(at)/100))
	defer cancel()
	since := time.Now()
	err := out.sender.Close(ctx)
	if err == nil {
		if closer, ok := out.to.(destination.Closer); ok {
			call := r.shared.Calls.Begin(OpDestination)
			err = closer.Close(ctx)
			r.shared.Calls.End(call)
		}
		if err != nil {
			r.shared.Log.Warn("the on-failure destination was not closed in order", "err", err)
		}
		return
	}
	r.shared.Left.Call(nil, StuckCall{Op: OpDestination, Since: since, Err: fmt.Errorf("a Send to the on-failure destination has not returned: %w", err)})
	if closer, ok := out.to.(destination.Closer); ok {
		go func() { _ = closer.Close(ctx) }() // its time is up; a Send that ignores its context has it still
	}
}

// destinationStatus says how the destination stands; zero when there is none.
func (r *Runner) destinationStatus() (s DestinationStatus) {
	if out := r.shared.Outlet.Load(); out != nil {
		s.Name, s.SenderStatus = out.name, out.sender.Status()
	}
	return s
}
