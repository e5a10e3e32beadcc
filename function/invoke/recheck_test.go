package invoke_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/function/invoke"
)

// fake is a Client without a network, for virtual time.
type fake struct {
	config         lambda.GetFunctionConfigurationOutput
	looks, invokes int
}

func (f *fake) Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	f.invokes++
	return &lambda.InvokeOutput{StatusCode: 200}, nil
}

func (f *fake) GetFunctionConfiguration(context.Context, *lambda.GetFunctionConfigurationInput, ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error) {
	f.looks++
	return &f.config, nil
}

// A configuration that becomes invalid is noticed within the interval, makes the records wait, and is checked again
// until it is fixed.
func TestRecheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fake{config: lambda.GetFunctionConfigurationOutput{State: "Active", Timeout: aws.Int32(30)}}
		f, err := invoke.New(c, "orders", quiet)
		if err != nil {
			t.Fatal(err)
		}
		handle := func() error { return f.Handle(t.Context(), esmtest.Event("t", esmtest.Values("a")...)) }
		for range 10 {
			if err := handle(); err != nil {
				t.Error(err)
			}
		}
		if c.looks != 1 {
			t.Errorf("%d looks", c.looks)
		}
		c.config.Timeout = aws.Int32(900)
		wait(t, time.Minute)
		if err := handle(); err == nil || c.invokes != 10 {
			t.Errorf("%v, %d invocations", err, c.invokes)
		}
		for range 4 { // no check within 5 s
			if err := handle(); err == nil {
				t.Error("it was invoked")
			}
		}
		if c.looks != 2 {
			t.Errorf("%d looks", c.looks)
		}
		c.config.Timeout = aws.Int32(840)
		wait(t, 5*time.Second)
		if err := handle(); err != nil || f.Condition() != nil || c.looks != 3 {
			t.Errorf("%v, %d looks", err, c.looks)
		}
	})
}

// In a mapping's Status, an invalid function is a condition with Lambda's code, which ends when the function is fixed.
func TestInStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fake{config: lambda.GetFunctionConfigurationOutput{State: "Active", Timeout: aws.Int32(900)}}
		f, err := invoke.New(c, "orders", quiet)
		if err != nil {
			t.Fatal(err)
		}
		b := esmtest.NewBroker(t)
		b.Produce("t", esmtest.Values("a")...)
		r := esmtest.Start(t, b, mapping(0), f.Handle)
		wait(t, time.Minute)
		s := r.Runner().Status()
		if len(s.Conditions) != 1 || s.Conditions[0].Kind != esm.ReasonFunctionConfigNotValid || !strings.Contains(s.LastProcessingResult, "14 minutes at most") || c.invokes != 0 {
			t.Errorf("%q, %v, %d invocations", s.LastProcessingResult, s.Conditions, c.invokes)
		}
		r.Runner().Pause()
		wait(t, time.Second)
		c.config.Timeout = aws.Int32(840)
		r.Runner().Resume()
		wait(t, time.Minute)
		if s := r.Runner().Status(); len(s.Conditions) != 0 || s.LastProcessingResult != "OK" || b.Lag(s.ConsumerGroupId) != 0 || s.Metrics.DroppedEventCount != 0 {
			t.Errorf("once it is mended: %q, %v", s.LastProcessingResult, s.Conditions)
		}
		_ = r.Stop() // its error fails the test
	})
}

// wait advances virtual time.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	<-time.After(d)
}
