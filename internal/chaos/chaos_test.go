package chaos

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/internal/kafkatest"
)

var (
	runs    = flag.Int("chaos.runs", 2, "runs of each driver on each cluster")
	length  = flag.Duration("chaos.length", 25*time.Second, "how long faults go on in a run")
	seed    = flag.Uint64("chaos.seed", 0, "of the first run; 0 draws one")
	only    = flag.String("chaos.driver", "", "one driver alone")
	brokers = flag.Int("chaos.nodes", 0, "one size of cluster alone, 1 or 3")
	keep    = flag.String("chaos.keep", "", "a directory to keep the files of failed runs in")
)

// drivers are the drivers of this build by name; see drivers_cgo_test.go.
var drivers = map[string]driver.Driver{"franz": franz.Driver()}

// TestMain runs the tests or, in a process that a test started, one consumer.
func TestMain(m *testing.M) {
	if settings := os.Getenv(consumerEnv); settings != "" {
		os.Exit(consume(settings))
	}
	goleak.VerifyTestMain(m)
}

// TestKafkaChaos is a campaign: runs on one broker and on three, with each driver. It takes minutes; .ci/run
// chaos starts it, and -chaos.runs makes it last for hours.
func TestKafkaChaos(t *testing.T) {
	if os.Getenv("ESM_CHAOS") == "" {
		t.Skip("takes minutes: ESM_CHAOS=1 runs it")
	}
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	reached := map[string]int{}
	for _, nodes := range []int{1, 3} {
		if *brokers != 0 && *brokers != nodes {
			continue
		}
		c := cluster(t, nodes)
		for _, name := range slices.Sorted(maps.Keys(drivers)) {
			if *only != "" && *only != name {
				continue
			}
			for i := range *runs {
				s := first + uint64(i)
				t.Run(fmt.Sprintf("%s/%d nodes/seed %d", name, nodes, s), func(t *testing.T) { run(t, c, nodes, name, s, reached) })
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(reached)) {
		t.Logf("%6d  %s", reached[what], what)
	}
	if t.Failed() || *runs < 2 || *length < 20*time.Second || *brokers != 0 {
		return // too short to reach everything
	}
	for _, f := range faults {
		if reached[f.name] == 0 {
			t.Errorf("no run reached this: %s", f.name)
		}
	}
	for _, what := range []string{"assigned", "revoked", "lost", "interrupted", "failed", "retried", "commit failed", "repeated records"} {
		if reached[what] == 0 {
			t.Errorf("no consumer ever told of this: %s", what)
		}
	}
}

// run is one run: consumers, one fault after the other, then peace.
func run(t *testing.T, c *kafkatest.Cluster, nodes int, driver string, seed uint64, reached map[string]int) {
	w := newWorld(t, c, nodes, driver, seed)
	defer func() {
		for _, p := range w.processes {
			p.kill()
		}
		if t.Failed() && *keep != "" {
			_ = os.CopyFS(fmt.Sprintf("%s/%s-%d-%d", *keep, driver, nodes, seed), os.DirFS(w.dir))
		}
	}()
	writing, stopWriting := context.WithCancel(context.Background())
	var writers sync.WaitGroup
	w.write(writing, &writers)
	defer writers.Wait()
	defer stopWriting()
	w.during("the start", func() {
		w.start()
		w.start()
		w.start()
		time.Sleep(3 * time.Second)
	})
	troubled, end := context.WithTimeout(context.Background(), *length)
	defer end()
	var bag []fault
	for troubled.Err() == nil && !t.Failed() {
		if len(bag) == 0 { // each once, in any order, then all again
			bag = slices.DeleteFunc(slices.Clone(faults), func(f fault) bool { return f.nodes > nodes })
			w.rng.Shuffle(len(bag), func(i, j int) { bag[i], bag[j] = bag[j], bag[i] })
		}
		f := bag[0]
		bag = bag[1:]
		t.Logf("%s %s", time.Now().Format("15:04:05.000"), f.name)
		w.during(f.name, func() { f.do(troubled, w) })
		reached[f.name]++
		wait(troubled, w.up(2*time.Second))
	}
	stopWriting()
	writers.Wait()
	w.drain(30 * time.Second)
	w.during("the end", func() {
		for len(w.processes) > 0 {
			w.stop(0)
		}
	})
	h := &history{held: held(t, c, w.topic), commits: commits(t, c, w.mapping.GroupID(), w.topic), faults: w.faults}
	for _, file := range w.files {
		batches, err := read(file, reached)
		if err != nil {
			t.Fatal(err)
		}
		h.handled = append(h.handled, batches...)
	}
	total := 0
	for _, offsets := range h.held {
		total += len(offsets)
	}
	n := h.repeats()
	reached["records"] += total
	reached["repeated records"] += n
	t.Logf("%d records, %d repeated", total, n)
	for _, rule := range h.judge() {
		t.Error(rule)
	}
}

// drain waits until the group has committed everything.
func (w *world) drain(within time.Duration) {
	ends := w.c.EndOffsets(w.t, w.topic)
	begin := time.Now()
	for {
		got := w.c.Committed(w.t, w.mapping.GroupID(), w.topic)
		left := map[int32]string{}
		for p, end := range ends {
			if at, ok := got[p]; !ok && end > 0 || ok && at < end {
				left[p] = fmt.Sprintf("%d of %d", at, end)
			}
		}
		if len(left) == 0 {
			w.t.Logf("drained in %v", time.Since(begin).Round(time.Millisecond))
			return
		}
		if time.Since(begin) > within {
			w.t.Errorf("not drained %v after the last fault: committed %v", within, left)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
