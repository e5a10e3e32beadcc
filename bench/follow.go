package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/scaling"
	"github.com/esm-go/esm/scaling/simulate"
)

// followFigures plays traces of package scaling on a broker, each with its own engine and the policy Drain,
// and compares the results with the simulator's. They run concurrently: they mostly wait.
func followFigures(ctx context.Context, bootstrap []string, names string) error {
	var traces []simulate.Trace
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, t := range simulate.Traces() {
			if t.Name == name {
				traces, found = append(traces, t), true
			}
		}
		if !found {
			return fmt.Errorf("no trace %q: package scaling has them", name)
		}
	}
	b, err := openKafka(bootstrap)
	if err != nil {
		return err
	}
	defer b.close()
	played, errs := make([]simulate.Result, len(traces)), make([]error, len(traces))
	var all sync.WaitGroup
	for i := range traces {
		all.Go(func() { played[i], errs[i] = follow(ctx, b, &traces[i]) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	fmt.Printf("\nthe policy Drain on %s, beside what simulate.Simulate says\n\n", b.name)
	fmt.Println("| trace | | drain time | worker-s | backlog area | max lag | changes of the assignment |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |")
	for i := range traces {
		sim, err := simulate.Simulate(traces[i], &scaling.Drain{}, simulate.Options{Seed: 1})
		if err != nil {
			return err
		}
		line := func(what string, r *simulate.Result, moves string) {
			fmt.Printf("| %s | %s | %s | %.0f | %.0f | %d | %s |\n", traces[i].Name, what, r.DrainTime.Round(100*time.Millisecond), r.WorkerSeconds, r.BacklogArea, r.MaximumLag, moves)
		}
		r := &played[i]
		line("simulator", sim, "")
		line("engine", r, fmt.Sprint(r.PollerChanges))
		fmt.Printf("| %s | ratio | %.2f | %.2f | %.2f | | |\n", traces[i].Name, r.DrainTime.Seconds()/sim.DrainTime.Seconds(),
			r.WorkerSeconds/sim.WorkerSeconds, r.BacklogArea/sim.BacklogArea)
	}
	return nil
}

// player plays a trace on a broker. Its time starts when the engine is ready.
type player struct {
	trace *simulate.Trace
	born  time.Time
	begun atomic.Int64 // since born

	produced, early    atomic.Int64 // records, and those from before the load settled
	handled, earlyDone atomic.Int64
	running            atomic.Int64
	drained            chan struct{} // closed when everything from before the load settled is handled
	settled            atomic.Bool   // no more of those will come
	onlyOnce           sync.Once
}

func (p *player) at() time.Duration { return time.Since(p.born) - time.Duration(p.begun.Load()) }

// follow plays one trace.
func follow(ctx context.Context, b *broker, trace *simulate.Trace) (simulate.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &player{trace: trace, born: time.Now(), drained: make(chan struct{})}
	r := simulate.Result{Trace: trace.Name}
	topic := "esm-follow-" + trace.Name + "-" + groupName()
	if err := b.topic(ctx, topic, trace.Partitions, 8, 0); err != nil {
		return r, err
	}
	if _, err := b.count(ctx, topic, trace.Partitions); err != nil { // its leaders exist
		return r, err
	}
	j := job{Bootstrap: b.bootstrap, Topic: topic, Group: groupName(), Batch: trace.BatchSize}
	m := mapping(j)
	m.MaximumBatchingWindowInSeconds = new(int)
	random := rand.New(rand.NewPCG(1, uint64(len(trace.Name))))
	if err := p.send(ctx, b, topic, random, trace.Backlog); err != nil {
		return r, err
	}
	runner, err := esm.New(m, p.handle, esm.WithDriver(franz.Driver()), esm.WithScaler(&scaling.Drain{}), esm.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return r, err
	}
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	select {
	case <-runner.Ready():
	case err := <-ended:
		return r, err
	}
	p.begun.Store(int64(time.Since(p.born)))
	err = p.play(ctx, b, topic, random, runner, &r)
	r.PollerChanges = int(runner.Metrics().RebalanceCount)
	cancel()
	return r, errors.Join(err, <-ended)
}

// play produces and samples until the trace is over and drained.
func (p *player) play(ctx context.Context, b *broker, topic string, random *rand.Rand, runner *esm.Runner, r *simulate.Result) error {
	const step = 50 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	last, drained := time.Duration(0), false
	limit := p.trace.Duration + 10*time.Minute
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		now := p.at()
		dt := (now - last).Seconds()
		if now < p.trace.Duration && p.trace.Rate != nil {
			if err := p.send(ctx, b, topic, random, int64(poisson(random, p.trace.Rate(last)*dt))); err != nil {
				return err
			}
		}
		last = now
		lag := p.produced.Load() - p.handled.Load()
		r.BacklogArea += float64(lag) * dt
		r.WorkerSeconds += float64(runner.Status().Workers) * dt
		r.MaximumLag = max(r.MaximumLag, lag)
		if now >= p.trace.Settles && !p.settled.Swap(true) {
			p.done()
		}
		if !drained {
			select {
			case <-p.drained:
				drained, r.Drained = true, true
				r.DrainTime = now - p.trace.Rises
			default:
			}
		}
		if now >= p.trace.Duration && drained && lag == 0 {
			return nil
		}
		if now > limit {
			return fmt.Errorf("%s: lag %d ten minutes after its end", p.trace.Name, lag)
		}
	}
}

// done detects the end of the drain.
func (p *player) done() {
	if p.settled.Load() && p.earlyDone.Load() >= p.early.Load() {
		p.onlyOnce.Do(func() { close(p.drained) })
	}
}

// send produces n records, spread over the partitions by their weights.
func (p *player) send(ctx context.Context, b *broker, topic string, random *rand.Rand, n int64) error {
	early := p.at() <= p.trace.Settles || p.trace.Backlog > 0 && p.produced.Load() == 0
	value := []byte{0, 0, 0, 0, 0, 0, 0, 0}
	if early {
		binary.BigEndian.PutUint64(value, 1)
		p.early.Add(n)
	}
	var first kgo.FirstErrPromise
	for i := range n {
		b.client.Produce(ctx, &kgo.Record{Topic: topic, Partition: p.partition(random, i), Value: value}, first.Promise())
	}
	p.produced.Add(n)
	return first.Err()
}

func (p *player) partition(random *rand.Rand, i int64) int32 {
	if p.trace.Weights == nil {
		if p.produced.Load() == 0 && p.trace.Backlog > 0 {
			return int32(i % int64(p.trace.Partitions)) // a backlog is even
		}
		return int32(random.IntN(p.trace.Partitions))
	}
	sum := 0.0
	for _, w := range p.trace.Weights {
		sum += w
	}
	at := random.Float64() * sum
	for k, w := range p.trace.Weights {
		if at -= w; at < 0 {
			return int32(k)
		}
	}
	return int32(p.trace.Partitions - 1)
}

// handle takes the time that the trace gives an invocation, and fails or throttles when the trace says so.
func (p *player) handle(ctx context.Context, e esm.KafkaEvent) error {
	t, at := p.trace, p.at()
	now := p.running.Add(1)
	defer p.running.Add(-1)
	if t.Limit != nil {
		if limit := t.Limit(at); limit > 0 && int(now) > limit {
			return esm.Throttled(errors.New("over the trace's limit"))
		}
	}
	took := float64(t.Base) + float64(e.Len())*float64(t.PerRecord)
	if t.Slow != nil {
		took *= t.Slow(at)
	}
	if v := t.Variation; v > 0 { // lognormal with that coefficient of variation
		sigma := math.Sqrt(math.Log(1 + v*v))
		took *= math.Exp(rand.NormFloat64()*sigma - sigma*sigma/2)
	}
	select {
	case <-time.After(time.Duration(took)):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if t.Fails != nil && t.Fails(at) {
		return errors.New("the trace fails now")
	}
	early := int64(0)
	for _, records := range e.Records {
		for i := range records {
			if binary.BigEndian.Uint64(records[i].Value) == 1 {
				early++
			}
		}
	}
	p.handled.Add(int64(e.Len()))
	if p.earlyDone.Add(early); early > 0 {
		p.done()
	}
	return nil
}

// poisson draws a number with that mean.
func poisson(random *rand.Rand, mean float64) int {
	if mean > 50 {
		return int(math.Round(mean + math.Sqrt(mean)*random.NormFloat64()))
	}
	n, product, limit := 0, random.Float64(), math.Exp(-mean)
	for product > limit {
		n++
		product *= random.Float64()
	}
	return n
}
