package manager_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/store/memory"
)

// TestStartsAreBounded: only a limited number of mappings start concurrently; one whose cluster does not answer gives
// up its place after ten seconds; when the cluster answers, all of them run.
func TestStartsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		s := memory.New()
		first, stop := h.start(s, h.handlers)
		const mappings, places = 40, 4
		for i := range mappings {
			topic := fmt.Sprint("topic-", i)
			h.broker.CreateTopic(topic, 1)
			create(t, first, mapping(topic))
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		release := h.broker.Hang(esmtest.OpPoll)
		defer release()
		var begun atomic.Int64
		m, _ := h.start(s, h.handlers, manager.WithParallelStarts(places), manager.WithRunnerOptions(
			esm.WithDriver(h.broker.Driver()), esm.WithStopTimeout(time.Second), esm.WithHooks(esm.Hooks{StateChange: func(i esm.StateInfo) {
				if i.To == esm.Creating {
					begun.Add(1)
				}
			}})))
		<-m.Ready()
		began := time.Now()
		for at, want := range []int64{places, 2 * places, 3 * places} {
			time.Sleep(time.Until(began.Add(time.Duration(at)*10*time.Second + 5*time.Second)))
			if got := begun.Load(); got != want {
				t.Errorf("after %v %d mappings have begun to start, want %d", time.Since(began), got, want)
			}
		}
		release()
		time.Sleep(5 * time.Second)
		page, _ := m.List(manager.Filter{})
		for _, d := range page {
			if d.State != esm.Enabled {
				t.Errorf("%s is %s: %s", d.Mapping.Topics, d.State, d.LastProcessingResult)
			}
		}
		if len(page) != mappings || begun.Load() != mappings {
			t.Errorf("%d mappings, %d starts", len(page), begun.Load())
		}
	})
}
