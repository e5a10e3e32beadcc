package diag

import (
	"time"

	"github.com/esm-go/esm/observe"
)

// blockersShown is the most blocking partitions that the page and the JSON list.
const blockersShown = 50

// view is the Status of a mapping with errors as text.
type view struct {
	Time                  time.Time        `json:"time"`
	FunctionName          string           `json:"functionName"`
	UUID                  string           `json:"uuid"`
	ConsumerGroupId       string           `json:"consumerGroupId"`
	Driver                string           `json:"driver"`
	State                 string           `json:"state"`
	StateTransitionReason string           `json:"stateTransitionReason"`
	LastModified          time.Time        `json:"lastModified"`
	LastProcessingResult  string           `json:"lastProcessingResult"`
	Healthy               string           `json:"unhealthy,omitempty"`
	Connects              connects         `json:"connects"`
	Workers               int              `json:"workers"`
	InFlight              int              `json:"inFlight"`
	Pollers               int              `json:"pollers"`
	Scaling               string           `json:"scaling,omitempty"`
	BufferedBytes         int              `json:"bufferedBytes"`
	BufferLimit           int              `json:"bufferLimit"`
	CircuitOpen           bool             `json:"circuitOpen"`
	OffsetLag             map[string]int64 `json:"offsetLag"`
	OldestAge             string           `json:"oldestAge"`
	Conditions            []condition      `json:"conditions"`
	Diagnosis             string           `json:"diagnosis,omitempty"`
	Slow                  []string         `json:"slow"`
	Partitions            int              `json:"partitions"`
	Blocked               int              `json:"blocked"`
	WhoBlocks             []partition      `json:"whoBlocks"`
	Metrics               observe.Metrics  `json:"metrics"`
	Events                []Event          `json:"events"`
}

type connects struct {
	Protocol  string     `json:"protocol"`
	Mechanism string     `json:"mechanism,omitempty"`
	Principal string     `json:"principal,omitempty"`
	Since     *time.Time `json:"since,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	DaysLeft  *int       `json:"daysLeft,omitempty"`
	Error     string     `json:"error,omitempty"`
}

type condition struct {
	Op      string    `json:"op"`
	Kind    string    `json:"kind"`
	Of      string    `json:"of,omitempty"`
	Since   time.Time `json:"since"`
	Last    time.Time `json:"last"`
	Count   int       `json:"count"`
	Error   string    `json:"error"`
	Meaning string    `json:"meaning,omitempty"`
}

type partition struct {
	Partition  string     `json:"partition"`
	Offset     int64      `json:"offset"`
	WaitsFor   string     `json:"waitsFor"`
	Since      time.Time  `json:"since"`
	KeyHash    string     `json:"keyHash,omitempty"`
	Key        string     `json:"key,omitempty"`
	Bytes      int        `json:"bytes"`
	Age        string     `json:"age"`
	Lag        int64      `json:"lag"`
	Buffered   int        `json:"buffered"`
	Tries      int        `json:"tries"`
	Attempts   int        `json:"attempts"`
	NextTry    *time.Time `json:"nextTry,omitempty"`
	FirstError string     `json:"firstError,omitempty"`
	LastError  string     `json:"lastError,omitempty"`
	Paused     string     `json:"paused,omitempty"`
	Condition  string     `json:"condition,omitempty"`
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func viewOf(s *observe.Status, unhealthy error, events []Event) view {
	v := view{
		Time: s.Time, FunctionName: s.FunctionName, UUID: s.UUID, ConsumerGroupId: s.ConsumerGroupId, Driver: s.Driver, State: string(s.State),
		StateTransitionReason: s.StateTransitionReason, LastModified: s.LastModified, LastProcessingResult: s.LastProcessingResult, Healthy: errorText(unhealthy),
		Workers: s.Workers, InFlight: s.InFlight, Pollers: s.Pollers, BufferedBytes: s.BufferedBytes, BufferLimit: s.BufferLimit, CircuitOpen: s.CircuitOpen,
		OffsetLag: s.OffsetLag, OldestAge: s.OldestAge.Round(time.Millisecond).String(), Partitions: len(s.Partitions), Metrics: s.Metrics, Events: events,
	}
	c := &s.Credentials
	v.Connects = connects{Protocol: c.Protocol, Mechanism: c.Mechanism, Principal: c.Principal, Since: known(c.Since), Expires: known(c.Expires), Error: errorText(c.Err)}
	if !c.Expires.IsZero() {
		v.Connects.DaysLeft = &c.DaysLeft
	}
	if s.Scaling.Policy != "" {
		v.Scaling = s.Scaling.Reason.String()
	}
	if s.Diagnosis.Known() {
		v.Diagnosis = s.Diagnosis.Error()
	}
	for i := range s.Conditions {
		x := &s.Conditions[i]
		one := condition{Op: string(x.Op), Kind: x.Kind, Of: x.Where(), Since: x.Since, Last: x.Last, Count: x.Count, Error: errorText(x.Err)}
		if x.Diagnosis.Known() {
			one.Meaning = x.Diagnosis.Error()
		}
		v.Conditions = append(v.Conditions, one)
	}
	for i := range s.Slow {
		v.Slow = append(v.Slow, s.Slow[i].String())
	}
	blocked := s.WhoBlocks()
	v.Blocked = len(blocked)
	for i := range blocked[:min(len(blocked), blockersShown)] {
		p := &blocked[i]
		one := partition{Partition: p.TopicPartition.String(), Offset: p.Position, WaitsFor: string(p.Head.WaitsFor), Since: p.Head.Since, KeyHash: p.Head.KeyHash.String(),
			Key: p.Head.Key, Bytes: p.Head.Bytes, Age: p.OldestAge.Round(time.Millisecond).String(), Lag: p.Lag, Buffered: p.Buffered, Tries: p.Head.Tries,
			Attempts: p.Attempts, NextTry: known(p.NextTry), FirstError: errorText(p.Head.FirstError), LastError: errorText(p.LastError), Paused: p.Paused}
		if p.Condition != nil {
			one.Condition = p.Condition.String()
		}
		v.WhoBlocks = append(v.WhoBlocks, one)
	}
	return v
}
