package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/esm-go/esm/internal/kafkatest"
)

// runJava runs Kafka's own ConsumerPerformance. Its records/s cover the time of fetching as it reports it,
// without the rebalance. Its processor time is that of the whole process, including the start of the JVM.
func runJava(ctx context.Context, j job) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cmd, err := kafkatest.ToolCommand(ctx, "org.apache.kafka.tools.ConsumerPerformance",
		"--bootstrap-server", strings.Join(j.Bootstrap, ","), "--topic", j.Topic, "--group", j.Group,
		"--num-records", strconv.FormatInt(j.Target, 10), "--hide-header",
		"--command-property", "isolation.level=read_committed")
	if err != nil {
		return result{}, err
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	pid := strconv.Itoa(cmd.Process.Pid)
	peak, done := make(chan int64, 1), make(chan struct{})
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		var most int64
		for {
			select {
			case <-tick.C:
				most = max(most, memory(pid, "VmHWM"))
			case <-done:
				peak <- most
				return
			}
		}
	}()
	err = cmd.Wait()
	close(done)
	r := result{Passes: 1, Peak: <-peak}
	if err != nil {
		return r, fmt.Errorf("ConsumerPerformance: %w: %s", err, errs.String())
	}
	// start, end, MB, MB/s, records, records/s, ms of rebalancing, ms of fetching, MB/s and records/s of fetching
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	fields := strings.Split(lines[len(lines)-1], ",")
	if len(fields) < 10 {
		return r, fmt.Errorf("ConsumerPerformance: cannot read %q", out.String())
	}
	records, err1 := strconv.ParseInt(strings.TrimSpace(fields[4]), 10, 64)
	millis, err2 := strconv.ParseFloat(strings.TrimSpace(fields[7]), 64)
	if err1 != nil || err2 != nil || millis <= 0 {
		return r, fmt.Errorf("ConsumerPerformance: cannot read %q", out.String())
	}
	r.Records, r.Seconds = records, millis/1000
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.CPU = time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
	}
	return r, nil
}
