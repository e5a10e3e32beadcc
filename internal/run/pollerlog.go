package run

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/snapshot"
	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/observe/pollerlog"
)

const (
	// pollerCalm is how long an assignment must be unchanged before it is written. By then the loops have published it.
	pollerCalm = 2 * snapshot.Interval
	// pollerErrors is how many errors may wait to be written. More are discarded.
	pollerErrors = 100
)

// pollerWriter writes the poller log of one mapping. What its hooks receive is queued for run.
type pollerWriter struct {
	logs    []*pollerlog.Log
	errors  chan observe.ErrorInfo
	changed chan struct{}
	known   []knownPoller
}

// knownPoller is a poller with what was last written about it.
type knownPoller struct {
	m          *poller
	partitions []string
	generation int32
	written    bool
}

// WritePollers makes the mapping write the log of Lambda's poller to one more Log.
func (o *Options) WritePollers(l *pollerlog.Log) {
	if o.pollerLog != nil {
		o.pollerLog.logs = append(o.pollerLog.logs, l)
		return
	}
	w := &pollerWriter{logs: []*pollerlog.Log{l}, errors: make(chan observe.ErrorInfo, pollerErrors), changed: make(chan struct{}, 1)}
	o.pollerLog = w
	o.Hooks = append(o.Hooks, w.hooks())
}

func (w *pollerWriter) hooks() observe.Hooks {
	changed := func(observe.AssignmentInfo) {
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
	return observe.Hooks{Assigned: changed, Revoked: changed, Lost: changed, Error: func(i observe.ErrorInfo) {
		select {
		case w.errors <- i:
		default:
		}
	}}
}

// run writes until ctx ends.
func (w *pollerWriter) run(ctx context.Context, r *Process) {
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	calm := time.NewTimer(pollerCalm)
	defer calm.Stop()
	for {
		select {
		case i := <-w.errors:
			origin := r.origin(0)
			for _, l := range w.logs {
				l.Processing(origin, pollerlog.ProcessingError{ErrorMessage: i.Err.Error(), ErrorCode: condition.ErrorCode(&i)})
			}
		case <-w.changed:
			calm.Reset(pollerCalm)
		case <-calm.C:
			w.pollers(ctx, r)
		case <-minute.C:
			w.pollers(ctx, r)
			w.offsets(r)
		case <-ctx.Done():
			return
		}
	}
}

// origin returns the mapping and the poller that an event is about.
func (r *Process) origin(poller int) pollerlog.Origin {
	unlock := r.lock()
	level := ""
	if c := r.mapping.LoggingConfig; c != nil {
		level = c.SystemLogLevel
	}
	unlock()
	return pollerlog.Origin{Level: level, UUID: r.shared.UUID, Poller: poller, EventSourceARN: r.shared.Bootstrap}
}

// number returns the index of a poller. A poller keeps it until it is gone.
func (w *pollerWriter) number(m *poller, all []*poller) int {
	free := -1
	for i := range w.known {
		if w.known[i].m == m {
			return i
		}
		if free < 0 && !slices.Contains(all, w.known[i].m) {
			free = i
		}
	}
	if free < 0 {
		free = len(w.known)
		w.known = append(w.known, knownPoller{})
	}
	w.known[free] = knownPoller{m: m}
	return free
}

// pollers writes an event for each consumer that is new or whose assignment has changed.
func (w *pollerWriter) pollers(ctx context.Context, r *Process) {
	if !pollerlog.Enabled(r.origin(0).Level, pollerlog.Info) {
		return
	}
	all := r.roster.list()
	for _, m := range all {
		n := w.number(m, all)
		k := &w.known[n]
		partitions := make([]string, 0, 16)
		for _, portion := range m.member.Snapshot().Portions {
			for i := range portion {
				partitions = append(partitions, portion[i].TopicPartition.String())
			}
		}
		slices.Sort(partitions)
		consumer, generation := m.member.Client()
		if consumer == nil || k.written && slices.Equal(k.partitions, partitions) && k.generation == generation {
			continue
		}
		k.partitions, k.generation, k.written = partitions, generation, true
		unlock := r.lock()
		protocol, mechanism := r.credentials.Protocol, r.credentials.Mechanism
		unlock()
		c := pollerlog.Connection{
			BrokerEndpoints: r.shared.Bootstrap, ConsumerID: fmt.Sprintf("%s-%d", r.shared.UUID, n), Topics: r.client.Topics, ConsumerGroupId: r.client.GroupID,
			SecurityProtocol: protocol, SASLMechanism: mechanism, AssignedPartitionCount: len(partitions), AssignedPartitions: partitions,
			PartitionsAssignmentGeneration: int(generation),
		}
		look, cancel := context.WithTimeout(ctx, condition.ProbePatience)
		topics, err := consumer.Topics(look)
		cancel()
		for _, t := range topics {
			if err == nil && t.Err == nil {
				c.TotalPartitionCount += int(t.Partitions)
			}
		}
		c.TotalPartitionCount = max(c.TotalPartitionCount, len(partitions))
		origin := r.origin(n)
		for _, l := range w.logs {
			l.PollerStatus(origin, c)
		}
	}
}

// offsets writes the offsets of each partition.
func (w *pollerWriter) offsets(r *Process) {
	if !pollerlog.Enabled(r.origin(0).Level, pollerlog.Debug) {
		return
	}
	all := r.roster.list()
	for _, m := range all {
		origin := r.origin(w.number(m, all))
		for _, portion := range m.member.Snapshot().Portions {
			for i := range portion {
				p := &portion[i]
				offsets := pollerlog.Offsets{Partition: p.TopicPartition.String(), EndOffset: p.End, ConsumedOffset: p.Received - 1,
					ProcessedOffset: max(p.Position, 0) - 1, CommittedOffset: p.Committed}
				for _, l := range w.logs {
					l.KafkaStatus(origin, offsets)
				}
			}
		}
	}
}
