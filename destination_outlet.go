package esm

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
)

// outlet is the on-failure destination of a Run, which its members share.
type outlet struct {
	name   string
	to     destination.Destination
	sender *destination.Sender
	// renewals has the newest credentials for a Replacer.
	renewals chan *auth.Credentials
	// mu keeps what is said of the sender in the order of what happened.
	mu sync.Mutex
	// proven is closed when the destination has acknowledged something: there is nothing to check any more.
	proven     chan struct{}
	provenOnce sync.Once
}

// openDestination makes the mapping's on-failure destination and what sends to it; nil when there is none.
func (r *Runner) openDestination(ctx context.Context, client driver.Config) (*outlet, error) {
	if !r.shared.HasDestination {
		return nil, nil //nolint:nilnil // there is none
	}
	out := &outlet{to: r.opts.destination, name: "WithDestination", renewals: make(chan *auth.Credentials, 1), proven: make(chan struct{})}
	if out.to == nil {
		unlock := r.lock()
		out.name = destinationName(r.mapping)
		unlock()
		call := r.shared.Calls.Begin(OpDestination)
		to, err := r.resolveDestination(ctx, out.name, client)
		r.shared.Calls.End(call)
		if err != nil {
			return nil, &SourceError{Op: "make the on-failure destination that DestinationConfig names", Err: err}
		}
		out.to = to
	} else if named, ok := out.to.(fmt.Stringer); ok {
		out.name = named.String()
	}
	out.sender = destination.NewSender(out.to, destination.SenderConfig{
		OnDelivered: func(d destination.Delivery) {
			r.shared.Counters.Delivered.Add(int64(d.Failure.Len()))
			out.provenOnce.Do(func() { close(out.proven) })
		},
		OnError: func(e destination.DeliveryError) {
			r.shared.Counters.DeliveryErrors.Add(1)
			r.deliveryChanged(out, e.Err)
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

// watchDestination asks until it is so whether the destination is there, and gives it new credentials until it takes
// them. It ends with ctx.
func (r *Runner) watchDestination(ctx context.Context, out *outlet) {
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
				return nil // it was ended, and says nothing
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

// callDestination makes one of the calls to the destination that are no Send: what it says begins or ends a condition.
func (r *Runner) callDestination(kind string, call func() error) error {
	under := r.shared.Calls.Begin(OpDestination)
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

// destinationFails begins a condition of the destination.
func (r *Runner) destinationFails(kind string, err error) {
	r.shared.Hooks.ErrorLater(r.shared.Conditions.DestinationFails(kind, err))
}

// deliveryChanged takes in that a Send failed.
func (r *Runner) deliveryChanged(out *outlet, err error) {
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.sender.Status().Failing > 0 { // else it was acknowledged by now
		r.destinationFails(condition.KindDelivery, err)
	}
}

// deliveryEnded takes in that a failure is on its way no more.
func (c *core) deliveryEnded(out *outlet) {
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.sender.Status().Failing == 0 {
		c.Conditions.DestinationWell(condition.KindDelivery)
	}
}

// replaceDestination gives a destination that goes by the mapping's credentials new ones.
func (r *Runner) replaceDestination(next *auth.Credentials) {
	out := r.shared.Outlet.Load()
	if out == nil {
		return
	}
	select {
	case <-out.renewals: // older ones
	default:
	}
	out.renewals <- next // rotate alone sends
}

// closeDestination ends the sender and the destination, within what is left of the stop. The destination is closed in any
// case: that may be what ends a Send which ignores its context.
func (r *Runner) closeDestination(out *outlet) {
	r.beginStop() // of a Run that ended by itself
	begun, by := r.shared.Stopping.Times()
	by = by.Add(-by.Sub(begun) / 100) // the rest is for what it takes to say so
	since := time.Now()
	stage := func(part int, end func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(context.Background(), max(time.Until(by), 0)*time.Duration(part)/4)
		defer cancel()
		call := r.shared.Calls.Begin(OpDestination)
		defer r.shared.Calls.End(call)
		return end(ctx)
	}
	stuck := stage(2, out.sender.Close)
	if closer, ok := out.to.(destination.Closer); ok {
		if err := stage(3, closer.Close); err != nil {
			r.shared.Log.Warn("the on-failure destination was not closed in order", "err", err)
		}
	}
	if stuck != nil {
		stuck = stage(4, out.sender.Close)
	}
	if stuck != nil {
		r.shared.Left.Call(nil, StuckCall{Op: OpDestination, Since: since, Err: fmt.Errorf("a Send to the on-failure destination has not returned: %w", stuck)})
	}
}

// destinationStatus says how the destination stands; zero when there is none.
func (r *Runner) destinationStatus() (s DestinationStatus) {
	if out := r.shared.Outlet.Load(); out != nil {
		s.Name, s.SenderStatus = out.name, out.sender.Status()
	}
	return s
}
