package keda

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc/status"

	"github.com/esm-go/esm/auth"
)

// readTimeout limits one reading, including credentials and connecting.
const readTimeout = 10 * time.Second

// An object is one ScaledObject's trigger: its loop, and the last answer. The Server starts the loop and
// waits for it.
type object struct {
	cfg     *config
	secrets auth.Secrets
	clock   clock
	log     *slog.Logger

	// Used by the loop only.
	judge  *judge
	reader *reader

	mu      sync.Mutex // never held while waiting
	state   state
	changed chan struct{} // closed when state changes
	asked   time.Time     // when the last call came
	streams int           // the number of open streams
	ended   error         // why there is no loop any longer
}

// state is the result of the loop so far.
type state struct {
	readings int     // attempts so far, including failed ones
	answer   *answer // the last good one; nil: none yet
	failure  error   // why the last attempt failed; nil: it did not
}

func newObject(cfg *config, secrets auth.Secrets, clock clock, log *slog.Logger) *object {
	return &object{
		cfg: cfg, secrets: secrets, clock: clock, log: log, judge: newJudge(cfg), reader: newReader(cfg),
		changed: make(chan struct{}), asked: clock.now(),
	}
}

// run reads and decides until ctx ends or idle reports that nothing asks any longer.
func (o *object) run(ctx context.Context, idle func() bool) {
	o.log.Info("following a ScaledObject", "consumerGroup", o.cfg.consumerGroup, "policy", o.cfg.policy)
	defer func() {
		o.reader.drop()
		o.log.Info("no longer following a ScaledObject")
	}()
	for {
		// The wait starts with the reading, so that a slow broker does not stretch the interval.
		next, stop := o.clock.after(o.cfg.interval)
		o.evaluate(ctx)
		select {
		case <-next:
		case <-ctx.Done():
			stop()
			o.end(errClosed)
			return
		}
		if idle() {
			return
		}
	}
}

// evaluate makes one reading and publishes the result.
func (o *object) evaluate(ctx context.Context) {
	reading, err := o.read(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		// The next reading gets a new client, with the credentials as of then.
		o.reader.drop()
	}
	was := o.now()
	next := state{readings: was.readings + 1, answer: was.answer, failure: err}
	if err == nil {
		a := o.judge.decide(reading)
		next.answer = &a
	}
	o.tell(was, next)
	o.publish(next)
}

func (o *object) read(ctx context.Context) (*reading, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if o.reader.client == nil {
		credentials, err := o.cfg.credentials(ctx, o.secrets)
		if err != nil {
			return nil, err
		}
		client, err := newClient(o.cfg, credentials)
		if err != nil {
			return nil, err
		}
		o.reader.use(client)
	}
	return o.reader.read(ctx, o.clock.now())
}

// tell logs what changed.
func (o *object) tell(was, now state) {
	switch {
	case now.failure != nil && (was.failure == nil || was.failure.Error() != now.failure.Error()):
		o.log.Warn("reading the group failed, keeping the last answer", "err", now.failure)
	case now.failure == nil && was.failure != nil:
		o.log.Info("reading the group works again")
	}
	if now.failure == nil && now.answer.missed != "" && (was.answer == nil || was.answer.missed != now.answer.missed) {
		o.log.Warn("continuing without some topics", "err", now.answer.missed)
	}
	if a := now.answer; now.failure == nil && (was.answer == nil || was.answer.replicas != a.replicas || was.answer.active != a.active) {
		o.log.Info("decided", "replicas", a.replicas, "active", a.active, "lag", a.summary.lag,
			"members", a.summary.members, "unreadable", a.summary.failed, "reason", a.reason.String())
	}
}

func (o *object) now() state {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state
}

func (o *object) publish(s state) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state = s
	close(o.changed)
	o.changed = make(chan struct{})
}

// end tells waiting calls that no result will come any longer.
func (o *object) end(why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = why
	close(o.changed)
	o.changed = make(chan struct{})
}

// touch records a call; +1 and -1 open and close a stream.
func (o *object) touch(streams int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = o.clock.now()
	o.streams += streams
}

// idleFor returns how long ago the last call came; 0 while a stream is open.
func (o *object) idleFor() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.streams > 0 {
		return 0
	}
	return o.clock.now().Sub(o.asked)
}

// wait returns the state as soon as ok accepts it.
func (o *object) wait(ctx context.Context, ok func(state) bool) (state, error) {
	for {
		o.mu.Lock()
		s, changed, ended := o.state, o.changed, o.ended
		o.mu.Unlock()
		switch {
		case ended != nil:
			return s, ended
		case ok(s):
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, status.FromContextError(ctx.Err()).Err()
		}
	}
}

// errClosed is what calls get while the Server closes.
var errClosed = errors.New("the scaler is stopping")

// errEvicted is what a call gets that reaches a loop just as it ends; the caller then asks again.
var errEvicted = errors.New("nobody asked for this ScaledObject")
