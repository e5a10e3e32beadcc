package simulate

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/scaling"
)

// The figures that Drain must reach on each of the twelve traces. The test simulates forty-eight runs of
// several minutes each, which takes some seconds.
func TestDrainMeetsItsTargets(t *testing.T) {
	if testing.Short() {
		t.Skip("simulates twelve traces")
	}
	rows, err := Compare(Traces(), Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i, trace := range Traces() {
		oracle, drain, keda := rows[4*i], rows[4*i+1], rows[4*i+2]
		t.Run(trace.Name, func(t *testing.T) {
			if drain.Trace != trace.Name || drain.Policy != "Drain" || !drain.Drained {
				t.Fatalf("row %s of %s, drained %v", drain.Policy, drain.Trace, drain.Drained)
			}
			if r := ratio(drain.DrainTime.Seconds(), oracle.DrainTime.Seconds()); r > 1.15 {
				t.Errorf("drain time %s is %.2f of the oracle's %s", drain.DrainTime, r, oracle.DrainTime)
			}
			if r := ratio(drain.WorkerSeconds, oracle.WorkerSeconds); r > 1.25 {
				t.Errorf("%.0f worker-seconds are %.2f of the oracle's %.0f", drain.WorkerSeconds, r, oracle.WorkerSeconds)
			}
			if drain.Reversals > trace.Changes {
				t.Errorf("%d reversals for %d changes of load", drain.Reversals, trace.Changes)
			}
			if drain.WorkerSeconds > keda.WorkerSeconds {
				t.Errorf("%.0f worker-seconds, KEDA %.0f", drain.WorkerSeconds, keda.WorkerSeconds)
			}
			// Where KEDA keeps less backlog it must have paid for it: see docs/scaling.md.
			if drain.BacklogArea > 1.02*keda.BacklogArea && drain.WorkerSeconds > 0.75*keda.WorkerSeconds {
				t.Errorf("backlog area %.0f, KEDA %.0f at %.2f times the worker-seconds", drain.BacklogArea, keda.BacklogArea, keda.WorkerSeconds/drain.WorkerSeconds)
			}
		})
	}
}

func TestDrainAnswers(t *testing.T) {
	for _, c := range []struct {
		trace string
		kind  scaling.Kind
		check func(*Result) string
	}{
		{"skewed", scaling.HotPartition, func(r *Result) string { return tooMany(r, 100*time.Second, 4) }},
		{"knee", scaling.Slowing, func(r *Result) string { return tooMany(r, 100*time.Second, 20) }},
		{"fetch", scaling.FetchBound, func(r *Result) string {
			if r.PollerChanges == 0 {
				return "pollers never changed"
			}
			return ""
		}},
		{"hot", scaling.HotPartition, func(r *Result) string { return tooMany(r, 200*time.Second, 6) }},
		{"throttled", scaling.Throttled, func(r *Result) string { return tooMany(r, 150*time.Second, 20) }},
		{"slow", scaling.LoadFell, func(r *Result) string { return tooMany(r, 460*time.Second, 16) }},
		{"failing", scaling.Failing, func(r *Result) string { return tooMany(r, 300*time.Second, 1) }},
	} {
		t.Run(c.trace, func(t *testing.T) {
			r := mustSimulate(t, traceNamed(t, c.trace), &scaling.Drain{}, Options{Seed: 3})
			seen := false
			for _, d := range r.Decisions {
				seen = seen || d.Reason.Kind == c.kind
				if d.Pollers != 1 && c.trace != "fetch" {
					t.Errorf("%d pollers though fetching is not the bottleneck", d.Pollers)
				}
			}
			if !seen {
				t.Errorf("the reason %s was never given", c.kind)
			}
			if problem := c.check(r); problem != "" {
				t.Error(problem)
			}
		})
	}
}

func tooMany(r *Result, at time.Duration, most int) string {
	for _, p := range r.Points {
		if p.At == at && p.Target > most {
			return "too many workers at " + at.String() + ": " + strconv.Itoa(p.Target)
		}
	}
	return ""
}

func TestSimulateIsDeterministic(t *testing.T) {
	trace := traceNamed(t, "burst")
	one := mustSimulate(t, trace, &scaling.Drain{}, Options{Seed: 7})
	two := mustSimulate(t, trace, &scaling.Drain{}, Options{Seed: 7})
	if !reflect.DeepEqual(one, two) {
		t.Error("the same seed gave two results")
	}
	other := mustSimulate(t, trace, &scaling.Drain{}, Options{Seed: 8})
	if one.BacklogArea == other.BacklogArea {
		t.Error("another seed gave the same backlog")
	}
}

// One worker, 200,000 records, 50 ms for ten: that makes 1,000 s.
func TestSimulateAgreesWithArithmetic(t *testing.T) {
	trace := traceNamed(t, "sixtyfour")
	for _, c := range []struct {
		workers int
		want    float64
	}{{1, 1000}, {8, 125}, {64, 15.65}} {
		fixed := scaling.PolicyFunc(func(s scaling.Sample) scaling.Decision { return scaling.Decision{Workers: c.workers, Pollers: 1} })
		r := mustSimulate(t, trace, fixed, Options{})
		if got := r.DrainTime.Seconds(); got < c.want*0.99 || got > c.want*1.02 {
			t.Errorf("%d workers: drained in %.2f s, want %.2f", c.workers, got, c.want)
		}
		if r.Completed != trace.Backlog {
			t.Errorf("%d workers: %d records completed, want %d", c.workers, r.Completed, trace.Backlog)
		}
	}
}

func TestWorkerStartAndRebalanceCost(t *testing.T) {
	trace := traceNamed(t, "burst")
	free := mustSimulate(t, trace, &scaling.Drain{}, Options{Seed: 1})
	pods := mustSimulate(t, trace, &scaling.Drain{}, Options{Seed: 1, WorkerStart: 10 * time.Second, WorkerRebalance: 3 * time.Second})
	if pods.DrainTime < free.DrainTime+9*time.Second {
		t.Errorf("drained in %s with starts of 10 s, %s without", pods.DrainTime, free.DrainTime)
	}
}

func TestSimulateRefusesBadTraces(t *testing.T) {
	good := traceNamed(t, "step")
	for field, spoil := range map[string]func(*Trace){
		"Partitions": func(t *Trace) { t.Partitions = 0 },
		"BatchSize":  func(t *Trace) { t.BatchSize = 0 },
		"Duration":   func(t *Trace) { t.Duration = 0 },
		"Base":       func(t *Trace) { t.Base, t.PerRecord = 0, 0 },
		"Weights":    func(t *Trace) { t.Weights = []float64{1} },
		"Settles":    func(t *Trace) { t.Settles = t.Rises - 1 },
	} {
		bad := good
		spoil(&bad)
		if _, err := Simulate(bad, &scaling.Drain{}, Options{}); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

func TestChartIsWellFormed(t *testing.T) {
	r := mustSimulate(t, traceNamed(t, "hot"), &scaling.Drain{}, Options{})
	var out bytes.Buffer
	if err := WriteChart(&out, "Drain <&>", r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"hot under Drain &lt;&amp;&gt;", "HotPartition", "more workers do not help"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the chart does not say %q", want)
		}
	}
	for d := xml.NewDecoder(&out); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteChart(failingWriter{}, "x", r); !errors.Is(err, errWrite) {
		t.Errorf("a failing writer gave %v", err)
	}
	if err := WriteTable(failingWriter{}, nil); !errors.Is(err, errWrite) {
		t.Errorf("a failing writer gave %v", err)
	}
}

var errWrite = errors.New("disk full")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errWrite }

func mustSimulate(t testing.TB, trace Trace, p scaling.Policy, o Options) *Result {
	t.Helper()
	r, err := Simulate(trace, p, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func traceNamed(t testing.TB, name string) Trace {
	t.Helper()
	for _, trace := range append(Traces(), MoreTraces()...) {
		if trace.Name == name {
			return trace
		}
	}
	t.Fatalf("no trace %q", name)
	return Trace{}
}
