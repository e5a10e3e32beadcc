package run

import (
	"context"
	"sync"

	"github.com/esm-go/esm/driver"
)

// tap sits between the engine and a client and can intercept its calls. Every field may be nil and is called on the
// goroutine of the call.
type tap struct {
	driver.Driver
	mu sync.Mutex
	// listener is the listener of the last opened client.
	listener driver.Listener
	// committed and topics change the broker's answer; listed is called with its answer to each ListOffsets, list instead
	// of the request.
	committed func(answers []driver.Committed) error
	topics    func(answers []driver.Topic) error
	listed    func(queries []driver.OffsetQuery, answers []driver.OffsetAnswer)
	list      func(ctx context.Context, c driver.Consumer, queries []driver.OffsetQuery) ([]driver.OffsetAnswer, error)
	commit    func(commits []driver.Commit)
	started   func(starts []driver.Start)
}

func (d *tap) Open(cfg driver.Config, l driver.Listener) (driver.Consumer, error) {
	d.set(func(d *tap) { d.listener = l })
	c, err := d.Driver.Open(cfg, l)
	return &tapped{c, d}, err
}

// set changes the tap while it is in use.
func (d *tap) set(f func(d *tap)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}

type tapped struct {
	driver.Consumer
	d *tap
}

func (c *tapped) Committed(ctx context.Context, tps []driver.TopicPartition) ([]driver.Committed, error) {
	answers, err := c.Consumer.Committed(ctx, tps)
	c.d.mu.Lock()
	f := c.d.committed
	c.d.mu.Unlock()
	if f != nil && err == nil {
		err = f(answers)
	}
	return answers, err
}

func (c *tapped) Topics(ctx context.Context, names ...string) ([]driver.Topic, error) {
	answers, err := c.Consumer.Topics(ctx, names...)
	c.d.mu.Lock()
	f := c.d.topics
	c.d.mu.Unlock()
	if f != nil && err == nil {
		err = f(answers)
	}
	return answers, err
}

func (c *tapped) ListOffsets(ctx context.Context, queries []driver.OffsetQuery) ([]driver.OffsetAnswer, error) {
	c.d.mu.Lock()
	list, listed := c.d.list, c.d.listed
	c.d.mu.Unlock()
	if list != nil {
		return list(ctx, c.Consumer, queries)
	}
	answers, err := c.Consumer.ListOffsets(ctx, queries)
	if listed != nil && err == nil {
		listed(queries, answers)
	}
	return answers, err
}

func (c *tapped) Commit(ctx context.Context, commits []driver.Commit) error {
	c.d.mu.Lock()
	f := c.d.commit
	c.d.mu.Unlock()
	if f != nil {
		f(commits)
	}
	return c.Consumer.Commit(ctx, commits)
}

func (c *tapped) Start(starts []driver.Start) {
	c.d.mu.Lock()
	f := c.d.started
	c.d.mu.Unlock()
	if f != nil {
		f(starts)
	}
	c.Consumer.Start(starts)
}
