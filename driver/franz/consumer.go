package franz

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
)

// ErrClosed is wrapped by the errors of all calls after Close.
var ErrClosed = errors.New("franz: the consumer is closed")

// consumer is one group member. Only the poll goroutine, the caller of Poll and Close, takes records from the client
// and changes its pauses and positions. kgo's group goroutine runs the Listener; gate makes the two take turns.
type consumer struct {
	cfg          driver.Config
	listener     driver.Listener
	subscription subscription
	client       *kgo.Client
	// control sends what must not wait behind a fetch: commits, lookups and the driver's own heartbeats. kgo writes to a
	// broker from one goroutine, which sleeps while the broker throttles a fetch (a quota).
	control  *kgo.Client
	security security

	// life ends when Close gives up or has finished. Every request of the client ends with it.
	life    context.Context
	endLife context.CancelFunc
	closed  atomic.Bool

	gate       gate
	polls      polls
	waker      waker
	assigned   assignment
	membership membership
	// doubted makes keepAlive check the membership at once.
	doubted chan struct{}
	// committing holds a token while a commit is in flight, so that commits reach the group in order.
	committing chan struct{}
	report     reporter
	rebalances atomic.Int64
	// out: the group moved on without this member, which has not rejoined yet.
	out atomic.Bool
	// brokers is the number of brokers as last seen.
	brokers atomic.Int32
	// served: a broker has answered more than ApiVersions and the SASL handshake, so the way of connecting is right.
	served atomic.Bool
	// saslHangUps counts the consecutive connections that brokers closed during SASL.
	saslHangUps atomic.Int32
	fatal       atomic.Pointer[driver.Error]

	topics watcher

	// tasks counts the goroutines other than kgo's own; none starts after ended is set.
	tasksMu sync.Mutex
	tasks   sync.WaitGroup
	ended   bool
}

func open(o options, cfg driver.Config, listener driver.Listener) (*consumer, error) {
	if err := refuseOwned(o.kgo); err != nil {
		return nil, configError(err)
	}
	sub, err := newSubscription(cfg.Topics)
	if err != nil {
		return nil, configError(err)
	}
	c := &consumer{cfg: cfg, listener: listener, subscription: sub}
	if err := c.security.set(cfg.Credentials); err != nil {
		return nil, configError(err)
	}
	c.security.changed = make(chan struct{}, 1)
	c.life, c.endLife = context.WithCancel(context.Background())
	c.doubted = make(chan struct{}, 1)
	c.committing = make(chan struct{}, 1)
	c.gate.init()
	c.assigned.init()
	c.report.init(c.waker.wake)
	c.topics.init()
	balancers, err := c.balancers(o.kgo)
	if err != nil {
		c.endLife()
		return nil, configError(err)
	}
	if c.control, err = kgo.NewClient(c.controlOpts(o.kgo)...); err != nil {
		c.endLife()
		return nil, configError(err)
	}
	if c.client, err = kgo.NewClient(c.clientOpts(o.kgo, balancers)...); err != nil {
		c.endLife()
		c.control.Close()
		return nil, configError(err)
	}
	c.polls.begin(false)
	c.goTask(c.watch)
	c.goTask(c.keepAlive)
	if c.security.current.Load().credentials.Mechanism == auth.MechanismOAuthBearer {
		c.goTask(c.keepTokens)
	}
	if cfg.MaxPollInterval > 0 {
		c.goTask(c.watchPolls)
	}
	return c, nil
}

func configError(err error) error {
	return &driver.Error{Kind: driver.KindInvalidConfig, Offset: -1, Err: err}
}

const (
	// pollLimit is how long a Poll waits at most, by contract.
	pollLimit = time.Second
	// maxPollRecords bounds one Poll, so that the converted records take little memory compared with what the client
	// holds, and are still in the processor's cache when the receiver reads them.
	maxPollRecords = 1 << 14
)

// Poll waits for records and for other things to report.
func (c *consumer) Poll(ctx context.Context, into *driver.Fetch) error {
	into.Reset()
	c.polls.begin(true)
	defer c.polls.begin(false)
	ctx, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	for {
		if err := c.broken(); err != nil {
			return err
		}
		c.gate.giveWay()
		c.take(c.await(ctx), into)
		into.Errors = c.report.drain(into.Errors)
		if len(into.Runs)+len(into.Errors) > 0 {
			return nil
		}
		if ctx.Err() != nil {
			return c.broken()
		}
	}
}

// await returns what the client has. It waits until ctx ends or there is a reason not to wait.
func (c *consumer) await(ctx context.Context) kgo.Fetches {
	if c.membership.doubtful(c.sessionTimeout()) {
		c.awaitCertainty(ctx)
		return nil
	}
	again := c.apply()
	if fetches := c.client.PollRecords(nil, maxPollRecords); len(fetches) > 0 { //nolint:staticcheck // nil: do not wait
		return fetches
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !c.waker.arm(cancel) {
		return nil
	}
	defer c.waker.disarm()
	if c.gate.callWaits() || c.report.pending() {
		return nil
	}
	if again > 0 {
		timer := time.AfterFunc(again, cancel)
		defer timer.Stop()
	}
	return c.client.PollRecords(ctx, maxPollRecords)
}

// awaitCertainty waits while it is not known whether the group still has this member: another member might own what
// would be delivered.
func (c *consumer) awaitCertainty(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !c.waker.arm(cancel) {
		return
	}
	defer c.waker.disarm()
	if c.gate.callWaits() || c.report.pending() {
		return
	}
	select {
	case c.doubted <- struct{}{}:
	default:
	}
	<-ctx.Done()
}

// broken returns the error of a consumer that can no longer be used.
func (c *consumer) broken() error {
	if err := c.fatal.Load(); err != nil {
		return err
	}
	if c.closed.Load() {
		return &driver.Error{Kind: driver.KindOther, Offset: -1, Err: ErrClosed}
	}
	return nil
}

// Member returns the consumer's state in its group.
func (c *consumer) Member() driver.Member {
	id, generation := c.client.GroupMetadata()
	return driver.Member{ID: id, Generation: generation, Rebalances: c.rebalances.Load()}
}

// Close leaves the group and frees the client.
func (c *consumer) Close(ctx context.Context) error {
	if c.closed.Swap(true) {
		return nil
	}
	c.gate.openForGood()
	done := make(chan error, 1)
	go func() {
		// Everything that this goroutine waits for ends with life, except a Listener call, which the engine bounds.
		leave, cancel := withMargin(ctx)
		defer cancel()
		left := make(chan struct{})
		var hurry sync.WaitGroup
		hurry.Go(func() { c.hurry(left, cancel) })
		err := c.client.LeaveGroupContext(leave)
		close(left)
		hurry.Wait()
		if err != nil {
			c.endLife() // no more requests: the client closes without waiting for a broker
		}
		c.client.Close()
		c.endTasks()
		c.control.Close()
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("franz: closed without leaving the group, which gives the partitions away after the session timeout: %w", err)
		}
		return nil
	case <-ctx.Done():
		c.endLife()
		return fmt.Errorf("franz: left behind at Close: a Listener call or the client: %w", ctx.Err())
	}
}

const (
	// leaveStep is the time between two checks of a member that is leaving.
	leaveStep = 500 * time.Millisecond
	// leaveSteps is how many steps may pass without a Listener call before the wait for the group ends.
	leaveSteps = 4
)

// hurry makes a member leave soon. kgo waits for a pending join before it leaves. That can take as long as the group's
// slowest member, or forever if the coordinator is gone. So hurry asks the group to drop the member, which ends its
// join, and gives up after leaveSteps. Time in Listener calls does not count: the engine bounds it.
func (c *consumer) hurry(left <-chan struct{}, giveUp func()) {
	step := time.NewTicker(leaveStep)
	defer step.Stop()
	for idle := 0; ; {
		select {
		case <-left:
			return
		case <-c.life.Done():
			return
		case <-step.C:
		}
		if c.gate.busy() {
			idle = 0
			continue
		}
		idle++
		if member, _ := c.client.GroupMetadata(); idle == 1 && member != "" && c.cfg.InstanceID == "" {
			c.goTask(func() { c.expel(member) })
		}
		if idle == leaveSteps {
			giveUp()
			return
		}
	}
}

// withMargin returns a context that ends a little before ctx does, to leave time to shut down the client.
func withMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	return context.WithTimeout(ctx, left-min(left/4, 500*time.Millisecond))
}

// waker interrupts the poll goroutine while it waits for the client.
type waker struct {
	mu     sync.Mutex
	woken  bool
	cancel context.CancelFunc
}

func (w *waker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.woken = true
	if w.cancel != nil {
		w.cancel()
	}
}

// arm registers cancel for the next wake. It returns false if there was a wake since the last arm.
func (w *waker) arm(cancel context.CancelFunc) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.woken {
		w.woken = false
		return false
	}
	w.cancel = cancel
	return true
}

func (w *waker) disarm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel = nil
}
