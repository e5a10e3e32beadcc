package chaos

import (
	"context"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// fault is a failure that is repaired afterwards.
type fault struct {
	name string
	// nodes is how many brokers it needs.
	nodes int
	do    func(ctx context.Context, w *world)
}

// faults are those that a campaign must reach.
var faults = []fault{
	{"a consumer is killed", 1, func(ctx context.Context, w *world) {
		i := w.pick()
		w.processes[i].kill()
		w.gone(i)
		wait(ctx, w.up(3*time.Second))
		w.start()
	}},
	{"a consumer is frozen past its session", 1, func(_ context.Context, w *world) {
		p := w.processes[w.pick()]
		_ = p.cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(sessionTimeout + 2*time.Second)
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
	}},
	{"a consumer is stopped", 1, func(_ context.Context, w *world) {
		i := w.pick()
		w.stop(i)
		w.start()
	}},
	{"a consumer joins and another leaves", 1, func(ctx context.Context, w *world) {
		w.start()
		wait(ctx, w.up(3*time.Second))
		w.stop(w.pick())
	}},
	{"a consumer is stopped as it starts", 1, func(ctx context.Context, w *world) {
		w.start()
		wait(ctx, w.up(500*time.Millisecond))
		w.stop(len(w.processes) - 1)
	}},
	{"the network is cut", 1, func(ctx context.Context, w *world) {
		g := w.c.Gate(w.node(), gated)
		g.Cut()
		wait(ctx, time.Second+w.up(4*time.Second))
		g.Heal()
	}},
	{"connections are half open", 1, func(ctx context.Context, w *world) {
		g := w.c.Gate(w.node(), gated)
		g.Freeze()
		wait(ctx, 2*time.Second+w.up(6*time.Second))
		g.Heal()
	}},
	{"the network is slow", 1, func(ctx context.Context, w *world) {
		g := w.c.Gate(w.node(), gated)
		g.Slow(20*time.Millisecond + w.up(60*time.Millisecond))
		wait(ctx, 3*time.Second)
		g.Heal()
	}},
	{"a broker is killed", 1, func(ctx context.Context, w *world) {
		n := w.node()
		w.c.Kill(w.t, n)
		wait(ctx, time.Second+w.up(2*time.Second))
		w.c.Restart(w.t, n)
	}},
	{"a broker is frozen", 1, func(ctx context.Context, w *world) {
		n := w.node()
		w.c.Freeze(w.t, n)
		wait(ctx, time.Second+w.up(3*time.Second))
		w.c.Thaw(w.t, n)
	}},
	{"leaders and the coordinator move", 3, func(_ context.Context, w *world) {
		w.c.MoveLeader(w.t, w.topic, int32(w.rng.IntN(w.partitions)))
		w.c.MoveCoordinator(w.t, w.mapping.GroupID())
	}},
	{"the topic grows", 1, func(_ context.Context, w *world) {
		w.partitions++
		w.c.GrowTopic(w.t, w.topic, w.partitions)
	}},
	{"a quota throttles", 1, func(ctx context.Context, w *world) {
		w.quota(20_000, false)
		wait(ctx, 3*time.Second)
		w.quota(0, true)
	}},
	{"the password changes", 1, func(_ context.Context, w *world) { w.setPassword() }},
}

// up draws a duration up to most.
func (w *world) up(most time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(most))) }

// node draws a broker.
func (w *world) node() int { return 1 + w.rng.IntN(w.nodes) }

// stop stops a consumer gracefully. It must end within its bound, with status 0.
func (w *world) stop(i int) {
	p := w.processes[i]
	w.gone(i)
	begin := time.Now()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	const margin = 3 * time.Second // for the process itself, on a busy machine
	select {
	case err := <-p.ended:
		p.ended <- err
		if err != nil {
			w.t.Errorf("a consumer that was stopped ended with %v: %s", err, p.Log)
		}
	case <-time.After(stopTimeout + margin):
		w.t.Errorf("a consumer that was stopped still ran after %v: %s", time.Since(begin), p.Log)
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // to get its goroutines in the output
		time.Sleep(time.Second)
		p.kill()
	}
}

// quota limits what the consumers' user may fetch, in bytes per second.
func (w *world) quota(bytes float64, remove bool) {
	name := user
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	got, err := w.c.Admin().AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{
		Entity: kadm.ClientQuotaEntity{{Type: "user", Name: &name}},
		Ops:    []kadm.AlterClientQuotaOp{{Key: "consumer_byte_rate", Value: bytes, Remove: remove}},
	}})
	if err != nil {
		w.t.Errorf("set a quota: %v", err)
		return
	}
	for _, q := range got {
		if q.Err != nil {
			w.t.Errorf("set a quota: %v %s", q.Err, q.ErrMessage)
		}
	}
}
