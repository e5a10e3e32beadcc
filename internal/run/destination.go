package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/kafka"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/observe"
)

// outlet is the on-failure destination of a Run. Its members share it.
type outlet struct {
	out  shared.Outlet
	name string
	to   destination.Destination
	// renewals holds the newest credentials for a Replacer.
	renewals chan *auth.Credentials
	// proven is closed when the destination has acknowledged something, so that no check is needed any longer.
	proven     chan struct{}
	provenOnce sync.Once
}

// openDestination creates the mapping's on-failure destination and its Sender. It returns nil if there is none.
func (r *Process) openDestination(ctx context.Context, client driver.Config) (*outlet, error) {
	if !r.shared.HasDestination {
		return nil, nil //nolint:nilnil // there is none
	}
	out := &outlet{to: r.opts.Destination, name: "WithDestination", renewals: make(chan *auth.Credentials, 1), proven: make(chan struct{})}
	if out.to == nil {
		unlock := r.lock()
		out.name = destinationName(r.mapping)
		unlock()
		call := r.shared.Calls.Begin(observe.OpDestination)
		to, err := r.resolveDestination(ctx, out.name, client)
		r.shared.Calls.End(call)
		if err != nil {
			return nil, &observe.SourceError{Op: "make the on-failure destination that DestinationConfig names", Err: err}
		}
		out.to = to
	} else if named, ok := out.to.(fmt.Stringer); ok {
		out.name = named.String()
	}
	out.out.Sender = destination.NewSender(out.to, destination.SenderConfig{
		OnDelivered: func(d destination.Delivery) {
			r.shared.Counters.Delivered.Add(int64(d.Failure.Len()))
			out.provenOnce.Do(func() { close(out.proven) })
		},
		OnError: func(e destination.DeliveryError) {
			r.shared.Counters.DeliveryErrors.Add(1)
			r.deliveryChanged(out, e.Err)
		},
	})
	r.outlet.Store(out)
	r.shared.Outlet.Store(&out.out)
	return out, nil
}

func (r *Process) resolveDestination(ctx context.Context, name string, client driver.Config) (destination.Destination, error) {
	if r.opts.Destinations != nil {
		to, err := r.opts.Destinations.Resolve(ctx, name, destination.Source{MappingUUID: r.shared.UUID, Topics: slices.Clone(client.Topics),
			BootstrapServers: client.BootstrapServers, ClientID: client.ClientID, Credentials: client.Credentials, Dialer: client.Dialer, Logger: client.Logger})
		if parsed, wrong := destination.ParseName(name); err == nil || !errors.Is(err, destination.ErrNotResolved) || wrong != nil || parsed.Kind != destination.Kafka {
			return to, err
		}
	}
	to, err := kafka.New(r.opts.Driver, name, driver.ProducerConfig{BootstrapServers: client.BootstrapServers, ClientID: client.ClientID,
		Credentials: client.Credentials, Dialer: client.Dialer, Logger: client.Logger}, kafka.WithSource(client.Topics...))
	if err != nil {
		return nil, err
	}
	return to, nil
}

// watchDestination checks the destination until a check succeeds, and retries handing it new credentials until it
// accepts them. It returns when ctx ends.
func (r *Process) watchDestination(ctx context.Context, out *outlet) {
	checker, checks := out.to.(destination.Checker)
	replacer, replaces := out.to.(destination.Replacer)
	proven := out.proven
	var next *auth.Credentials
	for n := 1; ; n++ {
		if next != nil {
			if err := r.callDestination(condition.KindRenewal, func() error { return replacer.ReplaceCredentials(next) }); err == nil {
				next = nil
			}
		}
		if checks {
			checks = nil != r.callDestination(condition.KindCheck, func() error {
				tried, cancel := context.WithTimeout(ctx, probeTimeout)
				defer cancel()
				if err := checker.Check(tried); ctx.Err() == nil {
					return err
				}
				return nil // the check was interrupted and proves nothing
			})
		}
		if !checks && !replaces {
			return
		}
		var again <-chan time.Time
		if checks || next != nil {
			again = time.After(limit.Backoff{First: time.Second, Most: time.Minute}.After(n, nil))
		}
		select {
		case <-again:
		case next = <-out.renewals:
			n = 0
		case <-proven:
			proven, checks = nil, false
			r.shared.Conditions.DestinationWell(condition.KindCheck)
		case <-ctx.Done():
			return
		}
	}
}

// callDestination makes a call to the destination other than Send. The result begins or ends a condition.
func (r *Process) callDestination(kind string, call func() error) error {
	under := r.shared.Calls.Begin(observe.OpDestination)
	defer r.shared.Calls.End(under)
	err := call()
	switch {
	case err == nil:
		r.shared.Conditions.DestinationWell(kind)
		return nil
	case kind == condition.KindRenewal:
		err = fmt.Errorf("the on-failure destination does not take the new credentials and keeps the old ones: %w", err)
	}
	r.destinationFails(kind, err)
	return err
}

// destinationFails begins a condition of the destination and tells the hooks.
func (r *Process) destinationFails(kind string, err error) {
	r.shared.Hooks.ErrorLater(r.shared.Conditions.DestinationFails(kind, err))
}

// deliveryChanged is called when a Send has failed.
func (r *Process) deliveryChanged(out *outlet, err error) {
	out.out.Changed(func(failing bool) {
		if failing { // else it has been acknowledged since
			r.destinationFails(condition.KindDelivery, err)
		}
	})
}

// replaceDestination passes new credentials to a destination that uses the mapping's credentials.
func (r *Process) replaceDestination(next *auth.Credentials) {
	out := r.outlet.Load()
	if out == nil {
		return
	}
	select {
	case <-out.renewals: // drop older ones
	default:
	}
	out.renewals <- next // only rotate sends, so this never blocks
}

// closeDestination closes the sender and the destination within the rest of the stop timeout. It always closes the
// destination, because that may end a Send that ignores its context.
func (r *Process) closeDestination(out *outlet) {
	r.beginStop() // if Run ended by itself
	begun, by := r.shared.Stopping.Times()
	by = by.Add(-by.Sub(begun) / 100) // the rest is for reporting what is stuck
	since := time.Now()
	stage := func(part int, end func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(context.Background(), max(time.Until(by), 0)*time.Duration(part)/4)
		defer cancel()
		call := r.shared.Calls.Begin(observe.OpDestination)
		defer r.shared.Calls.End(call)
		return end(ctx)
	}
	stuck := stage(2, out.out.Sender.Close)
	if closer, ok := out.to.(destination.Closer); ok {
		if err := stage(3, closer.Close); err != nil {
			r.shared.Log.Warn("the on-failure destination was not closed in order", "err", err)
		}
	}
	if stuck != nil {
		stuck = stage(4, out.out.Sender.Close)
	}
	if stuck != nil {
		r.shared.Left.Call(nil, observe.StuckCall{Op: observe.OpDestination, Since: since, Err: fmt.Errorf("a Send to the on-failure destination has not returned: %w", stuck)})
	}
}

// destinationStatus returns the status of the destination; zero if there is none.
func (r *Process) destinationStatus() (s observe.DestinationStatus) {
	if out := r.outlet.Load(); out != nil {
		s.Name, s.SenderStatus = out.name, out.out.Sender.Status()
	}
	return s
}
