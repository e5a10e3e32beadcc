package run

import (
	"context"
	"sync/atomic"

	"github.com/esm-go/esm/driver"
)

// wire sits between the engine and its clients, which it numbers from 1. Every field may be nil, and is set before the
// first client is opened.
type wire struct {
	driver.Driver
	opened atomic.Int64
	// polls is called before each Poll; polled can change a Poll's error, brings its records.
	polls  func(n int, ctx context.Context)
	polled func(n int, err error) error
	brings func(n int, into *driver.Fetch)
	// commit and close are called instead of the client's methods.
	commit func(n int, ctx context.Context, c driver.Consumer, commits []driver.Commit) error
	close  func(n int, ctx context.Context, c driver.Consumer) error
}

func (d *wire) Open(cfg driver.Config, l driver.Listener) (driver.Consumer, error) {
	c, err := d.Driver.Open(cfg, l)
	return &wired{c, d, int(d.opened.Add(1))}, err
}

type wired struct {
	driver.Consumer
	d *wire
	n int
}

func (c *wired) Poll(ctx context.Context, into *driver.Fetch) error {
	if c.d.polls != nil {
		c.d.polls(c.n, ctx)
	}
	err := c.Consumer.Poll(ctx, into)
	if c.d.brings != nil {
		c.d.brings(c.n, into)
	}
	if c.d.polled != nil {
		err = c.d.polled(c.n, err)
	}
	return err
}

func (c *wired) Commit(ctx context.Context, commits []driver.Commit) error {
	if c.d.commit != nil {
		return c.d.commit(c.n, ctx, c.Consumer, commits)
	}
	return c.Consumer.Commit(ctx, commits)
}

func (c *wired) Close(ctx context.Context) error {
	if c.d.close != nil {
		return c.d.close(c.n, ctx, c.Consumer)
	}
	return c.Consumer.Close(ctx)
}
