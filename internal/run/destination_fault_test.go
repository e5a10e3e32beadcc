package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/stop"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// ids are those of the failures that the destination has, in order.
func (d *scriptedDestination) ids() (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.got {
		all = append(all, d.got[i].ID())
	}
	return all
}

// conditionOf is the text of the mapping's condition of a kind, empty when it does not stand.
func conditionOf(r *Process, kind string) string {
	for _, c := range r.Status().Conditions {
		if c.Op == observe.OpDestination && c.Kind == kind {
			return c.Err.Error()
		}
	}
	return ""
}

func TestDestinationFaults(t *testing.T) {
	inBubble(t, "slow: its partition waits, others go on", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		d := &scriptedDestination{answer: func(context.Context, *destination.Failure) error { time.Sleep(10 * time.Second); return nil }}
		m := poisonMapping(1)
		m.MaximumRetryAttempts = new(0)
		r := newMapped(t, b, m, poison, WithDestination(d)).start()
		group := r.runner.Status().ConsumerGroupId
		b.Produce("t", membroker.Record{Partition: 0}, membroker.Record{Partition: 0}, membroker.Record{Partition: 1})
		pass(9 * time.Second)
		if at0, at1 := b.Committed(group, "t", 0).Offset, b.Committed(group, "t", 1).Offset; at0 != 0 || at1 != 1 || r.seen(0) != "[0]" {
			t.Errorf("while it takes long: committed %d and %d, partition 0 invoked with %s", at0, at1, r.seen(0))
		}
		pass(5 * time.Second)
		if at := b.Committed(group, "t", 0).Offset; at != 1 || r.seen(0) != "[0 1]" {
			t.Errorf("after the first: committed %d, invoked with %s", at, r.seen(0))
		}
		pass(10 * time.Second)
		if at := b.Committed(group, "t", 0).Offset; at != 2 || !slices.Equal(d.offsets(), []int64{0, 1}) {
			t.Errorf("after the second: committed %d, the destination has %v", at, d.offsets())
		}
		r.mustStop()
	})
	inBubble(t, "the answer is lost: a repeat has the same id", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &losing{lost: 2}
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
		b.Produce("t", numbered(3)...)
		pass(time.Minute)
		if ids := d.ids(); len(ids) != 3 || ids[0] != ids[1] || ids[1] != ids[2] {
			t.Errorf("ids %v", ids)
		}
		if at := b.Committed(r.runner.Status().ConsumerGroupId, "t", 0).Offset; at != 3 {
			t.Errorf("committed %d", at)
		}
		if m := r.runner.Metrics(); m.OnFailureDestinationDeliveredEventCount != 3 || m.OnFailureDestinationDeliveryErrorCount != 2 {
			t.Errorf("%+v", m)
		}
		r.mustStop()
	})
	inBubble(t, "a crash between the acknowledgement and the commit: a repeat with the same id", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &scriptedDestination{}
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d), WithStopTimeout(0)).start()
		group := r.runner.Status().ConsumerGroupId
		b.Fail(membroker.OpCommit, 1e6, errors.New("not now"))
		b.Produce("t", numbered(3)...)
		pass(time.Minute)
		if len(d.ids()) != 1 || b.Committed(group, "t", 0).Offset != 0 {
			t.Fatalf("committed %d, the destination has %v", b.Committed(group, "t", 0).Offset, d.ids())
		}
		var stuck *observe.StuckError
		if err := r.stop(); !errors.As(err, &stuck) || stuck.Calls[0].Op != observe.OpCommit {
			t.Errorf("Run: %v", err)
		}
		b.Heal()
		again := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
		pass(time.Minute)
		if ids := d.ids(); len(ids) != 2 || ids[0] != ids[1] || b.Committed(group, "t", 0).Offset != 3 {
			t.Errorf("committed %d, ids %v", b.Committed(group, "t", 0).Offset, ids)
		}
		again.mustStop()
	})
	for _, why := range []destination.Reason{destination.ReasonThrottled, destination.ReasonAccessDenied, destination.ReasonNotFound, destination.ReasonTooLarge, "a panic"} {
		inBubble(t, "refused: "+string(why), func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 2)
			var mended atomic.Bool
			d := &scriptedDestination{answer: func(context.Context, *destination.Failure) error {
				switch {
				case mended.Load():
					return nil
				case why == "a panic":
					panic("a panic")
				}
				return &destination.Error{Destination: "arn:aws:sqs:eu-west-1:123456789012:failed", Reason: why, Hint: "mend it", Err: errors.New("refused")}
			}}
			var told []observe.ErrorInfo
			r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d), WithHooks(observe.Hooks{Error: func(i observe.ErrorInfo) { told = append(told, i) }})).start()
			group := r.runner.Status().ConsumerGroupId
			b.Produce("t", membroker.Record{Partition: 0}, membroker.Record{Partition: 1})
			pass(time.Minute)
			s := r.runner.Status()
			if !strings.HasPrefix(s.LastProcessingResult, "PROBLEM: ") || conditionOf(r.runner, condition.KindDelivery) == "" || s.Destination.Failing != 1 || s.Destination.LastError == nil || s.Destination.Since.IsZero() {
				t.Errorf("%q, %+v", s.LastProcessingResult, s.Destination)
			}
			if len(told) == 0 || told[0].Op != observe.OpDestination {
				t.Errorf("hooks: %v", told)
			}
			if at0, at1 := b.Committed(group, "t", 0).Offset, b.Committed(group, "t", 1).Offset; at0 != 0 || at1 != 1 {
				t.Errorf("committed %d and %d", at0, at1)
			}
			mended.Store(true)
			pass(time.Minute)
			if at := b.Committed(group, "t", 0).Offset; at != 1 || len(d.ids()) != 1 || len(r.runner.Status().Conditions) != 0 {
				t.Errorf("mended: committed %d, %v, %v", at, d.ids(), r.runner.Status().Conditions)
			}
			r.mustStop()
		})
	}
	inBubble(t, "down while much comes: what waits is bounded, and all arrives in the end", func(t *testing.T) {
		b := membroker.NewBroker(t, membroker.FetchRecords(10))
		b.CreateTopic("t", 1)
		var mended atomic.Bool
		d := &scriptedDestination{answer: func(context.Context, *destination.Failure) error {
			if mended.Load() {
				return nil
			}
			return errors.New("down")
		}}
		const n, limit = 1000, 1 << 20
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d), WithBufferBytes(limit)).start()
		records := make([]membroker.Record, n)
		for i := range records {
			records[i].Value = bytes.Repeat([]byte("v"), 10_000)
		}
		b.Produce("t", records...)
		for range 10 {
			pass(time.Minute)
			if s := r.runner.Status(); s.BufferedBytes > limit+limit/4 || s.BufferedBytes == 0 || s.Destination.Pending != 1 {
				t.Errorf("%d bytes wait, %d failures", s.BufferedBytes, s.Destination.Pending)
			}
		}
		mended.Store(true)
		pass(time.Hour)
		if got := d.offsets(); len(got) != n || !slices.IsSorted(got) || r.runner.Status().BufferedBytes != 0 {
			t.Errorf("%d records, %d bytes", len(got), r.runner.Status().BufferedBytes)
		}
		r.mustStop()
	})
	inBubble(t, "what a function names in batchItemFailures has no functionError", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &scriptedDestination{}
		m := poisonMapping(10)
		m.FunctionResponseTypes = []mapping.FunctionResponseType{mapping.ReportBatchItemFailures}
		r := newMapped(t, b, m, func(_ context.Context, e event.KafkaEvent) error {
			for _, record := range e.Records["t-0"] {
				if record.Offset == 1 {
					return itemFailures(record.ItemID())
				}
			}
			return nil
		}, WithDestination(d)).start()
		b.Produce("t", numbered(3)...)
		pass(time.Minute)
		if !slices.Equal(d.offsets(), []int64{1}) || d.got[0].Invocations != 2 || *d.got[0].Response != (destination.Response{StatusCode: 200, ExecutedVersion: "$LATEST"}) {
			t.Errorf("%v %+v", d.offsets(), d.got)
		}
		if !strings.Contains(string(d.got[0].Document()), `"functionError":null`) {
			t.Errorf("%s", d.got[0].Document())
		}
		if at := b.Committed(r.runner.Status().ConsumerGroupId, "t", 0).Offset; at != 3 {
			t.Errorf("committed %d", at)
		}
		r.mustStop()
	})
	inBubble(t, "what a handler does to records that it kept is not in the destination", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		release := make(chan struct{})
		var kept event.KafkaEvent
		d := &scriptedDestination{answer: func(context.Context, *destination.Failure) error { <-release; return nil }}
		r := newMapped(t, b, poisonMapping(10), func(_ context.Context, e event.KafkaEvent) error {
			kept = e
			e.Records["t-0"][0].Offset = 9
			return errors.New("no")
		}, WithDestination(d)).start()
		b.Produce("t", numbered(1)...)
		pass(20 * time.Second)
		copy(kept.Records["t-0"][0].Value, "yy") // while it is sent
		kept.Records["t-0"][0].Offset = 7
		close(release)
		pass(20 * time.Second)
		if len(d.got) != 1 || string(d.got[0].Event.Records["t-0"][0].Value) != "v0" || d.got[0].Event.Records["t-0"][0].Offset != 0 {
			t.Errorf("%+v", d.got)
		}
		r.mustStop()
	})
	inBubble(t, "a batch over partitions is a failure of each", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		d := &scriptedDestination{}
		m := poisonMapping(10)
		m.MaximumRetryAttempts = new(0)
		b.Produce("t", membroker.Record{Partition: 0}, membroker.Record{Partition: 1}, membroker.Record{Partition: 0})
		r := newMapped(t, b, m, func(context.Context, event.KafkaEvent) error { return errors.New("all") }, WithDestination(d)).start()
		pass(time.Minute)
		if n := r.events()[0].Len(); n != 3 || len(d.got) != 2 {
			t.Fatalf("a batch of %d records, %d failures", n, len(d.got))
		}
		for _, f := range d.got {
			if len(f.Partitions()) != 1 || f.Invocations != 1 {
				t.Errorf("%+v", f)
			}
		}
		r.mustStop()
	})
}

// losing keeps what it is sent, and loses the first answers.
type losing struct {
	scriptedDestination
	lost int
}

func (d *losing) Send(ctx context.Context, f *destination.Failure) error {
	_ = d.scriptedDestination.Send(ctx, f)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost--; d.lost >= 0 {
		return errors.New("no answer")
	}
	return nil
}

// A Send that does not return: nobody waits for it for longer than for a handler, and what it says later is not committed.
func TestDestinationThatDoesNotReturn(t *testing.T) {
	for _, closes := range []string{"no Close", "a Close that ends it", "a Close that hangs too"} {
		inBubble(t, "a stop, with "+closes, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 2)
			d := &stubborn{release: make(chan struct{}), closes: closes}
			var to destination.Destination = d
			if closes == "no Close" {
				to = destination.Func(d.Send)
			}
			r := newMapped(t, b, poisonMapping(10), poison, WithDestination(to)).start()
			group := r.runner.Status().ConsumerGroupId
			b.Produce("t", membroker.Record{Partition: 0}, membroker.Record{Partition: 1})
			pass(time.Minute)
			if text := conditionOf(r.runner, condition.KindDelivery); !strings.Contains(text, "ignores the end of its context") {
				t.Errorf("while it runs: %q", text)
			}
			begin := time.Now()
			err := r.stop()
			if took := time.Since(begin); took > stop.DefaultTimeout {
				t.Errorf("the stop took %v", took)
			}
			var stuck *observe.StuckError
			switch named := errors.As(err, &stuck); {
			case closes == "a Close that ends it":
				if err != nil {
					t.Errorf("Run: %v", err)
				}
			case !named || len(stuck.Handlers) > 0 || !slices.ContainsFunc(stuck.Calls, func(c observe.StuckCall) bool { return c.Op == observe.OpDestination && !c.Since.IsZero() }):
				t.Errorf("Run: %v", err)
			}
			if want := map[bool]int32{true: 0, false: 1}[closes == "no Close"]; d.closed.Load() != want {
				t.Errorf("%d calls of Close, want %d", d.closed.Load(), want)
			}
			if at0, at1 := b.Committed(group, "t", 0).Offset, b.Committed(group, "t", 1).Offset; at0 != 0 || at1 != 1 {
				t.Errorf("committed %d and %d", at0, at1)
			}
			d.let()
			pass(time.Minute)
			if at := b.Committed(group, "t", 0).Offset; at != 0 {
				t.Errorf("committed %d in the end", at)
			}
		})
	}
	inBubble(t, "a revocation", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &stubborn{release: make(chan struct{})}
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
		group := r.runner.Status().ConsumerGroupId
		b.Produce("t", numbered(1)...)
		pass(time.Minute)
		b.Revoke(event.TopicPartition{Topic: "t"})
		pass(30 * time.Second)
		// They were read again by now, and are in a second Send, beside the one that was left behind.
		if n := d.sends.Load(); n != 2 || b.Committed(group, "t", 0).Offset != 0 {
			t.Errorf("%d sends, committed %d", n, b.Committed(group, "t", 0).Offset)
		}
		d.let()
		pass(time.Minute)
		if at := b.Committed(group, "t", 0).Offset; at != 1 || len(r.runner.Status().Conditions) != 0 {
			t.Errorf("committed %d, %v", at, r.runner.Status().Conditions)
		}
		r.mustStop()
	})
}

// stubborn is a destination whose Send ignores its context.
type stubborn struct {
	release chan struct{}
	once    sync.Once
	closes  string
	sends   atomic.Int32
	closed  atomic.Int32
}

func (d *stubborn) Send(context.Context, *destination.Failure) error {
	d.sends.Add(1)
	<-d.release
	if d.closes == "" {
		return nil
	}
	return errors.New("closed")
}

func (d *stubborn) let() { d.once.Do(func() { close(d.release) }) }

func (d *stubborn) Close(context.Context) error {
	d.closed.Add(1)
	if d.closes == "a Close that hangs too" {
		<-d.release
	}
	d.let()
	return nil
}

// What is asked of a destination beside Send: whether it is there, and to take new credentials. What it refuses stands
// until it does.
func TestDestinationIsAsked(t *testing.T) {
	inBubble(t, "Check fails until it is there, and holds up nothing", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		d := &askable{checkErr: errors.New("no such queue")}
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
		group := r.runner.Status().ConsumerGroupId
		b.Produce("t", membroker.Record{Partition: 1})
		pass(30 * time.Second)
		if s := r.runner.Status(); s.LastProcessingResult != "PROBLEM: no such queue" || s.Destination.Name != "the queue" || b.Committed(group, "t", 1).Offset != 1 {
			t.Errorf("%q %+v, committed %d", s.LastProcessingResult, s.Destination, b.Committed(group, "t", 1).Offset)
		}
		d.set(nil, nil)
		pass(time.Minute)
		n := d.checks.Load()
		if text := conditionOf(r.runner, condition.KindCheck); text != "" || n < 4 {
			t.Errorf("%q after %d checks", text, n)
		}
		pass(time.Hour)
		if d.checks.Load() != n {
			t.Error("it is asked although it is there")
		}
		r.mustStop()
		if !d.closed.Load() {
			t.Error("it was not closed")
		}
	})
	inBubble(t, "an acknowledgement is a better answer than Check's", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &askable{checkErr: errors.New("not allowed to look")}
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
		pass(10 * time.Second)
		b.Produce("t", numbered(1)...)
		pass(10 * time.Second)
		if s := r.runner.Status(); len(s.Conditions) != 0 {
			t.Errorf("%v", s.Conditions)
		}
		n := d.checks.Load()
		pass(10 * time.Minute)
		if d.checks.Load() != n {
			t.Error("it is asked although it has taken records")
		}
		r.mustStop()
	})
	inBubble(t, "new credentials that it does not take", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := poisonMapping(10)
		m.SourceAccessConfigurations = []auth.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: "secret"}}
		secret := new(turning)
		secret.turn("one")
		d := &askable{replaceErr: errors.New("not these")}
		r := newMapped(t, b, m, poison, WithDestination(d), WithSecrets(secret), WithSecretsRefresh(time.Second)).start()
		b.Produce("t", numbered(1)...)
		pass(10 * time.Second)
		secret.turn("two")
		pass(20 * time.Second)
		if text := conditionOf(r.runner, condition.KindRenewal); !strings.Contains(text, "does not take the new credentials and keeps the old ones: not these") {
			t.Errorf("%q", text)
		}
		if s := r.runner.Status(); s.Credentials.Rotations != 1 || !strings.HasPrefix(s.LastProcessingResult, "PROBLEM: the on-failure destination") {
			t.Errorf("%+v %q", s.Credentials, s.LastProcessingResult)
		}
		// A record that it takes all the same does not end it, for the next connection needs the new ones.
		b.Produce("t", numbered(1)...)
		pass(10 * time.Second)
		if text := conditionOf(r.runner, condition.KindRenewal); text == "" || len(d.ids()) != 2 {
			t.Errorf("%q, %v", text, d.ids())
		}
		secret.turn("three")
		pass(5 * time.Second)
		d.set(nil, nil)
		pass(2 * time.Minute)
		if s := r.runner.Status(); len(s.Conditions) != 0 || d.password() != "three" || strings.Contains(fmt.Sprintf("%+v", s), "three") {
			t.Errorf("%v, taken %s", s.Conditions, d.password())
		}
		r.mustStop()
	})
	inBubble(t, "a Check that hangs holds up no stop", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &askable{hang: make(chan struct{})}
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
		begin := time.Now()
		var stuck *observe.StuckError
		if err := r.stop(); !errors.As(err, &stuck) || len(stuck.Calls) != 1 || stuck.Calls[0].Op != observe.OpDestination || time.Since(begin) > stop.DefaultTimeout {
			t.Errorf("Run: %v after %v", err, time.Since(begin))
		}
		close(d.hang)
	})
}

// askable is a destination with all that can be asked of one.
type askable struct {
	scriptedDestination
	checks               atomic.Int32
	closed               atomic.Bool
	hang                 chan struct{}
	checkErr, replaceErr error
	taken                *auth.Credentials
}

func (d *askable) String() string { return "the queue" }

func (d *askable) set(check, replace error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.checkErr, d.replaceErr = check, replace
}

func (d *askable) Check(context.Context) error {
	d.checks.Add(1)
	if d.hang != nil {
		<-d.hang
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.checkErr
}

func (d *askable) ReplaceCredentials(c *auth.Credentials) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.replaceErr == nil {
		d.taken = c
	}
	return d.replaceErr
}

func (d *askable) password() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.taken.Password.Reveal()
}

func (d *askable) Close(context.Context) error { d.closed.Store(true); return nil }

// The source of a destination that a Resolver makes is the mapping's, and its errors end Run.
func TestResolver(t *testing.T) {
	inBubble(t, "told of the mapping", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := poisonMapping(10)
		m.DestinationConfig = &mapping.DestinationConfig{OnFailure: &mapping.Destination{Destination: "arn:aws:sqs:eu-west-1:123456789012:failed"}}
		var got destination.Source
		var name string
		d := &scriptedDestination{}
		resolve := resolverFunc(func(_ context.Context, n string, s destination.Source) (destination.Destination, error) {
			name, got = n, s
			return d, nil
		})
		r := newMapped(t, b, m, poison, WithDestinations(resolve)).start()
		b.Produce("t", numbered(1)...)
		pass(time.Minute)
		if name != m.DestinationConfig.OnFailure.Destination || !slices.Equal(got.Topics, []string{"t"}) || !slices.Equal(got.BootstrapServers, []string{"b:9092"}) ||
			got.MappingUUID != r.runner.Status().UUID || got.Logger == nil {
			t.Errorf("%q %+v", name, got)
		}
		if s := r.runner.Status(); s.Destination.Name != name || len(d.offsets()) != 1 {
			t.Errorf("%+v, %v", s.Destination, d.offsets())
		}
		r.mustStop()
	})
	inBubble(t, "an error", func(t *testing.T) {
		b := membroker.NewBroker(t)
		m := memoryMapping()
		m.DestinationConfig = &mapping.DestinationConfig{OnFailure: &mapping.Destination{Destination: "arn:aws:sqs:eu-west-1:123456789012:failed"}}
		no := errors.New("no region")
		r, err := New(m, poison, options([]Option{WithDriver(b.Driver()), WithLogger(slog.New(slog.DiscardHandler)), WithDestinations(resolverFunc(func(context.Context, string, destination.Source) (destination.Destination, error) { return nil, no }))}))
		if err != nil {
			t.Fatal(err)
		}
		var source *observe.SourceError
		if err := r.Run(context.Background()); !errors.As(err, &source) || !errors.Is(err, no) || !strings.Contains(err.Error(), "DestinationConfig") {
			t.Errorf("Run: %v", err)
		}
	})
}

type resolverFunc func(context.Context, string, destination.Source) (destination.Destination, error)

func (f resolverFunc) Resolve(ctx context.Context, name string, s destination.Source) (destination.Destination, error) {
	return f(ctx, name, s)
}
