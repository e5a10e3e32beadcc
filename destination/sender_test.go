package destination_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
)

// failureAt returns a failure of one record at an offset.
func failureAt(offset int64) *destination.Failure {
	return &destination.Failure{MappingUUID: "m", Condition: destination.RetryAttemptsExhausted, Event: event.KafkaEvent{
		Records: map[string][]event.KafkaRecord{"t-0": {{Topic: "t", Offset: offset, Timestamp: 1}}}}}
}

func offsetOf(f *destination.Failure) int64 { return f.Event.Records["t-0"][0].Offset }

var errDown = errors.New("down")

func TestSenderSendsUntilAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var attempts atomic.Int32
		down := destination.Func(func(context.Context, *destination.Failure) error {
			attempts.Add(1)
			if time.Since(start) < time.Minute {
				return errDown
			}
			return nil
		})
		var told []destination.DeliveryError
		var delivered destination.Delivery
		s := destination.NewSender(down, destination.SenderConfig{
			OnError:     func(e destination.DeliveryError) { told = append(told, e) },
			OnDelivered: func(d destination.Delivery) { delivered = d },
		})
		answer := make(chan error, 1)
		f := failureAt(7)
		s.Send(t.Context(), f, func(err error) { answer <- err })
		time.Sleep(30 * time.Second)
		status := s.Status()
		if status.Pending != 1 || status.Failing != 1 || !status.Since.Equal(start) || !errors.Is(status.LastError, errDown) || status.Errors < 5 || status.Delivered != 0 {
			t.Errorf("while it is down: %+v", status)
		}
		if err := <-answer; err != nil {
			t.Fatal(err)
		}
		if n := int(attempts.Load()); len(told) != n-1 || delivered.Attempts != n || delivered.Failure != f || delivered.Took < time.Minute || n > 14 {
			t.Errorf("%d attempts, %d errors, %+v", n, len(told), delivered)
		}
		for i, e := range told {
			if e.Attempt != i+1 || e.Failure != f || !errors.Is(e.Err, errDown) || e.Next > 30*time.Second || e.Next < 50*time.Millisecond {
				t.Errorf("error %d: %+v", i, e)
			}
		}
		if status := s.Status(); status.Pending != 0 || status.Failing != 0 || !status.Since.IsZero() || status.Delivered != 1 {
			t.Errorf("after it: %+v", status)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestSenderPassesOver: a failure that is always rejected does not hold up the others.
func TestSenderPassesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := destination.Func(func(_ context.Context, f *destination.Failure) error {
			if offsetOf(f) < 10 {
				return errDown
			}
			return nil
		})
		s := destination.NewSender(refuse, destination.SenderConfig{Concurrency: 2})
		ctx, cancel := context.WithCancelCause(t.Context())
		revoked := errors.New("revoked")
		answers := make(chan error, 10)
		for i := range int64(10) {
			s.Send(ctx, failureAt(i), func(err error) { answers <- err })
		}
		for i := range int64(100) {
			ok := make(chan error, 1)
			s.Send(t.Context(), failureAt(10+i), func(err error) { ok <- err })
			if err := <-ok; err != nil {
				t.Fatal(err)
			}
		}
		if status := s.Status(); status.Pending != 10 || status.Failing != 10 {
			t.Errorf("%+v", status)
		}
		cancel(revoked)
		for range 10 {
			if err := <-answers; !errors.Is(err, revoked) {
				t.Errorf("got %v", err)
			}
		}
		if status := s.Status(); status.Pending != 0 || status.Failing != 0 {
			t.Errorf("%+v", status)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestSenderSlow: a Send that ends with its context, and one that is acknowledged although its context has ended.
func TestSenderSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sends atomic.Int32
		slow := destination.Func(func(ctx context.Context, f *destination.Failure) error {
			sends.Add(1)
			if offsetOf(f) == 1 {
				time.Sleep(10 * time.Second)
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		s := destination.NewSender(slow, destination.SenderConfig{Timeout: 20 * time.Second})
		ctx, cancel := context.WithCancelCause(t.Context())
		answers := make(chan error, 2)
		began := time.Now()
		s.Send(ctx, failureAt(0), func(err error) { answers <- err })
		time.Sleep(21 * time.Second)
		synctest.Wait()
		if status := s.Status(); !errors.Is(status.LastError, context.DeadlineExceeded) || sends.Load() != 2 {
			t.Errorf("after the timeout: %+v, %d sends", status, sends.Load())
		}
		stop := errors.New("stop")
		s.Send(ctx, failureAt(1), func(err error) { answers <- err })
		time.Sleep(time.Second)
		cancel(stop)
		if err := <-answers; !errors.Is(err, stop) || time.Since(began) != 22*time.Second {
			t.Errorf("the one that heeds its context: %v after %v", err, time.Since(began))
		}
		if err := <-answers; err != nil || time.Since(began) != 31*time.Second {
			t.Errorf("the one that is acknowledged in the end: %v after %v", err, time.Since(began))
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestSenderClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		to := destination.Func(func(ctx context.Context, f *destination.Failure) error {
			if offsetOf(f) == 1 {
				<-stuck
				return nil
			}
			return errDown
		})
		s := destination.NewSender(to, destination.SenderConfig{Concurrency: 1})
		refused, acknowledged, late := make(chan error, 1), make(chan error, 1), make(chan error, 1)
		s.Send(t.Context(), failureAt(0), func(err error) { refused <- err })
		synctest.Wait()
		s.Send(t.Context(), failureAt(1), func(err error) { acknowledged <- err })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close while a Send ignores its context: %v", err)
		}
		if err := <-refused; !errors.Is(err, destination.ErrClosed) {
			t.Errorf("the one that waits for another attempt: %v", err)
		}
		close(stuck)
		if err := <-acknowledged; err != nil {
			t.Errorf("the one that was acknowledged late: %v", err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		s.Send(t.Context(), failureAt(2), func(err error) { late <- err })
		if err := <-late; !errors.Is(err, destination.ErrClosed) {
			t.Errorf("one that is handed over after Close: %v", err)
		}
	})
}

// TestSenderAnswersEach plays random histories: destinations that fail, hang and lose acknowledgements, callers that
// cancel, and a Close in between. Each failure is answered once, with nil only if the destination has it, and none is
// in a Send after its answer.
func TestSenderAnswersEach(t *testing.T) {
	type step struct {
		fails, takes, hangs int  // Sends that fail first, seconds that a Send takes, Sends that hang
		lost                bool // the first acknowledgement is lost
		cancel              int  // seconds until the caller cancels it, 0 = never
		at                  int  // seconds until it is sent
	}
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			small := rapid.IntRange(0, 3)
			return step{small.Draw(rt, "fails"), small.Draw(rt, "takes"), rapid.IntRange(0, 1).Draw(rt, "hangs"),
				rapid.Bool().Draw(rt, "lost"), rapid.SampledFrom([]int{0, 0, 1, 5, 40}).Draw(rt, "cancel"), rapid.IntRange(0, 60).Draw(rt, "at")}
		}), 1, 30).Draw(rt, "failures")
		concurrency := rapid.IntRange(1, 4).Draw(rt, "concurrency")
		closeAt := time.Duration(rapid.IntRange(1, 200).Draw(rt, "close")) * time.Second
		var err error
		synctest.Test(t, func(*testing.T) {
			err = func() error {
				var mu sync.Mutex
				sends, kept, running := make(map[int64]int), make(map[int64]bool), 0
				answered := make(map[int64][]error)
				var wrong []error
				to := destination.Func(func(ctx context.Context, f *destination.Failure) error {
					at := offsetOf(f)
					st := steps[at]
					mu.Lock()
					if len(answered[at]) > 0 {
						wrong = append(wrong, fmt.Errorf("%d is sent after its answer", at))
					}
					n := sends[at]
					sends[at]++
					if running++; running > concurrency {
						wrong = append(wrong, fmt.Errorf("%d at a time", running))
					}
					mu.Unlock()
					defer func() { mu.Lock(); running--; mu.Unlock() }()
					time.Sleep(time.Duration(st.takes) * time.Second)
					if n < st.fails {
						return errDown
					}
					if n < st.fails+st.hangs {
						<-ctx.Done()
						return ctx.Err()
					}
					mu.Lock()
					defer mu.Unlock()
					if st.lost && !kept[at] {
						kept[at] = true
						return errDown
					}
					kept[at] = true
					return nil
				})
				s := destination.NewSender(to, destination.SenderConfig{Concurrency: concurrency})
				var wg sync.WaitGroup
				for i, st := range steps {
					wg.Go(func() {
						time.Sleep(time.Duration(st.at) * time.Second)
						ctx, cancel := context.WithCancel(context.Background())
						defer cancel()
						if st.cancel > 0 {
							time.AfterFunc(time.Duration(st.cancel)*time.Second, cancel)
						}
						got := make(chan struct{})
						s.Send(ctx, failureAt(int64(i)), func(err error) {
							mu.Lock()
							defer mu.Unlock()
							if answered[int64(i)] = append(answered[int64(i)], err); len(answered[int64(i)]) == 1 {
								close(got)
							}
						})
						<-got
					})
				}
				time.Sleep(closeAt)
				if err := s.Close(context.Background()); err != nil {
					return err
				}
				wg.Wait()
				synctest.Wait()
				for i := range steps {
					got := answered[int64(i)]
					switch {
					case len(got) != 1:
						wrong = append(wrong, fmt.Errorf("%d has %d answers: %v", i, len(got), got))
					case got[0] == nil && !kept[int64(i)]:
						wrong = append(wrong, fmt.Errorf("%d counts as acknowledged, and the destination does not have it", i))
					case got[0] != nil && !errors.Is(got[0], context.Canceled) && !errors.Is(got[0], destination.ErrClosed):
						wrong = append(wrong, fmt.Errorf("%d: %w", i, got[0]))
					}
				}
				if st := s.Status(); st.Pending != 0 || st.Sending != 0 || st.Failing != 0 {
					wrong = append(wrong, fmt.Errorf("%+v", st))
				}
				return errors.Join(wrong...)
			}()
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}
