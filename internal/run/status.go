package run

import (
	"time"

	"github.com/esm-go/esm/internal/snapshot"
	"github.com/esm-go/esm/observe"
)

// gather combines the members' snapshots: a busy loop's is the last that it published.
func (r *Process) gather() observe.Status {
	pollers := r.roster.list()
	snapshots := make([]*snapshot.Snapshot, len(pollers))
	for i, p := range pollers {
		snapshots[i] = p.member.Snapshot()
	}
	return snapshot.Sum(snapshots)
}

// Status is esm.Runner.Status.
func (r *Process) Status() observe.Status {
	unlock := r.lock()
	s, ended := r.last, r.ended
	unlock()
	if !ended {
		s = r.gather()
	}
	unlock = r.lock()
	s.State, s.StateTransitionReason, s.LastModified, s.Credentials = r.state, r.reason, r.lastModified, r.credentials
	s.Scaling = r.scaling
	unlock()
	if until := s.Credentials.Expires; !until.IsZero() {
		s.Credentials.DaysLeft = int(time.Until(until) / (24 * time.Hour))
	}
	s.UUID, s.FunctionName, s.ConsumerGroupId, s.Driver = r.shared.UUID, *r.shared.Function.Load(), r.client.GroupID, r.opts.Driver.Name()
	s.Client = clientOf(r.opts.Driver)
	s.Conditions = r.shared.Conditions.List()
	s.LastProcessingResult, s.Diagnosis = r.shared.Conditions.LastResult(s.Conditions)
	snapshot.Mark(&s)
	if s.State == observe.Creating && s.Diagnosis.Code != "" {
		s.StateTransitionReason = string(s.Diagnosis.Code)
	}
	s.Workers = r.shared.Workers.Limit()
	s.CircuitOpen = r.shared.Circuit.IsOpen()
	s.BufferedBytes, s.BufferLimit = int(r.shared.Budget.Used.Load()), int(r.shared.Budget.Limit.Load())
	if !s.Scaling.LagTime.IsZero() {
		s.Scaling.LagAge = time.Since(s.Scaling.LagTime)
	}
	s.Metrics, s.Destination = r.shared.Counters.Snapshot(), r.destinationStatus()
	return s
}

// Metrics is esm.Runner.Metrics.
func (r *Process) Metrics() observe.Metrics { return r.shared.Counters.Snapshot() }

// Histograms is esm.Runner.Histograms.
func (r *Process) Histograms() observe.Histograms { return r.shared.Meters.Read() }

// SetBufferBytes is esm.Runner.SetBufferBytes.
func (r *Process) SetBufferBytes(n int) { r.shared.Budget.Limit.Store(int64(max(n, 1<<20))) }
