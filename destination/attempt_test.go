package destination_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/destination"
)

// TestSendThatPanics: a Send that panics, or ends its goroutine, counts as failed; the sender continues.
func TestSendThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sends int
		to := destination.Func(func(context.Context, *destination.Failure) error {
			switch sends++; sends {
			case 1:
				panic("no queue")
			case 2:
				runtime.Goexit()
			}
			return nil
		})
		var told []error
		s := destination.NewSender(to, destination.SenderConfig{Concurrency: 1, OnError: func(e destination.DeliveryError) { told = append(told, e.Err) }})
		answer := make(chan error, 1)
		s.Send(t.Context(), failureAt(0), func(err error) { answer <- err })
		if err := <-answer; err != nil {
			t.Error(err)
		}
		var panicked *destination.PanicError
		if len(told) != 2 || !errors.As(told[0], &panicked) || !strings.Contains(told[0].Error(), "panicked: no queue") || len(panicked.Stack) == 0 ||
			!strings.Contains(told[1].Error(), "ended its goroutine") {
			t.Errorf("told of %v", told)
		}
		if status := s.Status(); status.Sending != 0 || status.Pending != 0 || status.Errors != 2 || status.Delivered != 1 {
			t.Errorf("%+v", status)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestSendThatIgnoresItsContext: such a Send is reported while it runs, its failure is not sent again in the meantime,
// and the others are sent as long as there is another worker.
func TestSendThatIgnoresItsContext(t *testing.T) {
	for _, ends := range []error{nil, errDown} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			sends := 0
			stuck := make(chan struct{})
			to := destination.Func(func(_ context.Context, f *destination.Failure) error {
				if offsetOf(f) != 0 {
					return nil
				}
				mu.Lock()
				sends++
				first := sends == 1
				mu.Unlock()
				if first {
					<-stuck
					return ends
				}
				return nil
			})
			var told []destination.DeliveryError
			s := destination.NewSender(to, destination.SenderConfig{Concurrency: 2, Timeout: 10 * time.Second, OnError: func(e destination.DeliveryError) {
				told = append(told, e)
			}})
			answer, other := make(chan error, 1), make(chan error, 1)
			s.Send(t.Context(), failureAt(0), func(err error) { answer <- err })
			time.Sleep(time.Minute)
			synctest.Wait()
			if len(told) != 1 || told[0].Attempt != 1 || told[0].Next != 0 || !strings.Contains(told[0].Err.Error(), "ignores the end of its context") {
				t.Errorf("told of %+v", told)
			}
			if status := s.Status(); status.Failing != 1 || status.Sending != 1 || status.Errors != 1 || time.Since(status.Since) != 49*time.Second {
				t.Errorf("%+v, failing for %v", status, time.Since(status.Since))
			}
			s.Send(t.Context(), failureAt(1), func(err error) { other <- err })
			if err := <-other; err != nil {
				t.Error(err)
			}
			close(stuck)
			if err := <-answer; err != nil {
				t.Error(err)
			}
			want := 1
			if ends != nil {
				want = 2
			}
			if status := s.Status(); sends != want || len(told) != 1 || status.Errors != 1 || status.Failing != 0 {
				t.Errorf("%d sends, want %d; told of %d; %+v", sends, want, len(told), status)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
