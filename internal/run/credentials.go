package run

import (
	"context"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/observe"
)

// needsSecrets reports whether configs name a secret.
func needsSecrets(configs []auth.SourceAccessConfiguration) bool {
	for _, c := range configs {
		if c.Type != auth.VPCSubnet && c.Type != auth.VPCSecurityGroup {
			return true
		}
	}
	return false
}

// sourceAccess returns the mapping's current SourceAccessConfigurations.
func (r *Process) sourceAccess() []auth.SourceAccessConfiguration {
	unlock := r.lock()
	defer unlock()
	return r.mapping.SourceAccessConfigurations
}

// resolveCredentials reads the mapping's secrets. It retries an error that may be temporary, such as a store that
// cannot be reached, until ctx ends. It returns any other error, such as a key that does not match its certificate.
func (r *Process) resolveCredentials(ctx context.Context) (*auth.Credentials, error) {
	if !needsSecrets(r.sourceAccess()) {
		return nil, nil
	}
	for n := 1; ; n++ {
		c, warnings, err := auth.Resolve(ctx, r.opts.Secrets, r.sourceAccess())
		if err == nil {
			r.shared.Conditions.Over(observe.OpCredentials)
			for _, w := range warnings {
				r.shared.Log.Warn("credentials", "warning", w.String())
			}
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		info := r.shared.Conditions.Problem(observe.OpCredentials, err)
		r.shared.Conditions.Hold(info)
		r.shared.Hooks.ErrorLater(info)
		if !info.Diagnosis.Retryable {
			r.fault(info.Diagnosis.Code)
			return nil, &observe.SourceError{Op: "read the credentials that SourceAccessConfigurations name", Err: err}
		}
		after := limit.Backoff{First: time.Second, Most: time.Minute}.After(n, nil)
		select {
		case <-time.After(after):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// fault records Lambda's code for the reason why the mapping stopped by itself.
func (r *Process) fault(code auth.Code) {
	if code == "" {
		return
	}
	unlock := r.lock()
	defer unlock()
	r.faultCode = string(code)
}
