package runtime

import "time"

// Status is a snapshot of a Pool.
type Status struct {
	FunctionName string
	// State is Stopped (or not started), Starting (no worker is ready), Ready, or Failing (the last start of a worker
	// failed).
	State string
	// StateReason says why the State is Failing. InitFailures counts the consecutive failed starts. NextStart is the
	// earliest time of the next attempt.
	StateReason  string
	InitFailures int
	NextStart    time.Time
	// Workers are the live workers, by number. Waiting is the number of invocations that wait for a worker.
	Workers []WorkerStatus
	Waiting int
	// Invocations counts the answered invocations, and Errors those with a function error. Timeouts and Crashes count
	// the workers that timed out or exited by themselves, including between invocations. Starts counts the processes
	// started.
	Invocations, Errors, Timeouts, Crashes, Starts int64
}

// WorkerStatus is a snapshot of a worker.
type WorkerStatus struct {
	Number, PID int
	// State is Starting, Idle, Busy, Answered (it has not asked for the next invocation yet) or Ending.
	State string
	Since time.Time
	// RequestID is the ID of the current invocation.
	RequestID   string
	Invocations int64
	// Memory is the resident memory of the worker's process group, in bytes. It is 0 on systems other than Linux.
	Memory int64
}

// Status returns a snapshot.
func (p *Pool) Status() Status {
	memory := groupMemory()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{FunctionName: p.config.FunctionName, State: "Starting", InitFailures: p.failures, Waiting: len(p.waiting),
		Invocations: p.counts.invocations, Errors: p.counts.errors, Timeouts: p.counts.timeouts, Crashes: p.counts.crashes, Starts: p.counts.starts}
	for _, w := range p.workers {
		ws := WorkerStatus{Number: w.number, State: w.state.String(), Since: w.since, Invocations: w.invocations}
		if w.call != nil {
			ws.RequestID = w.call.id
		}
		if w.process != nil {
			ws.PID = w.process.Pid
			ws.Memory = memory[ws.PID]
		}
		if w.state != starting && w.state != ending {
			s.State = "Ready"
		}
		s.Workers = append(s.Workers, ws)
	}
	switch {
	case !p.started || p.stopping:
		s.State = "Stopped"
	case p.failures > 0:
		s.State, s.NextStart = "Failing", p.retryAt
		s.StateReason = p.configError(p.lastInit).Error()
	}
	return s
}
