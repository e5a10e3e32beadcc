package runtime

import "time"

// Status is a snapshot of a Pool.
type Status struct {
	FunctionName string
	// State is Stopped (or not started), Starting (no worker has been ready yet), Ready, or Failing: the last start of a
	// worker failed.
	State string
	// StateReason says why it is Failing; InitFailures counts the starts in a row that failed, NextStart is when the next is
	// tried at the earliest.
	StateReason  string
	InitFailures int
	NextStart    time.Time
	// Workers are those that live, by number. Waiting counts the invocations that have none.
	Workers []WorkerStatus
	Waiting int
	// Invocations counts those answered, Errors those of them that were function errors. Timeouts and Crashes count those
	// that had no answer, crashes between invocations too. Starts counts the processes.
	Invocations, Errors, Timeouts, Crashes, Starts int64
}

// WorkerStatus is a snapshot of a worker.
type WorkerStatus struct {
	Number, PID int
	// State is Starting, Idle, Busy, Answered (and it has not asked again) or Ending.
	State string
	Since time.Time
	// RequestID is that of the invocation at hand.
	RequestID   string
	Invocations int64
	// Memory is the resident memory of the worker's process group, in bytes; 0 where the system does not say (it does on
	// Linux).
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
