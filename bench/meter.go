package main

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// meter counts the records that a contestant delivered, and measures from the first delivery to the one that
// reaches the target or the time limit. Joining the group is not measured, since that time is the broker's.
type meter struct {
	target int64
	limit  time.Duration
	stop   context.CancelFunc

	records, batches atomic.Int64
	begin, end       stamp
	firstRecords     int64
	ended            sync.Once
	timer            *time.Timer
}

// stamp is a moment, and the processor time that this process had used by then.
type stamp struct {
	at  time.Time
	cpu time.Duration
}

func now() stamp { return stamp{time.Now(), cpuTime()} }

// add records one batch. A bare loop calls it once for many records.
func (m *meter) add(n int) {
	if n == 0 {
		return
	}
	total := m.records.Add(int64(n))
	m.batches.Add(1)
	switch {
	case total == int64(n):
		m.firstRecords, m.begin = total, now()
		m.timer = time.AfterFunc(m.limit, m.finish)
	case total >= m.target && total-int64(n) < m.target:
		m.finish()
	}
}

func (m *meter) finish() {
	m.ended.Do(func() {
		m.end = now()
		m.target = m.records.Load()
		m.stop()
	})
}

// measure runs one pass of a contestant.
func measure(ctx context.Context, c contestant, j job) (result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := &meter{target: j.Target, limit: time.Duration(j.MaxSeconds * float64(time.Second)), stop: cancel}
	if m.target <= 0 {
		m.target = 1 << 62
	}
	if err := c.run(ctx, j, m); err != nil {
		return result{}, err
	}
	if m.timer != nil {
		m.timer.Stop()
	}
	m.finish() // for a pass that was interrupted
	if m.begin.at.IsZero() {
		return result{}, errNothing
	}
	return result{
		Records: m.target - m.firstRecords,
		Batches: m.batches.Load(),
		Seconds: m.end.at.Sub(m.begin.at).Seconds(),
		CPU:     (m.end.cpu - m.begin.cpu).Seconds(),
		Passes:  1,
	}, nil
}

// cpuTime returns the processor time of this process, all threads, user and system.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory returns a field of /proc/PID/status in bytes: VmHWM is the peak of the resident set, VmRSS its size.
// It does not use rusage's maxrss, which starts with what the parent had when it forked.
func memory(pid, field string) int64 {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	_, rest, ok := bytes.Cut(status, []byte(field+":"))
	if !ok {
		return 0
	}
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}
