package esm

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/filter"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/limit"
)

// core is what the members of one mapping share.
type core struct {
	opts    *options
	handler Handler
	log     *slog.Logger
	hooks   *hookList
	// conditions are what is wrong, stopping the stop of Run, left what it had to leave behind.
	conditions conditions
	stopping   stopping
	left       left
	calls      calls
	counters   counters
	budget     limit.Bytes
	workers    limit.Slots
	circuit    limit.Circuit
	roster     roster
	copies     batch.Copies
	wish       pauseWish
	// hasDestination: records given up go to outlet, which is there before the first member.
	hasDestination bool
	outlet         atomic.Pointer[outlet]
	current        atomic.Pointer[settings]
	// functionName, uuid and bootstrap are the mapping's, as invocations show them.
	functionName, uuid, bootstrap string
	// cluster is the fingerprint of the bootstrap servers, for notes; group the consumer group.
	cluster                    string
	group                      string
	census                     census
	invocations                atomic.Uint64
	saidOfRetries, saidOfDrops said
	diagnosis                  diagnosis
	// result is the LastProcessingResult.
	result atomic.Pointer[string]
	// unasked is when items were named for nothing last (Unix time, in ns; 0: they are not), functionProblem the code
	// of why the function cannot be invoked as it is, nil when it can.
	unasked         atomic.Int64
	functionProblem atomic.Pointer[string]
}

// member is one member of the consumer group: a client, the goroutine that polls it, the loop that owns all state, a
// goroutine for commits and some for looking up offsets, and the invocations. run starts and awaits them all.
type member struct {
	*core
	consumer driver.Consumer

	in      chan message       // from the poll goroutine and the driver's Listener calls, in order
	free    chan *delivery     // deliveries for the poll goroutine to fill
	done    chan *invocation   // invocations that ended
	slots   chan struct{}      // a worker that was waited for
	nudges  chan struct{}      // the members' common state changed
	control chan func()        // runs on the loop
	commits chan commitRequest // to the commit goroutine
	acks    chan commitResult
	lookups chan lookup // to the lookup goroutines
	answers chan lookup
	polled  chan error // the poll goroutine's end
	handed  handovers
	closed  chan struct{}

	// ready is closed when the first assignment is started.
	ready     chan struct{}
	readyOnce sync.Once

	// For Healthy and the end, read from other goroutines: when the last Poll returned, since when the loop is busy (0 = it
	// waits), and since when the group has taken everything away; since when a Poll, the Close, a commit and a lookup run (0 =
	// none does). Unix nanoseconds.
	lastPoll, busySince, lostSince  atomic.Int64
	inPoll, closeBegan, commitBegan atomic.Int64
	// troubles counts the conditions that this member holds.
	troubles atomic.Int32
	// waitsForCircuit: partitions are not fetched, for the circuit is open.
	waitsForCircuit atomic.Bool
	// published is the last snapshot; wanted: somebody asked for another one.
	published atomic.Pointer[snapshot]
	wanted    atomic.Bool

	// quiet is called on the loop when a pause has taken effect here: nothing is in flight any more. pauseReported is the wish that
	// it was.
	quiet         func()
	pauseReported atomic.Uint64

	loopState
}

// loopState is owned by the loop goroutine.
type loopState struct {
	settings *settings // the core's current ones, as last seen
	parts    map[TopicPartition]*partition
	pool     batch.Pool[*partition]
	retry    batch.Queue[*partition] // by the time of the next try
	flying   map[*invocation]struct{}
	sending  int // partitions that wait for the destination
	paused   bool
	obeyed   uint64 // the wish that paused follows
	// tripped: the circuit was open, and not half-open, when it was last looked at.
	tripped bool
	// slot: a worker is held for the next invocation; waiting: one was asked for and comes through slots.
	slot, waiting bool
	epochs        uint64
	rng           *rand.Rand

	// dirty are the partitions whose position may have moved; committing the request under way.
	dirty        []*partition
	committing   *commitRequest
	commitAfter  time.Time // not before, after an error
	commitPause  time.Time // nor before this, unless a revocation or a stop waits for it
	commitErrors int

	// begun are partitions whose start was found and is to be committed before they run; refused those whose position was
	// not accepted when others' were, looked at again from refusedAfter on.
	begun        []*partition
	refused      []*partition
	refusedAfter time.Time
	refusals     int
	nextRefresh  time.Time // when all positions are committed again
	noted        string    // the mapping's fingerprint in what was committed last

	queuedLookups []lookup
	checkFailed   bool      // of the ids of topics, the last one
	lookingUp     int       // lookups under way
	nextOthers    time.Time // when to look for another mapping's commits; zero = not before the next assignment
	others        map[string]bool
	nextCheck     time.Time // of the topics' ids
	// pins: the client's records keep the fetch that brought them in memory; nextAge is when to look for such that wait.
	pins    bool
	nextAge time.Time

	// fullSince is since when partitions wait for memory; fullTold: that is a condition by now.
	fullSince time.Time
	fullTold  bool

	revocation *revocation
	stop       stopState

	toPause, toResume []TopicPartition
	toStart           []driver.Start
	budgetPaused      map[*partition]struct{}

	handlers       context.Context
	cancelHandlers context.CancelCauseFunc
	wake           time.Time // the earliest deadline found by advance
}

// message is what reaches the loop from the client's side: a delivery, or a Listener call with its answer channel.
type message struct {
	delivery *delivery
	kind     assignmentChange
	parts    []TopicPartition
	answered chan struct{}
}

type assignmentChange uint8

const (
	assigned assignmentChange = iota + 1
	revoked
	lost
)

// delivery is a fetch with what the poll goroutine worked out about it.
type delivery struct {
	driver.Fetch
	sizes   []int // of each run, encoded
	largest []int // of each run's largest record, encoded
	read    []int // records of each run, before the filter
	wrong   []int // of those, filtered for their kind

	scratch filter.Scratch
}

func newMember(c *core) *member {
	m := &member{
		core:    c,
		in:      make(chan message),
		free:    make(chan *delivery, 2),
		done:    make(chan *invocation),
		slots:   make(chan struct{}, 1),
		nudges:  make(chan struct{}, 1),
		quiet:   func() {},
		control: make(chan func()),
		commits: make(chan commitRequest, 1),
		acks:    make(chan commitResult, 1),
		lookups: make(chan lookup, lookupsAtOnce),
		answers: make(chan lookup, 1),
		polled:  make(chan error, 1),
		handed:  handovers{word: make(chan struct{}, 1)},
		closed:  make(chan struct{}),
		ready:   make(chan struct{}),
	}
	m.free <- new(delivery)
	m.free <- new(delivery)
	m.published.Store(&snapshot{heard: make(chan struct{})})
	s := c.current.Load()
	m.loopState = loopState{
		settings:     s,
		parts:        make(map[TopicPartition]*partition),
		flying:       make(map[*invocation]struct{}),
		pins:         c.opts.driver.Features().SharedMemory,
		rng:          rand.New(rand.NewPCG(c.opts.seed, c.opts.seed^0x9e3779b97f4a7c15)),
		others:       make(map[string]bool),
		budgetPaused: make(map[*partition]struct{}),
	}
	return m
}

// run joins the group and works until ctx ends or the client fails for good. It returns when every goroutine that it
// started has returned, or with a *StuckError.
func (m *member) run(ctx context.Context, cfg driver.Config) error {
	consumer, err := m.opts.driver.Open(cfg, listener{m})
	if err != nil {
		close(m.closed)
		op := "open the " + m.opts.driver.Name() + " client"
		if !auth.Classify(err).Known() { // what is wrong with credentials says so itself
			op += ": check the client options"
		}
		return &SourceError{Op: op, Err: err}
	}
	m.consumer = consumer
	m.lastPoll.Store(time.Now().UnixNano())

	// Everything below outlives ctx: a stop drains, commits and closes first.
	background := context.WithoutCancel(ctx)
	m.handlers, m.cancelHandlers = context.WithCancelCause(background)
	pollCtx, stopPolling := context.WithCancel(background)
	ioCtx, stopIO := context.WithCancel(background)
	m.stop.stopPolling = stopPolling
	m.followCircuit(time.Now())

	var io sync.WaitGroup
	io.Go(func() { m.commitLoop(ioCtx) })
	for range lookupsAtOnce {
		io.Go(func() { m.lookupLoop(ioCtx) })
	}
	go func() { m.polled <- m.pollLoop(pollCtx, background) }() // awaited by the loop, with a bound

	err = m.loop(ctx)
	for _, p := range m.parts { // of a client that did not say that they are revoked, or of handlers left behind
		m.remove(p)
	}
	m.publish(time.Now())
	m.busySince.Store(0)
	close(m.closed)
	m.conditions.end(m, func(*Condition) bool { return true })
	m.workers.Leave(m.slots)
	stopPolling()
	stopIO()
	m.cancelHandlers(ErrStopping)
	io.Wait()
	return err
}

// pollLoop is the poll goroutine: the only one that calls Poll and Close.
func (m *member) pollLoop(ctx, background context.Context) error {
	var fatal error
	for ctx.Err() == nil && fatal == nil {
		var d *delivery
		select {
		case d = <-m.free:
		case <-ctx.Done():
			continue
		}
		m.inPoll.Store(time.Now().UnixNano())
		fatal = m.consumer.Poll(ctx, &d.Fetch)
		m.inPoll.Store(0)
		m.lastPoll.Store(time.Now().UnixNano())
		if len(d.Runs) == 0 && len(d.Errors) == 0 {
			m.free <- d
			continue
		}
		m.prepare(d)
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
		// The client is of no further use, but it is ours to close, when the loop says so.
		<-ctx.Done()
	}
	m.closeBegan.Store(time.Now().UnixNano())
	closeCtx, cancel := context.WithDeadline(background, m.stop.closeBy) // set before ctx ended
	defer cancel()
	defer func() {
		m.closeBegan.Store(0)
		m.left.returned(m)
	}()
	return m.consumer.Close(closeCtx)
}

// prepare does what is per record, on the poll goroutine, so that the loop need not: filter and measure.
func (m *member) prepare(d *delivery) {
	d.sizes, d.largest, d.read, d.wrong = d.sizes[:0], d.largest[:0], d.read[:0], d.wrong[:0]
	criteria := m.current.Load().filter
	for i := range d.Runs {
		run := &d.Runs[i]
		read, wrong := len(run.Records), 0
		if criteria != nil && read > 0 {
			var left []event.KafkaRecord
			wrong, left = criteria.apply(run, &d.scratch)
			d.GiveBack(left)
		}
		total, largest := event.RunSize(run.Records)
		d.sizes, d.largest = append(d.sizes, total), append(d.largest, largest)
		d.read, d.wrong = append(d.read, read), append(d.wrong, wrong)
	}
}

// do runs f on the loop and waits for it; false when the loop has ended, or Run stops and the loop is busy.
func (m *member) do(f func()) bool {
	done := make(chan struct{})
	select {
	case m.control <- func() { defer close(done); f() }:
		<-done
		return true
	case <-m.closed:
		return false
	case <-m.stopping.begun:
		return false
	}
}

// listener hands the driver's calls to the loop and waits for its answer.
type listener struct{ m *member }

func (l listener) Assigned(parts []TopicPartition) { l.tell(assigned, parts) }
func (l listener) Revoked(parts []TopicPartition)  { l.tell(revoked, parts) }
func (l listener) Lost(parts []TopicPartition)     { l.tell(lost, parts) }

func (l listener) tell(kind assignmentChange, parts []TopicPartition) {
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
