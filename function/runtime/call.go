package runtime

import (
	"encoding/json"
	"time"

	"github.com/esm-go/esm/function"
)

// call is one invocation on its way through the pool.
type call struct {
	id       string
	payload  []byte
	deadline time.Time // of the caller's context; the pool's timeout applies too
	worker   *worker   // the worker that handles it; guarded by the pool's mu
	assigned chan struct{}
	done     chan result // holds one result: the first
}

// result is the outcome of a call.
type result struct {
	answer  function.Answer
	err     error
	timeout bool
}

// finish gives the call its result. Only the first result counts.
func (c *call) finish(r result) {
	select {
	case c.done <- r:
	default:
	}
}

// errorBody is Lambda's form of an error.
func errorBody(kind, message string) []byte {
	b, _ := json.Marshal(struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}{message, kind}) // strings only
	return b
}
