package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"
	"time"
)

// job is the task of one child process. Each contestant runs in its own process, so that its processor time
// and peak memory can be measured separately.
type job struct {
	Kind       string // measure, memory or idle
	Contestant string
	Bootstrap  []string
	Topic      string
	Group      string
	Partitions int
	Batch      int
	// Target is the number of records after which a pass ends, 0 for none; MaxSeconds ends it earlier.
	Target     int64
	MaxSeconds float64
	// MinSeconds is how long to measure at least: passes are repeated, each with its own group.
	MinSeconds float64
	CPUProfile string
	// HandlerMillis makes the handler slow, for Kind memory.
	HandlerMillis int
	// WarmSeconds is how long an idle job waits before it measures.
	WarmSeconds float64
}

// result is a child's answer.
type result struct {
	Records, Batches int64
	Seconds, CPU     float64
	Peak             int64 // bytes
	Passes           int
	// Samples are samples of the resident set in bytes, at equal intervals.
	Samples []int64 `json:",omitempty"`
	Error   string  `json:",omitempty"`
}

func (r result) rate() float64 { return float64(r.Records) / r.Seconds }

func (r result) nanos() float64 { return r.CPU * 1e9 / float64(r.Records) }

var errNothing = errors.New("no record was delivered")

const (
	jobVariable  = "ESM_BENCH_JOB"
	resultPrefix = "esm-bench-result "
)

// child runs a job in this process and prints the result.
func child(ctx context.Context, text string) int {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	r, err := work(ctx, j)
	if err != nil {
		r.Error = err.Error()
	}
	r.Peak = max(r.Peak, memory("self", "VmHWM"))
	out, err := json.Marshal(r)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	fmt.Printf("%s%s\n", resultPrefix, out)
	return 0
}

func work(ctx context.Context, j job) (result, error) {
	c, ok := contestantNamed(j.Contestant)
	if !ok {
		return result{}, fmt.Errorf("no contestant %q", j.Contestant)
	}
	if j.Kind == "idle" {
		return workIdle(ctx, c, j)
	}
	stop, err := j.profile()
	if err != nil {
		return result{}, err
	}
	defer stop()
	if j.Kind == "memory" {
		return workMemory(ctx, c, j)
	}
	var sum result
	group := j.Group
	for sum.Passes == 0 || sum.Seconds < j.MinSeconds && sum.Passes < 20 {
		j.Group = fmt.Sprintf("%s-%d", group, sum.Passes)
		r, err := measure(ctx, c, j)
		if err != nil {
			return sum, err
		}
		sum.Records += r.Records
		sum.Batches += r.Batches
		sum.Seconds += r.Seconds
		sum.CPU += r.CPU
		sum.Peak = max(sum.Peak, r.Peak)
		sum.Passes++
		if ctx.Err() != nil {
			break
		}
	}
	return sum, nil
}

// runJob runs a job in a child process.
func runJob(ctx context.Context, j job) (result, error) {
	if j.Contestant == javaName && j.Kind == "measure" {
		return runJava(ctx, j)
	}
	exe, err := os.Executable()
	if err != nil {
		return result{}, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return result{}, fmt.Errorf("%s: %w", j.Contestant, err)
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		answer, ok := strings.CutPrefix(lines.Text(), resultPrefix)
		if !ok {
			continue
		}
		var r result
		if err := json.Unmarshal([]byte(answer), &r); err != nil {
			return r, err
		}
		if r.Error != "" {
			return r, fmt.Errorf("%s: %s", j.Contestant, r.Error)
		}
		return r, nil
	}
	return result{}, fmt.Errorf("%s: no result in %q", j.Contestant, out)
}

// profile starts the CPU profile, if one is wanted; the caller stops it.
func (j job) profile() (stop func(), err error) {
	if j.CPUProfile == "" {
		return func() {}, nil
	}
	f, err := os.Create(j.CPUProfile)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close() //nolint:errcheck // a profile that is cut short shows when it is read
	}, nil
}
