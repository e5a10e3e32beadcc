package condition

import (
	"fmt"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// LastProcessingResult values. Others are "PROBLEM: " and what is wrong.
const (
	ResultNone           = "No records processed"
	ResultOK             = "OK"
	ResultFunctionFailed = "PROBLEM: Function call failed"
	ResultConnection     = "PROBLEM: Connection error. Please check your event source connection configuration."
)

// SetResult stores the LastProcessingResult of an invocation.
func (c *Set) SetResult(text string) {
	if old := c.result.Load(); old == nil || *old != text {
		c.result.Store(&text)
	}
}

// Result returns what SetResult stored last.
func (c *Set) Result() string { return *c.result.Load() }

// LastResult returns the LastProcessingResult: that of the worst standing condition, otherwise that of the last
// invocation.
func (c *Set) LastResult(standing []observe.Condition) (string, auth.Diagnosis) {
	if len(standing) > 0 && Gravity(&standing[0]) < minor {
		return standing[0].LastProcessingResult, standing[0].Diagnosis
	}
	return c.Result(), auth.Diagnosis{}
}

// LastWord returns the current LastProcessingResult.
func (c *Set) LastWord() string {
	text, _ := c.LastResult(c.List())
	return text
}

// Problem translates an error of the client, the broker or a secret store into Lambda's text.
func (c *Set) Problem(op observe.Op, err error) observe.ErrorInfo {
	d := c.Diagnosis.observe(err, time.Now())
	return observe.ErrorInfo{Op: op, Err: err, LastProcessingResult: problemText(d, err), Diagnosis: d}
}

// Hold begins a condition that the process itself holds, for the whole mapping.
func (c *Set) Hold(info observe.ErrorInfo) {
	c.own.Hold(info, KindOf(info.Err), event.TopicPartition{})
}

// Over ends the process's own conditions of an Op.
func (c *Set) Over(op observe.Op) {
	c.own.End(func(x *observe.Condition) bool { return x.Op == op })
}

// Misconfigured begins the condition that the mapping, or what the handler returns, does not fit. Corrected ends it. The
// LastProcessingResult remains that of the last invocation.
func (c *Set) Misconfigured(err error) {
	c.own.Hold(observe.ErrorInfo{Op: observe.OpInvoke, Err: err, LastProcessingResult: "PROBLEM: " + err.Error()}, kindInvalid, event.TopicPartition{})
}

// Corrected ends the condition that Misconfigured began.
func (c *Set) Corrected() {
	c.own.End(func(x *observe.Condition) bool { return x.Kind == kindInvalid })
}

// CircuitOpened begins the condition that WithCircuitBreaker has stopped the intake.
func (c *Set) CircuitOpened(failures int, cooldown time.Duration, err error) {
	c.own.Hold(observe.ErrorInfo{Op: observe.OpInvoke, Err: fmt.Errorf("%d invocations failed in a row, on every partition; the next is tried after %v: %w",
		failures, cooldown, err), LastProcessingResult: ResultFunctionFailed}, KindCircuit, event.TopicPartition{})
}

// CircuitClosed ends that condition.
func (c *Set) CircuitClosed() {
	c.own.End(func(x *observe.Condition) bool { return x.Kind == KindCircuit })
}
