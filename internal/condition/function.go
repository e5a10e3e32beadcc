package condition

import (
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// UnaskedPatience is how long after the last invocation with ignored items their condition ends. A function may report
// items only now and then.
const UnaskedPatience = 5 * time.Minute

// function is what invocations revealed about the function itself.
type function struct {
	// problem is the code of why the function cannot be invoked as it is, nil if it can.
	problem atomic.Pointer[string]
	// unasked is when items were last reported although the mapping does not ask for them (Unix time in ns), 0 if they are
	// not.
	unasked atomic.Int64
}

// FunctionBroken begins the condition that the function cannot be invoked as it is. It replaces one with another code.
// err is the error of the invocation.
func (c *Set) FunctionBroken(problem observe.FunctionProblem, err error) {
	code := problem.FunctionProblem()
	if old := c.function.problem.Swap(&code); old != nil && *old != code {
		c.own.End(func(x *observe.Condition) bool { return ofFunction(x) && x.Kind != code })
	}
	c.own.Hold(observe.ErrorInfo{Op: observe.OpInvoke, Err: err, LastProcessingResult: "PROBLEM: " + problem.Error()}, code, event.TopicPartition{})
}

// FunctionReached ends that condition.
func (c *Set) FunctionReached() {
	if c.function.problem.Load() != nil {
		c.function.problem.Store(nil)
		c.own.End(ofFunction)
	}
}

// ofFunction reports whether a condition is one of the function itself.
func ofFunction(c *observe.Condition) bool {
	return c.Op == observe.OpInvoke && c.Kind != KindCircuit && c.Kind != kindInvalid
}

// ItemsUnasked begins the condition that items are reported although the mapping does not ask for them.
func (c *Set) ItemsUnasked(now time.Time, err error) {
	c.function.unasked.Store(now.UnixNano())
	c.Misconfigured(err)
}

// NoItems ends that condition if no items were reported for UnaskedPatience.
func (c *Set) NoItems(now time.Time) {
	last := c.function.unasked.Load()
	if last != 0 && now.Sub(time.Unix(0, last)) >= UnaskedPatience && c.function.unasked.CompareAndSwap(last, 0) {
		c.Corrected()
	}
}
