package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/observe"
)

const (
	// refusedInterval is the minimum time between two reads of the secrets that refusals cause.
	refusedInterval = 10 * time.Second
	// expiryInterval is the time between two warnings about the same certificates that are about to expire.
	expiryInterval = 24 * time.Hour
	// probeTimeout bounds one trial of new credentials.
	probeTimeout = 20 * time.Second
	// probeAgain is the time until credentials that did not work are tried again: a rotation often changes the secret
	// before the brokers know it.
	probeAgain = 15 * time.Second
)

// inForce records the credentials that are used from now on.
func (r *Process) inForce(c *auth.Credentials, rotated bool) {
	if rotated { // conditions of the old ones no longer apply
		r.shared.Conditions.Forget(func(c *observe.Condition) bool {
			return c.Kind == driver.KindAuthentication.String() || c.Kind == driver.KindAuthorization.String() || c.Diagnosis.Code == auth.CodeAuthnError
		})
	}
	r.shared.Conditions.Diagnosis.Use(c, r.client.GroupID)
	unlock := r.lock()
	defer unlock()
	r.credentials.Since, r.credentials.Err = time.Now(), nil
	r.credentials.Expires = c.Expires()
	r.credentials.Protocol, r.credentials.Mechanism, r.credentials.Principal = connects(c)
	if c != nil {
		r.credentials.InUse = c.String()
	}
	if rotated {
		r.credentials.Rotations++
	}
}

// watchSecrets reads the secrets again at the interval, when brokers refuse the credentials, and when Update names
// others, until ctx ends. It passes new credentials to Run.
func (r *Process) watchSecrets(ctx context.Context, client driver.Config, rotations chan<- rotation) {
	interval := r.opts.SecretsRefresh
	reads := func() bool { return interval > 0 && needsSecrets(r.sourceAccess()) }
	const never = time.Duration(math.MaxInt64)
	timer := time.NewTimer(never)
	defer timer.Stop()
	var refused <-chan struct{}
	if reads() {
		refused = r.shared.Conditions.Diagnosis.Refused
		timer.Reset(interval)
	}
	var last time.Time
	warned := time.Now() // the start has warned already
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.access:
		case <-refused:
			// The refusal is noted and handled when the timer fires; further ones are ignored until then.
			if wait := time.Until(last.Add(min(refusedInterval, interval))); wait > 0 {
				refused = nil
				timer.Reset(wait)
				continue
			}
		case <-timer.C:
		}
		last = time.Now()
		if last.Sub(warned) >= expiryInterval {
			warned = last
			for _, w := range client.Credentials.ExpiryWarnings(last) {
				r.shared.Log.Warn("credentials", "warning", w)
			}
		}
		after := never
		refused = nil
		if reads() {
			after, refused = interval, r.shared.Conditions.Diagnosis.Refused
		}
		call := r.shared.Calls.Begin(observe.OpRotation)
		settled, err := r.rotate(ctx, &client, rotations)
		r.shared.Calls.End(call)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			after = min(after, probeAgain)
			r.keep(err)
		case settled:
			unlock := r.lock()
			r.credentials.Err = nil
			unlock()
			r.shared.Conditions.Over(observe.OpRotation)
		}
		timer.Reset(after)
	}
}

// keep reports why the credentials in use are kept.
func (r *Process) keep(err error) {
	unlock := r.lock()
	r.credentials.Err = err
	unlock()
	d := auth.Classify(err)
	why := "what the secret now holds cannot be used"
	switch d.Cause {
	case auth.CauseSecret, auth.CauseSecretUnavailable:
		why = "the secret cannot be read"
		if errors.Is(err, auth.ErrSecretInvalid) || errors.Is(err, auth.ErrSecretTooLarge) {
			why = "the secret is not valid"
		}
	}
	// The last processing result is not changed: the credentials in use work, or another condition says that they do not.
	info := observe.ErrorInfo{Op: observe.OpRotation, Err: fmt.Errorf("the current credentials stay in use: %s: %w", why, err), LastProcessingResult: r.shared.Conditions.LastWord(), Diagnosis: d}
	r.shared.Conditions.Hold(info)
	info.Err = err
	r.shared.Hooks.ErrorLater(info)
}

// rotate reads the secrets and, if they have changed, tries them and puts them in force. It reports whether the newest
// are in use.
func (r *Process) rotate(ctx context.Context, client *driver.Config, rotations chan<- rotation) (settled bool, err error) {
	next, warnings, err := auth.Resolve(ctx, r.opts.Secrets, r.sourceAccess())
	if err != nil {
		return false, err
	}
	if next.Equal(client.Credentials) {
		return true, nil
	}
	for _, w := range warnings {
		r.shared.Log.Warn("credentials", "warning", w.String())
	}
	trial := *client
	trial.Credentials = next
	if p, ok := r.opts.Driver.(driver.Prober); ok {
		probeCtx, cancel := context.WithTimeout(ctx, probeTimeout)
		err := p.Probe(probeCtx, trial)
		cancel()
		if err != nil {
			err = r.clearer(ctx, trial, err)
			return false, fmt.Errorf("the brokers do not take the new credentials: %w", err)
		}
	}
	rot := rotation{next, make(chan error, 1)}
	select {
	case rotations <- rot:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	if err := <-rot.answer; err != nil { // Run answers every rotation that it receives
		return false, err
	}
	client.Credentials = next
	r.replaceDestination(next)
	r.shared.Log.Info("credentials rotated", "credentials", next.String())
	return true, nil
}
