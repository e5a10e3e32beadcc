package condition

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

func TestTwoMembersHoldOneConditionWhichEndsWithTheLast(t *testing.T) {
	var c Set
	c.Init(slog.New(slog.DiscardHandler))
	x, y := c.NewHolder(), c.NewHolder()
	info := observe.ErrorInfo{Op: observe.OpPoll, Err: errors.New("gone"), LastProcessingResult: "PROBLEM: gone"}
	x.Hold(info, "unavailable", event.TopicPartition{})
	y.Hold(info, "unavailable", event.TopicPartition{})
	all := func(*observe.Condition) bool { return true }
	x.End(all)
	if got := c.List(); len(got) != 1 || got[0].Count != 2 {
		t.Errorf("after the first: %v", got)
	}
	x.End(all)
	y.End(all)
	if got := c.List(); len(got) != 0 || x.Any() || y.Any() || c.Any() {
		t.Errorf("after the last: %v", got)
	}
}

func TestTheProcessHoldsConditionsOfItsOwn(t *testing.T) {
	var c Set
	c.Init(slog.New(slog.DiscardHandler))
	m := c.NewHolder()
	c.Hold(c.Problem(observe.OpLag, errors.New("no answer")))
	m.End(func(*observe.Condition) bool { return true })
	if got := c.List(); len(got) != 1 || got[0].Op != observe.OpLag {
		t.Errorf("a member ended what is the process's: %v", got)
	}
	c.Over(observe.OpRotation)
	if !c.Any() {
		t.Error("the end of another Op ended it")
	}
	c.Over(observe.OpLag)
	if c.Any() || c.LastWord() != ResultNone {
		t.Errorf("it stands on: %v", c.List())
	}
}
