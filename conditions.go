package esm

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
)

// whereof names what a condition is about, after a word; it is empty for the whole mapping.
func whereof(c *Condition, word string) string {
	if where := c.Where(); where != "" {
		return word + where
	}
	return ""
}

// Kinds of conditions that are not a driver's.
const (
	conditionCircuit = "circuit open"
	conditionMemory  = "memory full"
	conditionInvalid = "not valid"
)

// gravity orders conditions: the least is the worst. Those from minor on do not make the LastProcessingResult.
func gravity(c *Condition) int {
	switch c.Op {
	case OpLag:
		return minor - 1
	case OpInvoke:
		if ofFunction(c) {
			return minor - 2
		}
		return minor
	case OpRotation, OpBuffer:
		return minor
	case OpCredentials:
		return 0
	}
	kinds := [...]driver.Kind{driver.KindAuthentication, driver.KindAuthorization, driver.KindFenced, driver.KindInvalidConfig,
		driver.KindGroupProtocol, driver.KindUnknownTopic, driver.KindUnavailable}
	for i, kind := range kinds {
		if c.Kind == kind.String() {
			return i
		}
	}
	return len(kinds)
}

const minor = 100

// about reports whether it concerns a partition, itself or through its topic.
func about(c *Condition, tp TopicPartition) bool {
	return c.TopicPartition == tp || c.TopicPartition.Topic == tp.Topic && c.TopicPartition.Partition < 0
}

// conditions are those that stand. Several members may hold the same one: it ends with the last. Safe for concurrent use.
type conditions struct {
	mu       sync.Mutex
	standing map[conditionKey]*standing
	log      conditionLog
	// changed holds a word for the watcher when conditions began.
	changed chan struct{}
}

// conditionKey tells conditions apart.
type conditionKey struct {
	op   Op
	kind string
	tp   TopicPartition
}

// standing is a condition with the members that hold it; nil is the Runner itself.
type standing struct {
	Condition
	holders map[*member]struct{}
	// told: the log has a line of its beginning, with the text of toldResult.
	told       bool
	toldResult string
}

func (c *conditions) init(log *slog.Logger) {
	c.standing = make(map[conditionKey]*standing)
	c.changed = make(chan struct{}, 1)
	c.log.init(log)
}

// lock locks; what it returns unlocks, and only then writes the lines: a slog.Handler may ask the Runner things.
func (c *conditions) lock() (unlock func()) {
	c.mu.Lock()
	return func() {
		lines := c.log.take()
		c.mu.Unlock()
		for _, write := range lines {
			write()
		}
	}
}

// hold begins a condition, or takes in that it was reported again. m is whose it is, nil for the Runner's.
func (c *conditions) hold(m *member, info ErrorInfo, kind string, tp TopicPartition) {
	now := time.Now()
	defer c.lock()()
	key := conditionKey{info.Op, kind, tp}
	s := c.standing[key]
	if s == nil {
		s = &standing{Condition: Condition{Op: info.Op, Kind: kind, TopicPartition: tp, Since: now}, holders: make(map[*member]struct{})}
		c.standing[key] = s
	}
	if _, held := s.holders[m]; !held {
		s.holders[m] = struct{}{}
		if m != nil {
			m.troubles.Add(1)
		}
	}
	s.Count++
	s.Last, s.Err, s.LastProcessingResult, s.Diagnosis = now, info.Err, info.LastProcessingResult, info.Diagnosis
	c.tell(now, s)
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// tell has the log say that a condition began or is another one now. The caller holds mu.
func (c *conditions) tell(now time.Time, s *standing) {
	what := "event source: a condition begins"
	if s.told {
		what = "event source: a condition is another one now"
	}
	if s.told && s.toldResult == s.LastProcessingResult || !c.log.write(now, what, s.Condition) {
		return // there is nothing new, or the next line of the minute says it
	}
	s.told, s.toldResult = true, s.LastProcessingResult
}

// mention has the log say what does not stand, unless there have been many such lines.
func (c *conditions) mention(info ErrorInfo) {
	now := time.Now()
	defer c.lock()()
	c.log.mention(now, Condition{Op: info.Op, Kind: kindOf(info.Err), Err: info.Err, LastProcessingResult: info.LastProcessingResult, Diagnosis: info.Diagnosis})
}

// end ends those conditions of a member (nil: the Runner's) for which over says so.
func (c *conditions) end(m *member, over func(*Condition) bool) {
	if m != nil && m.troubles.Load() == 0 {
		return
	}
	now := time.Now()
	defer c.lock()()
	for key, s := range c.standing {
		if _, held := s.holders[m]; !held || !over(&s.Condition) {
			continue
		}
		delete(s.holders, m)
		if m != nil {
			m.troubles.Add(-1)
		}
		if len(s.holders) == 0 {
			delete(c.standing, key)
			c.log.ended(now, s)
		}
	}
}

// forget ends conditions for which over says so, whoever holds them.
func (c *conditions) forget(over func(*Condition) bool) {
	now := time.Now()
	defer c.lock()()
	for key, s := range c.standing {
		if !over(&s.Condition) {
			continue
		}
		for m := range s.holders {
			if m != nil {
				m.troubles.Add(-1)
			}
		}
		delete(c.standing, key)
		c.log.ended(now, s)
	}
}

// clarify says more of connections that fail, for a reason that was not clear before.
func (c *conditions) clarify(info ErrorInfo) {
	now := time.Now()
	defer c.lock()()
	for _, s := range c.standing {
		if d := s.Diagnosis; s.Op != OpPoll || d.Known() && !d.Vague() || s.TopicPartition.Topic != "" {
			continue
		}
		s.LastProcessingResult, s.Diagnosis = info.LastProcessingResult, info.Diagnosis
		c.tell(now, s)
	}
}

// list are the conditions that stand, worst first, then the oldest.
func (c *conditions) list() []Condition {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.standing) == 0 {
		return nil
	}
	all := make([]Condition, 0, len(c.standing))
	for _, s := range c.standing {
		all = append(all, s.Condition)
	}
	slices.SortFunc(all, func(a, b Condition) int {
		return cmp.Or(cmp.Compare(gravity(&a), gravity(&b)), a.Since.Compare(b.Since), cmp.Compare(a.Op, b.Op),
			cmp.Compare(a.TopicPartition.Topic, b.TopicPartition.Topic), cmp.Compare(a.TopicPartition.Partition, b.TopicPartition.Partition))
	})
	return all
}

// held reports whether a member holds a condition for which is says so.
func (c *conditions) held(m *member, is func(*Condition) bool) bool {
	if m.troubles.Load() == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.standing {
		if _, held := s.holders[m]; held && is(&s.Condition) {
			return true
		}
	}
	return false
}

// lastResult is the LastProcessingResult: the worst condition's, else the last invocation's.
func (c *core) lastResult(standing []Condition) (string, auth.Diagnosis) {
	if len(standing) > 0 && gravity(&standing[0]) < minor {
		return standing[0].LastProcessingResult, standing[0].Diagnosis
	}
	return *c.result.Load(), auth.Diagnosis{}
}

// lastWord is the LastProcessingResult as it now is.
func (c *core) lastWord() string {
	text, _ := c.lastResult(c.conditions.list())
	return text
}

// problem turns what the client, the broker or a secret store said into Lambda's text.
func (c *core) problem(op Op, err error) ErrorInfo {
	d := c.diagnosis.observe(err, time.Now())
	return ErrorInfo{Op: op, Err: err, LastProcessingResult: problemText(d, err), Diagnosis: d}
}

// hold begins a condition of the Runner's own, for the whole mapping.
func (c *core) hold(info ErrorInfo) { c.conditions.hold(nil, info, kindOf(info.Err), TopicPartition{}) }

// over ends the Runner's own conditions of an Op.
func (c *core) over(op Op) {
	c.conditions.end(nil, func(x *Condition) bool { return x.Op == op })
}

// misconfigured begins a condition that says what of the mapping, or of what the handler returns, does not fit; it ends with
// corrected. The LastProcessingResult stays the last invocation's.
func (c *core) misconfigured(err error) {
	c.conditions.hold(nil, ErrorInfo{Op: OpInvoke, Err: err, LastProcessingResult: "PROBLEM: " + err.Error()}, conditionInvalid, TopicPartition{})
}

// corrected ends what misconfigured began.
func (c *core) corrected() {
	c.conditions.end(nil, func(x *Condition) bool { return x.Kind == conditionInvalid })
}

// kindOf is the driver's kind of an error in words.
func kindOf(err error) string {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Kind.String()
	}
	return driver.KindOther.String()
}

// stands takes in what the client said; it reports whether that is a condition that stands until something ends it.
func (m *member) stands(err *driver.Error, info ErrorInfo) bool {
	switch {
	case err.Kind == driver.KindOffsetOutOfRange, err.Kind == driver.KindTruncated, err.Kind == driver.KindTopicRecreated:
		return false // what follows is ours to do
	case err.Kind == driver.KindOther && err.TopicPartition.Topic == "":
		return false
	}
	m.conditions.hold(m, info, err.Kind.String(), err.TopicPartition)
	return true
}
