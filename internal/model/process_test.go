package model

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/scaling"
)

// process is one process of the group: a Runner and its environment.
type process struct {
	name    string
	runner  *esm.Runner
	cancel  context.CancelFunc
	since   time.Time
	pollers atomic.Int64 // how many the policy asks for
	most    int          // the most that were seen
	ended   chan struct{}
	err     error
	lost    map[esm.TopicPartition]bool
	tally   tally
}

const group = "g"

// mapping returns the mapping of every process. Update changes what depends on n.
func (w *world) mapping(n int) esm.Mapping {
	m := esm.Mapping{
		FunctionName:           "f",
		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"b:9092"}}},
		SelfManagedKafkaEventSourceConfig: &esm.SelfManagedKafkaEventSourceConfig{
			ConsumerGroupId: group,
		},
		StartingPosition:               esm.TrimHorizon,
		BatchSize:                      min(w.s.Batch+n, 10_000),
		MaximumBatchingWindowInSeconds: new(w.s.Window + n%2),
		MaximumRetryAttempts:           new(w.s.Attempts),
		BisectBatchOnFunctionError:     w.s.Bisect,
		Topics:                         []string{"t0", "t1"},
	}
	if w.s.Latest {
		m.StartingPosition = esm.Latest
	}
	if w.s.Pattern {
		m.Topics = []string{"^t[0-9]$"}
	}
	if w.s.MaxAge > 0 {
		m.MaximumRecordAgeInSeconds = new(w.s.MaxAge)
	}
	if w.s.Partial {
		m.FunctionResponseTypes = []esm.FunctionResponseType{esm.ReportBatchItemFailures}
	}
	if w.s.Filter {
		m.FilterCriteria = &esm.FilterCriteria{Filters: []esm.Filter{{Pattern: `{"value":{"keep":[true]}}`}}}
	}
	if w.s.Scale {
		m.ProvisionedPollerConfig = &esm.ProvisionedPollerConfig{MinimumPollers: new(1), MaximumPollers: new(3)}
	}
	return m
}

// start starts a process.
func (w *world) start(i int) {
	w.started++
	p := &process{name: fmt.Sprintf("p%d.%d", i, w.started), since: time.Now(), ended: make(chan struct{}), lost: make(map[esm.TopicPartition]bool)}
	p.pollers.Store(1)
	unlock := w.lock()
	if w.s.Latest { // it may find topics that the group has no commit of, and cannot know that they were made later
		for _, h := range w.logs {
			if h.committed < 0 {
				h.vague = true
				resolve(h.records...)
			}
		}
	}
	unlock()
	opts := []esm.Option{esm.WithDriver(w.broker.Driver()), esm.WithLogger(slog.New(slog.DiscardHandler)), esm.WithSeed(w.s.Seed),
		esm.WithClientID(p.name), esm.WithStopTimeout(w.s.Stop), esm.WithRevokeTimeout(3 * time.Second), esm.WithBufferBytes(1 << 20),
		esm.WithMetadataMaxAge(5 * time.Second), esm.WithInvocationTimeout(w.s.Timeout), esm.WithHooks(w.hooks(p))}
	if w.s.Breaker {
		opts = append(opts, esm.WithCircuitBreaker(esm.CircuitBreaker{Failures: 3, Cooldown: 5 * time.Second}))
	}
	if w.s.Scale {
		opts = append(opts, esm.WithScaler(scaling.PolicyFunc(func(scaling.Sample) scaling.Decision {
			return scaling.Decision{Workers: 8, Pollers: int(p.pollers.Load()), Next: 2 * time.Second}
		})))
	}
	opts = append(opts, w.withDestination(p)...)
	var err error
	if p.runner, err = esm.New(w.mapping(0), p.tally.count(w.handler(p)), opts...); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() { // awaited by stop
		p.err = p.runner.Run(ctx)
		close(p.ended)
	}()
	w.processes[i] = p
}

// hooks returns the hooks of a process: they take their time, query the Runner, and check what they are told.
func (w *world) hooks(p *process) esm.Hooks {
	dawdle := func(name string) {
		unlock := w.lock()
		var d time.Duration
		if w.s.Nosy && !w.calm {
			switch n := w.rng.IntN(200); {
			case n < 20:
				d = time.Duration(w.rng.IntN(500)) * time.Millisecond
			case n == 20:
				d = 35 * time.Second
				w.harsh = true
				w.count(hookBlocks)
				w.hookStuck[p.name] = time.Now().Add(d)
			}
		}
		unlock()
		if d > 0 {
			_ = p.runner.Status()
			time.Sleep(d)
		}
	}
	return esm.Hooks{
		Drop: func(d esm.DropInfo) { w.dropped(p, d) },
		Commit: func(i esm.CommitInfo) {
			if i.Err != nil {
				unlock := w.lock()
				w.count(refusedCommit)
				unlock()
			}
			dawdle("Commit")
		},
		Retry:       func(esm.RetryInfo) { dawdle("Retry") },
		BatchEnd:    func(context.Context, esm.BatchEndInfo) { dawdle("BatchEnd") },
		StateChange: func(esm.StateInfo) { _ = p.runner.Healthy() },
		Lost: func(i esm.AssignmentInfo) {
			unlock := w.lock()
			if i.InFlight > 0 {
				w.count(lossRunning)
			}
			for _, tp := range i.Partitions {
				p.lost[tp] = true
			}
			unlock()
			dawdle("Lost")
		},
		Revoked: func(esm.AssignmentInfo) { dawdle("Revoked") },
		Assigned: func(i esm.AssignmentInfo) { // a partition that returns comes without its past
			unlock := w.lock()
			for _, tp := range i.Partitions {
				delete(w.blame, p.name+" "+tp.String())
				delete(w.condemned, p.name+" "+tp.String())
				if p.lost[tp] {
					w.count(lossReturn)
					delete(p.lost, tp)
				}
			}
			unlock()
			dawdle("Assigned")
		},
		OffsetsLost: func(i esm.OffsetsLostInfo) {
			defer w.lock()()
			if i.Why == "retention" {
				w.count(retentionTook)
			}
			if i.Lost < 0 {
				w.faultf("%s lost %d offsets of %s", p.name, i.Lost, i.TopicPartition)
			}
		},
	}
}

// stop stops a process and checks how it ends, either now or concurrently with the script.
func (w *world) stop(i int, wait bool) {
	p := w.processes[i]
	if p == nil {
		return
	}
	w.processes[i] = nil
	bound := max(w.s.Stop, 5*time.Second)
	unlock := w.lock()
	running := 0
	for key, n := range w.busy {
		if strings.HasPrefix(key, p.name+" ") {
			running += n
		}
	}
	if running > 0 {
		w.count(stopRunning)
	}
	rough := w.harsh || !w.calm
	unlock()
	began := time.Now()
	p.tally.stop()
	p.cancel()
	end := func() {
		<-p.ended
		took := time.Since(began)
		st := p.runner.Status().State
		defer w.lock()()
		if took > bound {
			w.faultf("%s took %v to stop, and may take %v", p.name, took, bound)
		}
		if st != esm.Disabled {
			w.faultf("%s has ended and its state is %s", p.name, st)
		}
		m := p.runner.Metrics()
		if err := p.tally.differs(&m, p.err != nil || w.s.Scale); err != nil {
			w.faultf("%s counted otherwise than its handlers: %v", p.name, err)
		}
		if err := w.rightly(p, p.err, rough); err != nil {
			w.faultf("%s ended: %v", p.name, err)
		}
	}
	if wait {
		end()
	} else {
		w.wg.Go(end)
	}
}

// rightly returns what is wrong with the error that Run returned. The caller holds mu.
func (w *world) rightly(p *process, err error, rough bool) error {
	stuck, ok := errors.AsType[*esm.StuckError](err)
	switch {
	case err == nil:
		return nil
	case !ok:
		return err
	case len(stuck.Handlers) > 0 && w.deaf[p.name] == 0 && !rough:
		return err
	case len(stuck.Calls) > 0 && !w.leftSend(p, stuck) && !rough:
		return err
	}
	if len(stuck.Handlers) > 0 {
		w.count(stopDeaf)
	}
	for _, c := range stuck.Calls {
		if c.Op == esm.OpHook && w.hookStuck[p.name].IsZero() {
			return err
		}
	}
	return nil
}

// update calls Update with a slightly different mapping.
func (w *world) update(p *process, n int) {
	if err := p.runner.Update(w.mapping(n)); err != nil {
		defer w.lock()()
		w.faultf("Update: %v", err)
	}
}

// member returns the id of a member of a process, or "" if it has none.
func (w *world) member(p *process) (id string, owned []esm.TopicPartition) {
	for _, m := range w.broker.Members(group) {
		if p != nil && m.ClientID == p.name && (id == "" || len(m.Owned) > len(owned)) {
			id, owned = m.ID, m.Owned
		}
	}
	return id, owned
}

// observe checks every process, as an operator does.
func (w *world) observe() {
	for _, p := range w.processes {
		if p == nil {
			continue
		}
		st := p.runner.Status()
		_ = p.runner.Healthy()
		unlock := w.lock()
		if st.Pollers > 1 {
			w.count(manyPollers)
		}
		if st.Pollers < p.most {
			w.count(fewerPollers)
		}
		p.most = max(p.most, st.Pollers)
		for _, q := range st.Partitions {
			if strings.Contains(q.Paused, "buffer full") {
				w.count(fullBudget)
			}
		}
		for _, c := range st.Conditions {
			if c.Kind == "corrupt batch" {
				w.count(corruptBatch)
			}
		}
		unlock()
	}
}

// circuitOpen reports whether a process has an open circuit.
func (w *world) circuitOpen() bool {
	for _, p := range w.processes {
		if p != nil && p.runner.Status().CircuitOpen {
			return true
		}
	}
	return false
}

// starting reports whether a process is looking up where a partition starts.
func (w *world) starting(tps ...esm.TopicPartition) bool {
	for _, p := range w.processes {
		if p == nil {
			continue
		}
		for _, q := range p.runner.Status().Partitions {
			if q.Starting {
				return true
			}
		}
	}
	return false
}
