package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/auth/secretsmanager"
	"github.com/esm-go/esm/function"
	"github.com/esm-go/esm/function/invoke"
	"github.com/esm-go/esm/function/runtime"
	"github.com/esm-go/esm/function/web"
	"github.com/esm-go/esm/manager"
)

// fleet holds the functions and secrets of a service. It implements manager.Functions.
type fleet struct {
	registry function.Registry
	names    []string
	pools    []*runtime.Pool
	secrets  auth.Secrets
	allowed  manager.Allowed
	demands  demands
}

// newFleet creates the functions of a functions file, and starts the worker processes. A function that is not ready yet
// is not an error: its mappings report the problem.
func newFleet(ctx context.Context, c *serviceConfig, logger *slog.Logger) (*fleet, error) {
	f := &fleet{allowed: c.allowed, secrets: newSecrets(ctx, c.secrets)}
	var errs []error
	for _, one := range c.functions {
		target, err := f.target(ctx, one, logger.With("function", one.name))
		if err == nil {
			err = f.registry.Register(one.name, target)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %s: %w", c.file, one.line, one.path, err))
		}
		f.names = append(f.names, one.name)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	// In parallel: a cold start may take seconds.
	var group sync.WaitGroup
	for _, pool := range f.pools {
		group.Go(func() {
			if err := pool.Start(ctx); err != nil {
				logger.Warn("a function's workers do not start; they are tried again", "function", pool.Status().FunctionName, "err", err)
			}
		})
	}
	group.Wait()
	return f, nil
}

func (f *fleet) target(ctx context.Context, c functionConfig, logger *slog.Logger) (function.Target, error) {
	switch {
	case c.url != "":
		opts := []web.Option{web.WithName(c.name), web.WithLogger(logger)}
		if c.timeout > 0 {
			opts = append(opts, web.WithTimeout(c.timeout))
		}
		return web.New(c.url, opts...)
	case c.lambda != "":
		name, err := function.ParseName(c.lambda)
		if err != nil {
			return nil, err
		}
		cfg, err := config.LoadDefaultConfig(ctx, func(o *config.LoadOptions) error {
			if name.Region != "" {
				o.Region = name.Region
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		return invoke.New(lambda.NewFromConfig(cfg), c.lambda, invoke.WithLogger(logger))
	}
	opts := []runtime.Option{runtime.WithLogger(logger)}
	if c.workers > 0 {
		opts = append(opts, runtime.WithWorkerRange(1, c.workers))
	}
	pool, err := runtime.New(runtime.Config{
		FunctionName: c.name, Command: c.command, Dir: c.directory, Environment: c.variables, Timeout: c.timeout, MemorySize: c.memoryMB,
	}, opts...)
	if err != nil {
		return nil, err
	}
	f.pools = append(f.pools, pool)
	return pool, nil
}

func (f *fleet) len() int { return len(f.names) }

// stop ends the worker processes.
func (f *fleet) stop(ctx context.Context) {
	var group sync.WaitGroup
	for _, pool := range f.pools {
		group.Go(func() { pool.Stop(ctx) })
	}
	group.Wait()
}

// end calls stop with a time limit, for exits before anything has been stopped.
func (f *fleet) end(within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	f.stop(ctx)
}

// Resolve finds a mapping's function.
func (f *fleet) Resolve(name string) (esm.Handler, error) {
	target, err := f.registry.Resolve(name)
	if _, missing := errors.AsType[*function.NotFoundError](err); missing {
		return nil, fmt.Errorf("%w: %s", manager.ErrFunctionNotFound, name)
	}
	if err != nil {
		return nil, err
	}
	return target.Handle, nil
}

// newSecrets returns the stores that a functions file names. The AWS SDK is only loaded for a secret on AWS.
func newSecrets(ctx context.Context, c secretsConfig) auth.Secrets {
	secrets := auth.Prefixes{}
	if c.files != "" {
		secrets["file:"] = auth.NewFiles(c.files)
	}
	if c.env {
		secrets["env:"] = auth.NewEnv()
	}
	if c.aws {
		store := sync.OnceValues(func() (auth.Secrets, error) {
			return secretsmanager.New(context.WithoutCancel(ctx))
		})
		secrets["arn:"] = auth.SecretsFunc(func(ctx context.Context, uri string) ([]byte, string, error) {
			s, err := store()
			if err != nil {
				return nil, "", err
			}
			return s.Secret(ctx, uri)
		})
	}
	return secrets
}
