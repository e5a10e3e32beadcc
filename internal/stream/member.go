package stream

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/commit"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/goroutine"
	"github.com/esm-go/esm/internal/intake"
	"github.com/esm-go/esm/internal/lag"
	"github.com/esm-go/esm/internal/lookup"
	"github.com/esm-go/esm/internal/operation"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/internal/snapshot"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/internal/stop"
	"github.com/esm-go/esm/observe"
)

// Member is one member of the consumer group: a client, the goroutine that polls it, the loop that owns all state, a
// goroutine for commits, several for lookups, and the invocations. Run starts them all and waits for them.
type Member struct {
	shared   *shared.State
	consumer driver.Consumer

	in      chan message               // from the poll goroutine and the driver's Listener calls, in order
	free    chan *intake.Delivery      // deliveries for the poll goroutine to fill
	done    chan *partition.Invocation // invocations that ended
	calls   *goroutine.Pool[*partition.Invocation]
	slots   chan struct{} // delivers a worker that the member waited for
	nudges  chan struct{} // the state that the members share has changed
	control chan func()   // runs on the loop
	polled  chan error    // the poll goroutine's end
	handed  partition.Handovers
	closed  chan struct{}

	// ready is closed when the first assignment has started.
	ready     chan struct{}
	readyOnce sync.Once

	// signs are for Healthy and for the end of Run.
	signs stop.Signs
	// troubles has the conditions that this member holds.
	troubles *condition.Holder
	// WaitsForCircuit is whether partitions are not fetched because the circuit is open.
	WaitsForCircuit atomic.Bool
	snapshots       snapshot.Publisher

	// quiet is called on the loop when a pause has taken effect: nothing is in flight any longer. pauseReported is the
	// wish that it was last called for.
	quiet         func()
	pauseReported atomic.Uint64

	// The loop goroutine owns the fields below.
	settings   *shared.Settings // the mapping's current settings, as last seen
	parts      map[event.TopicPartition]*partition.Partition
	pool       batch.Pool[*partition.Partition]
	retry      batch.Queue[*partition.Partition] // by the time of the next retry
	flying     map[*partition.Invocation]struct{}
	sending    int // partitions that wait for the destination
	slot       slot
	flow       flow
	commits    commit.Commits
	lookups    lookup.Lookups
	aging      partition.Aging
	still      lag.Still
	others     map[string]bool // other mappings in the group that were reported
	operations operation.Waiting
	rng        *rand.Rand

	revocation *revocation
	stop       stopState
	// since is for Status only. unsettledAt is when the assignment began to change, zero when all of it has started.
	since       snapshot.Since
	unsettledAt time.Time

	handlers       context.Context
	cancelHandlers context.CancelCauseFunc
	wake           time.Time // the earliest deadline that advance found
}

// message is what reaches the loop from the client: a delivery, or a Listener call with its answer channel.
type message struct {
	delivery *intake.Delivery
	kind     assignmentChange
	parts    []event.TopicPartition
	answered chan struct{}
}

type assignmentChange uint8

const (
	assigned assignmentChange = iota + 1
	revoked
	lost
)

// NewMember returns a member that has not run.
func NewMember(c *shared.State) *Member {
	m := &Member{
		shared:  c,
		in:      make(chan message),
		free:    make(chan *intake.Delivery, 2),
		done:    make(chan *partition.Invocation),
		slots:   make(chan struct{}, 1),
		nudges:  make(chan struct{}, 1),
		quiet:   func() {},
		control: make(chan func()),
		polled:  make(chan error, 1),
		handed:  partition.Handovers{Word: make(chan struct{}, 1)},
		closed:  make(chan struct{}),
		ready:   make(chan struct{}),

		troubles: c.Conditions.NewHolder(),
	}
	m.calls = goroutine.New(m.call)
	m.free <- new(intake.Delivery)
	m.free <- new(intake.Delivery)
	m.snapshots.Init()
	m.settings = c.Current.Load()
	m.parts = make(map[event.TopicPartition]*partition.Partition)
	m.flying = make(map[*partition.Invocation]struct{})
	m.flow.full = make(map[*partition.Partition]struct{})
	m.others = make(map[string]bool)
	m.aging.Pins = c.Config.Driver.Features().SharedMemory
	m.rng = rand.New(rand.NewPCG(c.Config.Seed, c.Config.Seed^0x9e3779b97f4a7c15))
	m.commits.Init(c.Config.CommitInterval, m.rng)
	topicIDs := c.Config.LagInterval
	if !c.Config.Driver.Features().TopicIDs {
		topicIDs = 0
	}
	m.lookups.Init(topicIDs, m.rng)
	return m
}

// Run joins the group and works until ctx ends or the client fails permanently. It returns when every goroutine that it
// started has returned, or leaves behind those that do not; a *StuckError names them.
func (m *Member) Run(ctx context.Context, cfg driver.Config) error {
	consumer, err := m.shared.Config.Driver.Open(cfg, listener{m})
	if err != nil {
		close(m.closed)
		op := "open the " + m.shared.Config.Driver.Name() + " client"
		if !auth.Classify(err).Known() { // an error about credentials explains itself
			op += ": check the client options"
		}
		return &observe.SourceError{Op: op, Err: err}
	}
	m.consumer = consumer

	// Everything below outlives ctx: a stop drains, commits and closes first.
	background := context.WithoutCancel(ctx)
	m.handlers, m.cancelHandlers = context.WithCancelCause(background)
	pollCtx, stopPolling := context.WithCancel(background)
	ioCtx, stopIO := context.WithCancel(background)
	m.stop.stopPolling = stopPolling
	m.followCircuit(time.Now())

	var io sync.WaitGroup
	io.Go(func() { m.commits.Run(ioCtx, m.consumer, m.closed) })
	asker := start.Asker{Consumer: consumer, Census: &m.shared.Census, Cluster: m.shared.Cluster,
		Fingerprint: func() string { return m.shared.Current.Load().Fingerprint }}
	for range lookup.AtOnce {
		io.Go(func() { m.lookups.Run(ioCtx, &asker, &m.shared.Calls, m.closed) })
	}
	go func() { m.polled <- m.pollLoop(pollCtx, background) }() // the loop waits for it, with a bound

	err = m.loop(ctx)
	for _, p := range m.parts { // of a client that did not report them revoked, or of handlers left behind
		m.remove(p)
	}
	m.publish(time.Now())
	m.signs.Busy.Store(0)
	close(m.closed)
	m.calls.Close()
	m.troubles.End(func(*observe.Condition) bool { return true })
	m.shared.Workers.Leave(m.slots)
	stopPolling()
	stopIO()
	m.cancelHandlers(observe.ErrStopping)
	io.Wait()
	return err
}

// pollLoop is the poll goroutine, the only one that calls Poll and Close.
func (m *Member) pollLoop(ctx, background context.Context) error {
	var fatal error
	for ctx.Err() == nil && fatal == nil {
		var d *intake.Delivery
		select {
		case d = <-m.free:
		case <-ctx.Done():
			continue
		}
		m.signs.Polling.Store(time.Now().UnixNano())
		fatal = m.consumer.Poll(ctx, &d.Fetch)
		m.signs.Polling.Store(0)
		if len(d.Runs) == 0 && len(d.Errors) == 0 {
			m.free <- d
			continue
		}
		d.Prepare(m.shared.Current.Load().Filter)
		select {
		case m.in <- message{delivery: d}:
		case <-m.closed:
		}
	}
	if fatal != nil {
		select {
		case m.control <- func() { m.fail(fatal) }:
		case <-m.closed:
		}
		// The client is of no further use, but the engine closes it when the loop says so.
		<-ctx.Done()
	}
	m.signs.Closing.Store(time.Now().UnixNano())
	closeCtx, cancel := context.WithDeadline(background, m.stop.closeBy) // set before ctx ended
	defer cancel()
	defer func() {
		m.signs.Closing.Store(0)
		m.shared.Left.Returned(m)
	}()
	return m.consumer.Close(closeCtx)
}

// listener passes the driver's calls to the loop and waits for its answer.
type listener struct{ m *Member }

func (l listener) Assigned(parts []event.TopicPartition) { l.tell(assigned, parts) }
func (l listener) Revoked(parts []event.TopicPartition)  { l.tell(revoked, parts) }
func (l listener) Lost(parts []event.TopicPartition)     { l.tell(lost, parts) }

func (l listener) tell(kind assignmentChange, parts []event.TopicPartition) {
	msg := message{kind: kind, parts: parts, answered: make(chan struct{})}
	select {
	case l.m.in <- msg:
	case <-l.m.closed:
		return
	}
	select {
	case <-msg.answered:
	case <-l.m.closed:
	}
}
