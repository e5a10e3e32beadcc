package operation

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type partitions = map[event.TopicPartition]*partition.Partition

var tp = event.TopicPartition{Topic: "t", Partition: 3}

// living returns the partition in an assignment.
func living(assignment int64) *partition.Partition {
	return &partition.Partition{TopicPartition: tp, Alive: true, Phase: partition.Running, Assignment: assignment}
}

// held returns the partitions that the member holds.
func held(p *partition.Partition) partitions {
	if p == nil || !p.Alive {
		return nil
	}
	return partitions{tp: p}
}

// member is a member's loop, as far as operations know it. Turns is what it did for them, in order.
type member struct {
	control          chan func()
	closed, stopping chan struct{}
	Waiting
	p          *partition.Partition
	isStopping bool
	turns      []string
	onPublish  func()
}

func newMember(p *partition.Partition) *member {
	return &member{control: make(chan func()), closed: make(chan struct{}), stopping: make(chan struct{}), p: p}
}

// loop returns the channels of the member's loop.
func (m *member) loop() Loop { return Loop{Control: m.control, Closed: m.closed, Stopping: m.stopping} }

// turn is one turn of the loop. It first accepts all pending calls.
func (m *member) turn() {
	for {
		synctest.Wait()
		select {
		case f := <-m.control:
			f()
			continue
		default:
		}
		break
	}
	m.advance()
}

// advance advances the accepted operations.
func (m *member) advance() {
	m.Advance(time.Now(), held(m.p), m.isStopping, func(time.Time) {
		m.turns = append(m.turns, "published")
		if m.onPublish != nil {
			m.onPublish()
		}
	})
	synctest.Wait()
}

// ask carries out an operation on its own goroutine, and sends its error on the channel.
func (m *member) ask(ctx context.Context, o *Operation) <-chan error {
	ended := make(chan error, 1)
	go func() {
		ended <- o.CarryOut(ctx, m.loop(), func() { m.TakeIn(o, m.p, m.isStopping) })
	}()
	return ended
}

// answered returns the error of an operation that must have ended.
func answered(t *testing.T, ended <-chan error) error {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-ended:
		return err
	default:
		t.Fatal("the operation has not ended")
		return nil
	}
}

// unanswered checks that an operation has not ended.
func unanswered(t *testing.T, ended <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-ended:
		t.Fatalf("the operation has ended: %v", err)
	default:
	}
}

// wantError checks that an error wraps some sentinels and none of the others, and names the operation and the partition.
func wantError(t *testing.T, err error, kinds ...error) {
	t.Helper()
	const named = "esm: Skip(t-3): "
	if err == nil || len(err.Error()) < len(named) || err.Error()[:len(named)] != named {
		t.Errorf("the error is %v, want one that begins with %q", err, named)
	}
	for _, kind := range []error{observe.ErrNotAssigned, observe.ErrOperationPending, ErrNotHere, context.Canceled, context.DeadlineExceeded} {
		want := false
		for _, one := range kinds {
			want = want || errors.Is(kind, one)
		}
		if errors.Is(err, kind) != want {
			t.Errorf("the error is %v: of the kind %q: %t, want %t", err, kind, !want, want)
		}
	}
}
