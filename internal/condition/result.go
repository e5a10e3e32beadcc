package condition

import (
	"fmt"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// LastProcessingResult values, beside "PROBLEM: " and what is wrong.
const (
	ResultNone           = "No records processed"
	ResultOK             = "OK"
	ResultFunctionFailed = "PROBLEM: Function call failed"
	ResultConnection     = "PROBLEM: Connection error. Please check your event source connection configuration."
)

// SetResult keeps the LastProcessingResult of an invocation.
func (c *Set) SetResult(text string) {
	if old := c.result.Load(); old == nil || *old != text {
		c.result.Store(&text)
	}
}

// Result is what SetResult kept.
func (c *Set) Result() string { return *c.result.Load() }

// LastResult is the LastProcessingResult: the worst condition's of those that stand, else the last invocation's.
func (c *Set) LastResult(standing []observe.Condition) (string, auth.Diagnosis) {
	if len(standing) > 0 && Gravity(&standing[0]) < minor {
		return standing[0].LastProcessingResult, standing[0].Diagnosis
	}
	return c.Result(), auth.Diagnosis{}
}

// LastWord is the LastProcessingResult as it now is.
func (c *Set) LastWord() string {
	text, _ := c.LastResult(c.List())
	return text
}

// Problem turns what the client, the broker or a secret store said into Lambda's text.
func (c *Set) Problem(op observe.Op, err error) observe.ErrorInfo {
	d := c.Diagnosis.observe(err, time.Now())
	return observe.ErrorInfo{Op: op, Err: err, LastProcessingResult: problemText(d, err), Diagnosis: d}
}

// Hold begins a condition of the process's own, for the whole mapping.
func (c *Set) Hold(info observe.ErrorInfo) {
	c.own.Hold(info, KindOf(info.Err), event.TopicPartition{})
}

// Over ends the process's own conditions of an Op.
func (c *Set) Over(op observe.Op) {
	c.own.End(func(x *observe.Condition) bool { return x.Op == op })
}

// Misconfigured begins a condition that says what of the mapping, or of what the handler returns, does not fit; it ends with
// Corrected. The LastProcessingResult stays the last invocation's.
func (c *Set) Misconfigured(err error) {
	c.own.Hold(observe.ErrorInfo{Op: observe.OpInvoke, Err: err, LastProcessingResult: "PROBLEM: " + err.Error()}, kindInvalid, event.TopicPartition{})
}

// Corrected ends what Misconfigured began.
func (c *Set) Corrected() {
	c.own.End(func(x *observe.Condition) bool { return x.Kind == kindInvalid })
}

// CircuitOpened begins the condition that WithCircuitBreaker has stopped the intake.
func (c *Set) CircuitOpened(failures int, cooldown time.Duration, err error) {
	c.own.Hold(observe.ErrorInfo{Op: observe.OpInvoke, Err: fmt.Errorf("%d invocations failed in a row, on every partition; the next is tried after %v: %w",
		failures, cooldown, err), LastProcessingResult: ResultFunctionFailed}, KindCircuit, event.TopicPartition{})
}

// CircuitClosed ends it.
func (c *Set) CircuitClosed() {
	c.own.End(func(x *observe.Condition) bool { return x.Kind == KindCircuit })
}
