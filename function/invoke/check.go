package invoke

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/esm-go/esm/function"
)

// recheck is how often an invalid configuration is checked again.
const recheck = 5 * time.Second

// Ready checks the function's configuration. It returns a *function.ConfigError if the function does not exist, is not
// active, or has a timeout over 14 minutes.
func (f *Function) Ready(ctx context.Context) error {
	f.checking.Lock()
	defer f.checking.Unlock()
	return f.look(ctx)
}

// Condition returns the result of the last check: nil, or a *function.ConfigError.
func (f *Function) Condition() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.condition
}

// check checks the configuration when it is due. One invocation does so at a time; concurrent ones wait for its result.
func (f *Function) check(ctx context.Context) error {
	if f.interval == 0 {
		return nil
	}
	if due, condition := f.due(); !due {
		return condition
	}
	f.checking.Lock()
	defer f.checking.Unlock()
	if due, condition := f.due(); !due { // another invocation has just checked
		return condition
	}
	return f.look(ctx)
}

func (f *Function) due() (due bool, condition error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	interval := f.interval
	if f.condition != nil {
		interval = min(interval, recheck)
	}
	return f.checked.IsZero() || time.Since(f.checked) >= interval, f.condition
}

// look fetches the configuration and stores the result. An error that says nothing about the function changes nothing.
func (f *Function) look(ctx context.Context) error {
	out, err := f.client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &f.name, Qualifier: f.qualifier})
	var condition error
	switch {
	case err == nil:
		condition = f.valid(out)
	case code(err) == "ResourceNotFoundException":
		condition = f.invalid("it does not exist (ResourceNotFoundException): create it, or fix FunctionName, qualifier, account and region", err)
	case ctx.Err() != nil:
		return fmt.Errorf("invoke: function %s: %w", f.full, context.Cause(ctx))
	default:
		f.mu.Lock()
		defer f.mu.Unlock()
		f.checked = time.Now()
		if !f.unchecked {
			f.unchecked = true
			f.log.Warn("the function's configuration cannot be read, but the function is invoked anyway: is lambda:GetFunctionConfiguration allowed?",
				"function", f.full, "code", code(err), "err", err)
		}
		return f.condition
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case condition != nil && f.condition == nil:
		f.log.Error("the function cannot be invoked", "function", f.full, "err", condition)
	case condition == nil && f.condition != nil:
		f.log.Info("the function can be invoked again", "function", f.full)
	}
	f.checked, f.condition, f.unchecked = time.Now(), condition, false
	return condition
}

// valid returns an error if a function with this configuration cannot be invoked.
func (f *Function) valid(c *lambda.GetFunctionConfigurationOutput) error {
	switch c.State {
	case "", types.StateActive, types.StateInactive: // Inactive: Lambda makes it active when it is invoked
	default:
		return f.invalid(fmt.Sprintf("its State is %s, not Active: %s", c.State, aws.ToString(c.StateReason)), nil)
	}
	if d := time.Duration(aws.ToInt32(c.Timeout)) * time.Second; d > MaximumTimeout {
		return f.invalid(fmt.Sprintf("its timeout is %v, and behind an event source mapping it may be 14 minutes at most: lower it", d), nil)
	}
	return nil
}

func (f *Function) invalid(reason string, err error) error {
	return &function.ConfigError{Function: f.full, Reason: reason, Err: err}
}
